"""One connection to a container: its bytes, and the head and body of an answer on it."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from io import BufferedReader
from typing import cast

CONNECT_WALL_SECONDS = 2.0
MAXIMUM_LINE_BYTES = 65_536


class NothingAnswered(Exception):
    """The connection ended before the first byte of an answer."""


class Connection:
    """An open connection; `used` once an answer was read from it to its end."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_WALL_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = cast(BufferedReader, self.socket.makefile("rb", 65_536))
        self.used = False
        self._timeout_seconds = CONNECT_WALL_SECONDS

    def wait_at_most(self, seconds: float) -> None:
        """Bound every later read and write; the system is asked only when it changes."""
        if seconds != self._timeout_seconds:
            self._timeout_seconds = seconds
            self.socket.settimeout(seconds)

    def wait_until(self, deadline: float) -> None:
        """Bound the next read by a time of the monotonic clock."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        self.wait_at_most(left)

    def close(self) -> None:
        """End it."""
        self.reader.close()
        self.socket.close()


@dataclass(frozen=True, kw_only=True)
class Head:
    """An answer's status line and headers; header names are lower case."""

    status: int
    headers: dict[str, str]
    is_http_1_1: bool

    @property
    def is_chunked(self) -> bool:
        return self.headers.get("transfer-encoding", "").lower() == "chunked"

    @property
    def length(self) -> int | None:
        if self.status in (204, 304):
            return 0
        length = self.headers.get("content-length")
        return None if length is None else int(length)

    @property
    def keeps_open(self) -> bool:
        if not self.is_http_1_1 or self.headers.get("connection", "").lower() == "close":
            return False
        return self.is_chunked or self.length is not None


def exchange_heads(connection: Connection, message: bytes) -> Head:
    """Send a request and read the head of its answer; interim answers are passed over.

    Raises:
        NothingAnswered: the connection ended before the answer's first byte
        TimeoutError: it didn't come in time
        OSError, ValueError, IndexError: what came is no answer
    """
    reader = connection.reader
    try:
        connection.socket.sendall(message)
        first = reader.readline(MAXIMUM_LINE_BYTES)
    except TimeoutError:
        raise
    except OSError as err:
        raise NothingAnswered(str(err)) from err
    if not first:
        raise NothingAnswered("the server closed the connection without an answer")
    status = int(first.split(None, 2)[1])
    headers = _read_headers(reader)
    while 100 <= status < 200:
        first = reader.readline(MAXIMUM_LINE_BYTES)
        status = int(first.split(None, 2)[1])
        headers = _read_headers(reader)
    return Head(status=status, headers=headers, is_http_1_1=b"/1.1" in first)


def _read_headers(reader: BufferedReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    while (line := reader.readline(MAXIMUM_LINE_BYTES)) not in (b"\r\n", b"\n"):
        if not line:
            raise ValueError("the answer ended within its headers")
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


def read_body(reader: BufferedReader, head: Head, method: str) -> bytes:
    """Read an answer's body whole.

    Raises:
        ValueError: it ended early
    """
    if method == "HEAD":
        return b""
    if head.is_chunked:
        return _read_chunks(reader)
    length = head.length
    if length is None:
        return reader.read()
    body = reader.read(length)
    if len(body) != length:
        raise ValueError(f"the answer ended after {len(body)} of {length} bytes")
    return body


def _read_chunks(reader: BufferedReader) -> bytes:
    chunks: list[bytes] = []
    while size := int(reader.readline(MAXIMUM_LINE_BYTES).split(b";")[0], 16):
        chunk = reader.read(size)
        if len(chunk) != size:
            raise ValueError(f"a chunk ended after {len(chunk)} of {size} bytes")
        chunks.append(chunk)
        reader.readline(MAXIMUM_LINE_BYTES)
    while reader.readline(MAXIMUM_LINE_BYTES) not in (b"\r\n", b"\n", b""):
        pass
    return b"".join(chunks)
