"""Carries connections from a loopback port to an address of a container's own network.

An engine publishes no port of a container on an internal network, so isolated containers are
reached by their own address; everything else expects instances behind loopback ports.
"""

from __future__ import annotations

import contextlib
import socket
import threading

CONNECT_WALL_SECONDS = 2.0
CHUNK_BYTES = 65_536


class Relay:
    """One listening port and the connections made through it."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._accept, name="cloud-relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and cut every connection."""
        with self._lock:
            self._closed = True
            ends = list(self._open)
        # Closing alone would leave the other thread waiting in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in ends:
            _cut(end)
        self._thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._target, timeout=CONNECT_WALL_SECONDS)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.update((near, far))
            closed = self._closed
        if not closed:
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()
        with self._lock:
            self._open.difference_update((near, far))
        near.close()
        far.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Carry one direction until it ends, then end it at the other side, too."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _cut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
