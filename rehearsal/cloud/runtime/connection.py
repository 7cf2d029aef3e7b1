"""Persistent HTTP/1.1 connections to one instance, thin enough not to be the latency measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rehearsal.cloud.runtime.exchange import (
    MAXIMUM_LINE_BYTES,
    Connection,
    Head,
    NothingAnswered,
    exchange_heads,
    read_body,
)

# A request with this header sends its body in one chunk and doesn't tell its length.
CHUNKED = ("Transfer-Encoding", "chunked")
MAXIMUM_IDLE_CONNECTIONS = 64
# The largest piece of a streamed body handed on at once; a frame of an event stream may hold
# 24 MiB, but SDKs read each into memory.
PIECE_BYTES = 64 * 1024


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


class StreamedAnswer:
    """An answer whose body is read as it arrives; close it, read to its end or not."""

    def __init__(
        self, pool: ConnectionPool, connection: Connection, head: Head, *, deadline: float
    ) -> None:
        self.status = head.status
        self.headers = head.headers
        self._head = head
        self._pool = pool
        self._connection: Connection | None = connection
        self._deadline = deadline

    def parts(self) -> Iterator[bytes]:
        """Yield the body's bytes, each piece as soon as the container has sent it.

        Raises:
            AnswerBroken: the connection ended before the body did
            InstanceTimeout: the body's end didn't come in time
        """
        connection = self._connection
        assert connection is not None
        try:
            yield from self._pieces(connection)
        except TimeoutError as err:
            raise InstanceTimeout("the answer didn't end in time") from err
        except (OSError, ValueError) as err:
            raise AnswerBroken(f"connection broke: {err}", status=self.status) from err
        if self._head.keeps_open:
            self._connection = None
            self._pool.give_back(connection)

    def close(self) -> None:
        """End the connection unless the whole body was read."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _pieces(self, connection: Connection) -> Iterator[bytes]:
        head = self._head
        if head.is_chunked:
            while size := int(self._line(connection).split(b";")[0], 16):
                yield from self._exactly(connection, size)
                self._line(connection)
            while self._line(connection) not in (b"\r\n", b"\n", b""):
                pass
        elif head.length is not None:
            yield from self._exactly(connection, head.length)
        else:
            while piece := self._some(connection, PIECE_BYTES):
                yield piece

    def _exactly(self, connection: Connection, size: int) -> Iterator[bytes]:
        while size > 0:
            piece = self._some(connection, min(size, PIECE_BYTES))
            if not piece:
                raise ValueError(f"the answer ended {size} bytes early")
            size -= len(piece)
            yield piece

    def _some(self, connection: Connection, size: int) -> bytes:
        connection.wait_until(self._deadline)
        return connection.reader.read1(size)

    def _line(self, connection: Connection) -> bytes:
        connection.wait_until(self._deadline)
        return connection.reader.readline(MAXIMUM_LINE_BYTES)


class ConnectionPool:
    """Connections to one port; the last one used is the first one taken."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
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
        message = self._message(method, path, headers, body)
        connection, head = self._begin(message, timeout_seconds)
        try:
            answer_body = read_body(connection.reader, head, method)
        except TimeoutError as err:
            connection.close()
            raise InstanceTimeout(f"no whole answer in {timeout_seconds:g} seconds") from err
        except (OSError, ValueError) as err:
            connection.close()
            raise AnswerBroken(f"connection broke: {err}", status=head.status) from err
        if head.keeps_open:
            self.give_back(connection)
        else:
            connection.close()
        return Answer(status=head.status, headers=head.headers, body=answer_body)

    def stream(
        self,
        path: str,
        *,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        timeout_seconds: float,
        end_seconds: float,
    ) -> StreamedAnswer:
        """Send one POST and return its answer as soon as the head is there.

        Args:
            timeout_seconds: wall seconds until the answer begins
            end_seconds: wall seconds until the answer must have ended

        Raises:
            InstanceUnreachable: no connection, or it broke before an answer began
            InstanceTimeout: no answer began in time
        """
        deadline = time.monotonic() + end_seconds
        message = self._message("POST", path, headers, body)
        connection, head = self._begin(message, timeout_seconds)
        return StreamedAnswer(self, connection, head, deadline=deadline)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end."""
        connection.used = True
        with self._lock:
            if not self._closed and len(self._idle) < MAXIMUM_IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close every idle connection and keep no more."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for connection in idle:
            connection.close()

    def _take(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        try:
            return Connection(self.port)
        except OSError as err:
            raise InstanceUnreachable(f"port {self.port} refuses connections: {err}") from err

    def _message(
        self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines.extend(f"{name}: {value}" for name, value in headers)
        if CHUNKED in headers:
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
            lines.append("\r\n")
        else:
            lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        return "\r\n".join(lines).encode("latin-1") + body

    def _begin(self, message: bytes, timeout_seconds: float) -> tuple[Connection, Head]:
        """Send a request and read the head of its answer, on a kept connection or a new one."""
        while True:
            connection = self._take()
            try:
                connection.wait_at_most(timeout_seconds)
                return connection, exchange_heads(connection, message)
            except TimeoutError as err:
                connection.close()
                raise InstanceTimeout(f"no answer in {timeout_seconds:g} seconds") from err
            except NothingAnswered as err:
                connection.close()
                if not connection.used:
                    raise InstanceUnreachable(str(err)) from err
            except (OSError, ValueError, IndexError) as err:
                connection.close()
                raise InstanceUnreachable(f"connection broke: {err}") from err
