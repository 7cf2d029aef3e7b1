"""A raw HTTP/1.1 client on kept connections: the same towards a container, our cloud and moto.

What it adds is the same on every side, so differences are the servers'. `python -m
benchmarks.cloud.client` is the load generator, a process of its own.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass

# moto finds the service by it; nobody checks it.
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=benchmark/20260101/eu-west-1/sagemaker/aws4_request, "
    "SignedHeaders=host, Signature=0"
)
END = b"\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where requests go."""

    port: int
    path: str
    body: bytes = b"1,2,3,4"

    @property
    def message(self) -> bytes:
        """Return one request, with the headers boto3 sends that matter here."""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Type: text/csv\r\nAccept: application/json\r\n"
            f"Authorization: {AUTHORIZATION}\r\n"
            f"User-Agent: benchmark\r\nContent-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


class Client:
    """One connection; a server that closes it after an answer gets a new one each time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._message = target.message
        self.socket: socket.socket | None = None

    def send(self) -> socket.socket:
        """Send one request; return the connection its answer comes on."""
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self._target.port), timeout=60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(self._message)
        return self.socket

    def receive(self) -> bytes:
        """Return the body of a 200 answer.

        Raises:
            RuntimeError: any other answer, or none
        """
        assert self.socket is not None
        data = self.socket.recv(65_536)
        while not is_whole(data):
            more = self.socket.recv(65_536)
            if not more:
                break
            data += more
        head, _, body = data.partition(END)
        if b" 200 " not in head[:16]:
            raise RuntimeError(f"the server answered {data[:300]!r}")
        if head.startswith(b"HTTP/1.0") or b"connection: close" in head.lower():
            self.close()
        return body

    def ask(self) -> bytes:
        """Send one request and return its answer."""
        self.send()
        return self.receive()

    def close(self) -> None:
        """End the connection."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def is_whole(data: bytes) -> bool:
    """Tell whether an answer with a Content-Length is there to its end."""
    head, found, body = data.partition(END)
    if not found:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
    return False


def latencies_ms(client: Client, count: int) -> list[float]:
    """Return the time of each of `count` requests, one after the other."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        client.ask()
        taken.append((time.perf_counter() - began) * 1_000)
    return taken


def requests_per_second(target: Target, *, connections: int, seconds: float) -> float:
    """Keep one request on the way on each connection for so long; return the rate of answers."""
    clients = [Client(target) for _ in range(connections)]
    selector = selectors.DefaultSelector()
    for client in clients:
        selector.register(client.send(), selectors.EVENT_READ, client)
    answers, began = 0, time.perf_counter()
    deadline = began + seconds
    while time.perf_counter() < deadline:
        for key, _ in selector.select(timeout=1):
            client, old = key.data, key.fileobj
            client.receive()
            answers += 1
            if client.socket is not old:
                selector.unregister(old)
                selector.register(client.send(), selectors.EVENT_READ, client)
            else:
                client.send()
    taken = time.perf_counter() - began
    for client in clients:
        client.close()
    return answers / taken


def main() -> int:
    """Print the rate as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cloud.client")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    target = Target(port=options.port, path=options.path)
    rate = requests_per_second(target, connections=options.connections, seconds=options.seconds)
    print(json.dumps({"requests_per_second": rate}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
