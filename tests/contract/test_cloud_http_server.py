"""The cloud's own HTTP server: kept connections and bodies made while they are sent."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator

import pytest

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.http import Application, Request, Response, Server

Serve = Callable[[Application], http.client.HTTPConnection]


class Pieces:
    """A body whose second piece waits, or never comes."""

    def __init__(self, going_on: threading.Event, *, breaks: bool = False) -> None:
        self.closed = threading.Event()
        self._going_on = going_on
        self._breaks = breaks

    def __iter__(self) -> Iterator[bytes]:
        yield b"first"
        yield b""
        self._going_on.wait(5)
        if self._breaks:
            raise OSError("the source broke")
        yield b"last"

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []
    connections: list[http.client.HTTPConnection] = []

    def start(application: Application) -> http.client.HTTPConnection:
        servers.append(Server(application, ManualClock(), 0))
        servers[-1].start()
        connections.append(http.client.HTTPConnection("127.0.0.1", servers[-1].port, timeout=5))
        return connections[-1]

    yield start
    for connection in connections:
        connection.close()
    for server in servers:
        server.stop()


def test_a_streamed_body_is_sent_piece_by_piece_and_the_connection_kept(serve: Serve) -> None:
    going_on = threading.Event()
    body = Pieces(going_on)

    def application(request: Request) -> Response:
        return Response(stream=body) if request.path == "/stream" else Response(body=b"whole")

    connection = serve(application)
    connection.request("POST", "/stream", b"x")
    answer = connection.getresponse()
    first = answer.read(5)
    going_on.set()
    rest = answer.read()
    closed = body.closed.wait(5)
    connection.request("GET", "/whole")
    whole = connection.getresponse().read()

    assert (answer.getheader("Transfer-Encoding"), answer.getheader("Content-Length")) == (
        "chunked",
        None,
    )
    assert (first, rest, closed) == (b"first", b"last", True)
    assert whole == b"whole"


def test_a_streamed_body_that_breaks_is_seen_by_the_client_and_let_go(serve: Serve) -> None:
    going_on = threading.Event()
    going_on.set()
    body = Pieces(going_on, breaks=True)
    connection = serve(lambda request: Response(stream=body))

    connection.request("POST", "/stream", b"x")
    with pytest.raises(http.client.IncompleteRead) as caught:
        connection.getresponse().read()

    assert caught.value.partial == b"first"
    assert body.closed.wait(5)


def test_an_application_that_raises_is_answered_with_its_error(serve: Serve) -> None:
    def application(request: Request) -> Response:
        raise ValueError("a defect")

    connection = serve(application)
    connection.request("GET", "/x")
    answer = connection.getresponse()

    assert answer.status == 500
    assert answer.getheader("x-amzn-ErrorType") == "InternalFailure"
    assert b"a defect" in answer.read()


def test_the_date_is_the_clocks(serve: Serve) -> None:
    connection = serve(lambda request: Response())

    connection.request("HEAD", "/")

    assert connection.getresponse().getheader("Date") == "Fri, 15 Jan 2027 08:00:00 GMT"
