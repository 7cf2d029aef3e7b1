"""A step of a pipeline: answers with the body it got and its own name after it.

STEP_NAME          what it adds to the body
STEP_CONTENT_TYPE  of its answers
STEP_REPORT        answer with what it sees instead: headers, model files, additional data
STEP_SICK_FILE     while this file exists, /ping answers 503
STEP_STARTS_FILE   a line is added to it at each start
STEP_CRASHES       exit with 3 at the first so many starts
STEP_FLAPS         the second, fourth, ... ping of the first so many answers 503
STEP_IGNORES_TERM  go on after SIGTERM
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PINGS = itertools.count(1)
SEEN = {"pings": 0}


def files_below(variable: str) -> list[str]:
    root = Path(os.environ.get(variable, "/nowhere"))
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def say(line: str) -> None:
    """Write a line at once: threads write at the same time, and print() writes in two parts."""
    sys.stdout.write(f"{line}\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        number = SEEN["pings"] = next(PINGS)
        sick = Path(os.environ.get("STEP_SICK_FILE", "/nowhere")).exists()
        flaps = number <= int(os.environ.get("STEP_FLAPS", "0")) and number % 2 == 0
        self._answer(503 if sick or flaps else 200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        name = os.environ.get("STEP_NAME", "step")
        if "STEP_REPORT" in os.environ:
            report = {
                "name": name,
                "pid": os.getpid(),
                "pings": SEEN["pings"],
                "content_type": self.headers.get("Content-Type"),
                "body": body.decode(),
                "files": files_below("SM_MODEL_DIR"),
                "additional": files_below("SM_ADDITIONAL_MODEL_DATA_SOURCES_DIR"),
                "bind_to_port": os.environ.get("SAGEMAKER_BIND_TO_PORT"),
                "model_directory": os.environ.get("SM_MODEL_DIR", "/opt/ml/model"),
            }
            self._answer(200, json.dumps(report).encode())
        else:
            self._answer(200, body + b"|" + name.encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", os.environ.get("STEP_CONTENT_TYPE", "application/json"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        if "/ping" not in str(args):
            say(f"{os.environ.get('STEP_NAME', 'step')} {format % args}")


def count_start() -> int:
    path = Path(os.environ["STEP_STARTS_FILE"])
    with path.open("a", encoding="utf-8") as file:
        file.write("start\n")
    return len(path.read_text().splitlines())


if __name__ == "__main__":
    if "STEP_STARTS_FILE" in os.environ and count_start() <= int(
        os.environ.get("STEP_CRASHES", "0")
    ):
        sys.exit(3)
    if "STEP_IGNORES_TERM" in os.environ:
        signal.signal(signal.SIGTERM, lambda number, frame: say("not now"))
    else:
        # As process 1 of a container the signal alone would do nothing.
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    say(f"{os.environ.get('STEP_NAME', 'step')} serving on {port}")
    address = os.environ.get("GREENLIGHT_BIND_ADDRESS", "0.0.0.0")
    ThreadingHTTPServer((address, port), Handler).serve_forever()
