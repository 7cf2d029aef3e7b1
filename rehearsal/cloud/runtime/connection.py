"""Persistent HTTP/1.1 connections to one instance, thin enough not to be the latency measured."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

MAXIMUM_IDLE_CONNECTIONS = 64
CONNECT_WALL_SECONDS = 2.0


class InstanceUnreachable(Exception):
    """The instance refused, closed or broke the connection before a whole answer was there."""


class AnswerBroken(InstanceUnreachable):
    """The answer began, and its body didn't arrive whole."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class InstanceTimeout(Exception):
    """The instance took the request and didn't answer in time."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A container's HTTP answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_WALL_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = cast(BinaryIO, self.socket.makefile("rb", 65_536))
        self.used = False

    def close(self) -> None:
        self.reader.close()
        self.socket.close()


class ConnectionPool:
    """Connections to one port; the last one used is the first one taken."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._closed = False

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        timeout_seconds: float,
    ) -> Answer:
        """Send one request and read its answer.

        A connection kept from before may have been closed by the server meanwhile; only then,
        and only when nothing was answered yet, the request is sent once more on a new one.

        Raises:
            InstanceUnreachable: no connection, or it broke
            InstanceTimeout: no answer in time
        """
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines.extend(f"{name}: {value}" for name, value in headers)
        lines.append(f"Content-Length: {len(body)}")
        message = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
        while True:
            connection = self._take()
            try:
                return self._exchange(connection, message, method, timeout_seconds)
            except TimeoutError as err:
                connection.close()
                raise InstanceTimeout(f"no answer in {timeout_seconds:g} seconds") from err
            except _NothingAnswered as err:
                connection.close()
                if not connection.used:
                    raise InstanceUnreachable(str(err)) from err
            except (OSError, ValueError, IndexError) as err:
                connection.close()
                raise InstanceUnreachable(f"connection broke: {err}") from err

    def close(self) -> None:
        """Close every idle connection and keep no more."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for connection in idle:
            connection.close()

    def _take(self) -> _Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        try:
            return _Connection(self.port)
        except OSError as err:
            raise InstanceUnreachable(f"port {self.port} refuses connections: {err}") from err

    def _give_back(self, connection: _Connection) -> None:
        connection.used = True
        with self._lock:
            if not self._closed and len(self._idle) < MAXIMUM_IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _exchange(
        self, connection: _Connection, message: bytes, method: str, timeout_seconds: float
    ) -> Answer:
        connection.socket.settimeout(timeout_seconds)
        try:
            connection.socket.sendall(message)
            first = connection.reader.readline(65_536)
        except TimeoutError:
            raise
        except OSError as err:
            raise _NothingAnswered(str(err)) from err
        if not first:
            raise _NothingAnswered("the server closed the connection without an answer")
        status = int(first.split(None, 2)[1])
        headers = _read_headers(connection.reader)
        while 100 <= status < 200:
            first = connection.reader.readline(65_536)
            status = int(first.split(None, 2)[1])
            headers = _read_headers(connection.reader)
        try:
            body, reusable = _read_body(connection.reader, headers, status, method)
        except TimeoutError:
            raise
        except (OSError, ValueError) as err:
            connection.close()
            raise AnswerBroken(f"connection broke: {err}", status=status) from err
        if reusable and headers.get("connection", "").lower() != "close" and b"/1.1" in first:
            self._give_back(connection)
        else:
            connection.close()
        return Answer(status=status, headers=headers, body=body)


class _NothingAnswered(Exception):
    """The connection ended before the first byte of an answer."""


def _read_headers(reader: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    while (line := reader.readline(65_536)) not in (b"\r\n", b"\n"):
        if not line:
            raise ValueError("the answer ended within its headers")
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


def _read_body(
    reader: BinaryIO, headers: dict[str, str], status: int, method: str
) -> tuple[bytes, bool]:
    if method == "HEAD" or status in (204, 304):
        return b"", True
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _read_chunks(reader), True
    if "content-length" not in headers:
        return reader.read(), False
    length = int(headers["content-length"])
    body = reader.read(length)
    if len(body) != length:
        raise ValueError(f"the answer ended after {len(body)} of {length} bytes")
    return body, True


def _read_chunks(reader: BinaryIO) -> bytes:
    chunks: list[bytes] = []
    while size := int(reader.readline(65_536).split(b";")[0], 16):
        chunks.append(reader.read(size))
        reader.readline(65_536)
    while reader.readline(65_536) not in (b"\r\n", b"\n", b""):
        pass
    return b"".join(chunks)
