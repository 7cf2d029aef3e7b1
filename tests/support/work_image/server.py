"""A model server whose answers follow from what it was sent, for work that isn't watched live.

text/csv               one line per row: the sum of its numbers
application/jsonlines  one line per object: {"label": sum of its numbers}
application/json       {"label": sum}
anything else          JSON that tells what arrived: headers, length, environment, concurrency

A payload with the word FAIL is answered 400, one with BREAK 500, one with SLEEP 2.5 after as many
seconds, one with HOLD and a path once there is such a file, half a minute later at most, one with
CHUNKED without a Content-Length.
WORK_PARAMETERS        body of GET /execution-parameters; 404 without it
"""

from __future__ import annotations

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LOCK = threading.Lock()
SEEN = {"now": 0, "most": 0, "requests": 0}


def await_file(path: Path) -> None:
    for _ in range(3_000):
        if path.exists():
            return
        time.sleep(0.01)


def numbers(value: Any) -> float:
    if isinstance(value, dict):
        return sum(numbers(each) for each in value.values())
    if isinstance(value, list):
        return sum(numbers(each) for each in value)
    return float(value) if isinstance(value, int | float) else 0.0


def row_sum(line: str) -> str:
    return f"{sum(float(cell) for cell in line.split(',') if cell.strip()):g}"


def predicted(content_type: str, body: bytes) -> bytes | None:
    text = body.decode("utf-8", "replace")
    lines = [line for line in text.split("\n") if line.strip()]
    if content_type == "text/csv":
        return "\n".join(row_sum(line) for line in lines).encode()
    if content_type == "application/jsonlines":
        labels = [{"label": numbers(json.loads(line))} for line in lines]
        return "\n".join(json.dumps(label) for label in labels).encode()
    if content_type == "application/json":
        return json.dumps({"label": numbers(json.loads(text))}).encode()
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        if self.path == "/execution-parameters":
            parameters = os.environ.get("WORK_PARAMETERS")
            self._answer(404 if parameters is None else 200, (parameters or "").encode())
            return
        self._answer(200, b"")

    def do_POST(self) -> None:
        body = self._body()
        with LOCK:
            SEEN["now"] += 1
            SEEN["requests"] += 1
            SEEN["most"] = max(SEEN["most"], SEEN["now"])
        try:
            if b"SLEEP" in body:
                time.sleep(float(body.partition(b"SLEEP")[2].split()[0]))
            if b"HOLD" in body:
                await_file(Path(body.partition(b"HOLD")[2].decode().strip()))
            self._reply(body)
        finally:
            with LOCK:
                SEEN["now"] -= 1

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _reply(self, body: bytes) -> None:
        for word, status in ((b"FAIL", 400), (b"BREAK", 500)):
            if word in body:
                self._answer(status, b"the model says " + word)
                return
        answer = predicted(self.headers.get("Content-Type", ""), body)
        if answer is None:
            answer = json.dumps(
                {
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "length": len(body),
                    "body": body.decode("utf-8", "replace")[:200],
                    "environment": {
                        k: v for k, v in os.environ.items() if k.startswith(("SAGEMAKER_", "WORK_"))
                    },
                    "pid": os.getpid(),
                    **SEEN,
                }
            ).encode()
        if b"CHUNKED" in body:
            self._chunked(answer)
        else:
            self._answer(200, answer)

    def _chunked(self, answer: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(answer), answer))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        asked = self.headers.get("Content-Type", "application/json")
        self.send_header("Content-Type", self.headers.get("Accept", asked))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        print(format % args)


if __name__ == "__main__":
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    print(f"serving on {port}")
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
