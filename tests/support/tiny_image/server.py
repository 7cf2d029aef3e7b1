"""A model server of a few lines; environment variables make it misbehave.

TINY_NAME     what /invocations answers with
TINY_STATUS   status of every invocation
TINY_PING     status of /ping
TINY_SICK     while this file exists, /ping answers 503
TINY_EXIT     exit at once with this code
TINY_DELAY    seconds to wait before an answer
TINY_GATE     file an answer waits for, half a minute at most
TINY_STUBBORN ignore SIGTERM
TINY_REACH    host:port to try to connect to
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def say(line: str) -> None:
    """Write a line at once: threads write at the same time, and print() writes in two parts."""
    sys.stdout.write(f"{line}\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body go out as one segment; else each answer waits for a delayed acknowledgement.
    wbufsize = -1

    def do_GET(self) -> None:
        is_sick = Path(os.environ.get("TINY_SICK", "/nowhere")).exists()
        self._answer(503 if is_sick else int(os.environ.get("TINY_PING", "200")), b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        time.sleep(float(os.environ.get("TINY_DELAY", "0")))
        if "TINY_GATE" in os.environ:
            await_file(Path(os.environ["TINY_GATE"]))
        directory = Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
        files = sorted(path.name for path in directory.iterdir())
        answer = {
            "name": os.environ.get("TINY_NAME", "tiny"),
            "pid": os.getpid(),
            "files": files,
            "length": len(body),
            "content_type": self.headers.get("Content-Type"),
            "reached": reaches(os.environ["TINY_REACH"]) if "TINY_REACH" in os.environ else None,
            "attributes": self.headers.get("X-Amzn-SageMaker-Custom-Attributes"),
        }
        self._answer(int(os.environ.get("TINY_STATUS", "200")), json.dumps(answer).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", "from-tiny")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        say(format % args)


def await_file(path: Path) -> None:
    for _ in range(3_000):
        if path.exists():
            return
        time.sleep(0.01)


def reaches(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except OSError:
        return False
    return True


def stop(number: int, frame: object) -> None:
    """End at once: as process 1 of a container the signal alone would do nothing."""
    say("stopping")
    if "TINY_STUBBORN" not in os.environ:
        os._exit(0)


if __name__ == "__main__":
    if "TINY_EXIT" in os.environ:
        say("exiting as told")
        sys.exit(int(os.environ["TINY_EXIT"]))
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    address = os.environ.get("GREENLIGHT_BIND_ADDRESS", "0.0.0.0")
    signal.signal(signal.SIGTERM, stop)
    say(f"serving {sys.argv[1:]} on {port}")
    ThreadingHTTPServer((address, port), Handler).serve_forever()
