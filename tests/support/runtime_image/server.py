"""A model server that does what the request's CustomAttributes tell it to.

echo           answer with what was received, as JSON (also without any attribute)
append         answer with the body and the server's NAME behind it
status=N       answer with this status and the body
stream         answer in chunks: `first`, then `last` once the file GATE exists
break          answer in chunks and close the connection after the first one
hang           answer in chunks, never send the last one, and close once there is the file GATE
large          answer with one byte more than SageMaker passes on
cut            announce a longer body than is sent
silent         take the request and never answer
open, close    open a session of its own, or close the one the request names

With the environment variable GATED every answer waits for the file GATE.
"""

from __future__ import annotations

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = os.environ.get("NAME", "tiny")
SESSION = "X-Amzn-SageMaker-Session-Id"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body go out as one segment; else each answer waits for a delayed acknowledgement.
    wbufsize = -1

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if "GATED" in os.environ:
            self.await_gate()
        told = self.headers.get("X-Amzn-SageMaker-Custom-Attributes", "echo")
        word, _, value = told.partition("=")
        getattr(self, f"do_{word}")(body, value)

    def do_echo(self, body: bytes, _: str) -> None:
        seen = {
            "name": NAME,
            "pid": os.getpid(),
            "path": self.path,
            "body": body.decode("utf-8", "replace"),
            "headers": {name.lower(): value for name, value in self.headers.items()},
        }
        self.answer(json.dumps(seen).encode(), content_type="application/json")

    def do_append(self, body: bytes, _: str) -> None:
        seen = f"{self.headers.get('Content-Type')},{self.headers.get('Accept')}"
        self.answer(body + f"|{NAME}({seen})".encode(), content_type=f"text/{NAME}")

    def do_status(self, body: bytes, value: str) -> None:
        self.answer(body, status=int(value))

    def do_stream(self, _: bytes, __: str) -> None:
        self.begin_chunks()
        self.chunk(b"first")
        self.await_gate()
        self.chunk(b"last")
        self.chunk(b"")

    def do_break(self, _: bytes, __: str) -> None:
        self.begin_chunks()
        self.chunk(b"first")
        self.close_connection = True

    def do_hang(self, _: bytes, __: str) -> None:
        self.begin_chunks()
        self.chunk(b"first")
        self.await_gate()
        self.close_connection = True

    def do_cut(self, _: bytes, value: str) -> None:
        self.head(int(value or "200"), "text/plain", ("Content-Length", "100"))
        self.wfile.write(b"only this")
        self.wfile.flush()
        self.close_connection = True

    def do_large(self, _: bytes, __: str) -> None:
        self.answer(b"x" * 6_291_457)

    def do_silent(self, _: bytes, __: str) -> None:
        self.await_gate()

    def do_open(self, _: bytes, value: str) -> None:
        expires = value or "2999-01-31T10:00:00Z"
        opened = f"session-{os.getpid()}; Expires={expires}"
        self.answer(
            self.headers[SESSION].encode(), headers=(("X-Amzn-SageMaker-New-Session-Id", opened),)
        )

    def do_close(self, _: bytes, __: str) -> None:
        closed = ("X-Amzn-SageMaker-Closed-Session-Id", self.headers[SESSION])
        self.answer(str(os.getpid()).encode(), headers=(closed,))

    def answer(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = "text/plain",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.head(status, content_type, ("Content-Length", str(len(body))), *headers)
        self.wfile.write(body)

    def head(self, status: int, content_type: str, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def begin_chunks(self) -> None:
        self.head(
            200,
            "text/event-stream",
            ("Transfer-Encoding", "chunked"),
            ("X-Amzn-SageMaker-Custom-Attributes", "streamed"),
        )

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def await_gate(self) -> None:
        """Wait until a test has made the file, at most half a minute."""
        gate = Path(os.environ["GATE"])
        for _ in range(3_000):
            if gate.exists():
                return
            time.sleep(0.01)

    def log_message(self, format: str, *args: object) -> None:
        print(format % args)


if __name__ == "__main__":
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
