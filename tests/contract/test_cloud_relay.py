"""The relay that isolated containers are reached through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from rehearsal.cloud.fleets.relay import Relay


class Echo:
    """Answers whatever it gets, in upper case, until the client has said all."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(1024):
                    connection.sendall(data.upper())

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)


@pytest.fixture
def echo() -> Iterator[Echo]:
    found = Echo()
    yield found
    found.close()


@pytest.fixture
def relay(echo: Echo) -> Iterator[Relay]:
    found = Relay("127.0.0.1", echo.port)
    yield found
    found.close()


def test_both_directions_are_carried_to_their_ends(relay: Relay) -> None:
    with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as client:
        client.sendall(b"one")
        first = client.recv(1024)
        client.sendall(b"two")
        client.shutdown(socket.SHUT_WR)
        rest = client.recv(1024)
        end = client.recv(1024)

    assert (first, rest, end) == (b"ONE", b"TWO", b"")


def test_a_container_that_does_not_listen_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    relay = Relay("127.0.0.1", port)

    with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as client:
        received = client.recv(1024)

    relay.close()
    assert received == b""


def test_closing_cuts_what_is_open_and_listens_no_more(relay: Relay) -> None:
    with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as client:
        client.sendall(b"x")
        assert client.recv(1024) == b"X"

        relay.close()

        assert client.recv(1024) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", relay.port), timeout=5)
