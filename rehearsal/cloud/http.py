"""A small threaded HTTP/1.1 server with persistent connections, loopback only.

Werkzeug's own server closes every connection after one answer, which costs a client a TCP
handshake per invocation; moto is therefore mounted behind this one (see `wsgi`). What must never
be added here: TLS, file serving, anything that listens beyond the loopback interface.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import BinaryIO, Protocol, cast
from urllib.parse import unquote

from rehearsal.cloud.clock import Clock

logger = logging.getLogger(__name__)

MAXIMUM_BODY_BYTES = 512 * 1024 * 1024
MAXIMUM_LINE_BYTES = 65_536
MAXIMUM_HEADERS = 200
IDLE_CONNECTION_SECONDS = 300
PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request, its body read whole; header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    raw_headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def raw_path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        return unquote(self.raw_path)

    @property
    def query_string(self) -> str:
        return self.target.partition("?")[2]


class BodyStream(Protocol):
    """A body that is made while it is sent; closed once, whether or not it was read."""

    def __iter__(self) -> Iterator[bytes]:
        """Return the pieces, each to be sent when it is there."""

    def close(self) -> None:
        """Let go of what the body came from."""


@dataclass(frozen=True, kw_only=True)
class Response:
    """One HTTP answer.

    Args:
        body: the whole body
        stream: a body to be sent in chunks as it comes, instead of `body`
        close: end the connection after this answer
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    stream: BodyStream | None = None
    close: bool = False


Application = Callable[[Request], Response]


class BadRequest(Exception):
    """The bytes on the connection are no HTTP/1.1 request this server reads."""


class Server:
    """Serves one application on a loopback port, one thread per connection."""

    def __init__(self, application: Application, clock: Clock, port: int) -> None:
        self._tcp = _TcpServer(("127.0.0.1", port), _Connection)
        self._tcp.application = application
        self._tcp.clock = clock
        self._thread = threading.Thread(
            target=self._tcp.serve_forever, args=(0.05,), name="cloud-http", daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._tcp.server_address[1])

    def start(self) -> None:
        """Begin to answer, in threads of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting and close every open connection."""
        self._tcp.shutdown()
        self._tcp.server_close()
        self._tcp.close_connections()
        self._thread.join(timeout=5)


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    application: Application
    clock: Clock

    def __init__(self, address: tuple[str, int], handler: type[_Connection]) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, handler)

    def opened(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.discard(connection)

    def close_connections(self) -> None:
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        logger.exception("connection failed client=%s", client_address)


class _Connection(socketserver.BaseRequestHandler):
    server: _TcpServer

    def handle(self) -> None:
        connection: socket.socket = self.request
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(IDLE_CONNECTION_SECONDS)
        self.server.opened(connection)
        try:
            self._serve(connection)
        except BadRequest as err:
            answer = Response(status=400, body=str(err).encode(), close=True)
            head = _response_head(answer, self.server.clock.now(), keep=False)
            with contextlib.suppress(OSError):
                connection.sendall(head + answer.body)
        except OSError as err:
            logger.debug("connection ended reason=%s", err)
        finally:
            self.server.closed(connection)

    def _serve(self, connection: socket.socket) -> None:
        with cast(BinaryIO, connection.makefile("rb", 65_536)) as reader:
            while True:
                request = read_request(reader, connection.sendall)
                if request is None:
                    return
                response = self._answer(request)
                keep = not response.close and _keeps_alive(request)
                head = _response_head(response, self.server.clock.now(), keep=keep)
                if response.stream is not None:
                    _send_stream(connection, head, response.stream)
                elif request.method == "HEAD":
                    connection.sendall(head)
                else:
                    connection.sendall(head + response.body)
                if not keep:
                    return

    def _answer(self, request: Request) -> Response:
        # The outermost edge of the process: whatever is wrong inside must still be an answer.
        try:
            return self.server.application(request)
        except Exception as err:
            logger.exception("request failed method=%s path=%s", request.method, request.raw_path)
            text = f"the rehearsal cloud failed on {request.method} {request.raw_path}: {err!r}"
            return Response(
                status=500,
                headers=(("Content-Type", "text/plain"), ("x-amzn-ErrorType", "InternalFailure")),
                body=text.encode(),
            )


def _send_stream(connection: socket.socket, head: bytes, stream: BodyStream) -> None:
    """Send a body in chunks; one that breaks off ends the connection, so the peer sees it."""
    try:
        connection.sendall(head)
        for piece in stream:
            if piece:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
    finally:
        stream.close()


def read_request(reader: BinaryIO, send: Callable[[bytes], object]) -> Request | None:
    """Read one request, or None when the peer closed between requests.

    Args:
        reader: the connection's bytes
        send: takes the interim answer to a peer that waits before it sends the body

    Raises:
        BadRequest: the bytes are no request, or a bound is passed
    """
    line = reader.readline(MAXIMUM_LINE_BYTES)
    if not line:
        return None
    parts = line.decode("latin-1").split()
    if len(parts) != 3:
        raise BadRequest(f"request line {line[:80]!r} has {len(parts)} parts, not 3")
    raw_headers = _read_headers(reader)
    headers = {name.lower(): value for name, value in raw_headers}
    if headers.get("expect", "").lower() == "100-continue":
        send(b"HTTP/1.1 100 Continue\r\n\r\n")
    return Request(
        method=parts[0],
        target=parts[1],
        headers=headers,
        raw_headers=raw_headers,
        body=_read_body(reader, headers),
    )


def _read_headers(reader: BinaryIO) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    while True:
        line = reader.readline(MAXIMUM_LINE_BYTES)
        if line in (b"\r\n", b"\n"):
            return tuple(headers)
        if not line or len(headers) >= MAXIMUM_HEADERS:
            raise BadRequest(f"headers end early or are more than {MAXIMUM_HEADERS}")
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.strip(), value.strip()))


def _read_body(reader: BinaryIO, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _read_chunks(reader)
    length = _number(headers.get("content-length", "0"), 10)
    if length > MAXIMUM_BODY_BYTES:
        raise BadRequest(f"body of {length} bytes is above {MAXIMUM_BODY_BYTES}")
    body = reader.read(length) if length else b""
    if len(body) != length:
        raise BadRequest(f"body ended after {len(body)} of {length} bytes")
    return body


def _number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError as err:
        raise BadRequest(f"{text[:40]!r} is no length of a body") from err
    if number < 0:
        raise BadRequest(f"a body of {number} bytes can't be")
    return number


def _read_chunks(reader: BinaryIO) -> bytes:
    chunks: list[bytes] = []
    total = 0
    while True:
        size = _number(reader.readline(MAXIMUM_LINE_BYTES).split(b";")[0].decode("latin-1"), 16)
        total += size
        if total > MAXIMUM_BODY_BYTES:
            raise BadRequest(f"chunked body is above {MAXIMUM_BODY_BYTES} bytes")
        if size == 0:
            while reader.readline(MAXIMUM_LINE_BYTES) not in (b"\r\n", b"\n", b""):
                pass
            return b"".join(chunks)
        chunks.append(reader.read(size))
        reader.readline(MAXIMUM_LINE_BYTES)


def _keeps_alive(request: Request) -> bool:
    return request.headers.get("connection", "").lower() != "close"


def _response_head(response: Response, now: float, *, keep: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {PHRASES.get(response.status, 'Unknown')}"]
    has_length = False
    for name, value in response.headers:
        has_length = has_length or name.lower() == "content-length"
        lines.append(f"{name}: {value}")
    if response.stream is not None:
        lines.append("Transfer-Encoding: chunked")
    elif not has_length and response.status not in (204, 304):
        lines.append(f"Content-Length: {len(response.body)}")
    lines.append(f"Date: {_date(int(now))}")
    if not keep:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@functools.lru_cache(maxsize=4)
def _date(second: int) -> str:
    """Return a second as headers spell it; many answers fall into the same one."""
    return formatdate(second, usegmt=True)
