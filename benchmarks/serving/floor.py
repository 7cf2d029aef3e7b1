"""The floor: the container's own HTTP server, answering a constant. What is above it is ours to do.

It runs `server.http_server` exactly as the container does, imports nothing else of it, and does no
more for a request than HTTP asks of any application: take the body, answer.

`python benchmarks/serving/floor.py PORT ANSWER_FILE`, with `container` on PYTHONPATH.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from server.http_server import http_server
from server.rsgi import Exchange, Scope

HEADERS = [("content-type", "application/json")]


class Constant:
    """Reads the body and answers the same bytes, whatever was asked."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request; a ping is a request without a body."""
        await exchange()
        exchange.response_bytes(200, HEADERS, self._answer)


async def serve(port: int, answer: bytes) -> None:
    """Answer until SIGTERM."""
    server = http_server(Constant(answer), address="127.0.0.1", port=port)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]).read_bytes()))
    os._exit(0)
