"""Answers every request with the environment variable NAME, over sockets alone."""

import os
import selectors
import socket

NAME = os.environ.get("NAME", "ok").encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(NAME),
    NAME,
)
END = b"\r\n\r\n"


def body_length(head: bytes) -> int:
    """Return what Content-Length says, 0 without it."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def main() -> None:
    listener = socket.create_server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])))
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    received: dict[socket.socket, bytes] = {}
    while True:
        for key, _ in selector.select():
            connection = key.data
            if connection is None:
                accepted, _ = listener.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(accepted, selectors.EVENT_READ, accepted)
                received[accepted] = b""
                continue
            try:
                data = connection.recv(65_536)
            except OSError:
                data = b""
            if not data:
                selector.unregister(connection)
                connection.close()
                del received[connection]
                continue
            data = received[connection] + data
            head, found, body = data.partition(END)
            if found and len(body) >= body_length(head):
                received[connection] = body[body_length(head) :]
                connection.sendall(ANSWER)
            else:
                received[connection] = data


if __name__ == "__main__":
    main()
