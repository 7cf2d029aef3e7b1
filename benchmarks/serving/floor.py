"""The floor: the container's own HTTP server, answering a constant. What is above it is ours to do.

It runs `server.http_server` as the container does, with the same options and, unless told
otherwise, the same short way: requests are answered in the thread that read them. It does no more
than HTTP asks of any application, which is to take the body and to answer.

`python benchmarks/serving/floor.py PORT ANSWER_FILE [--asyncio]`, with `container` on PYTHONPATH;
`--asyncio` is granian as it comes: each request a task of the event loop.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any

from server.http_server import http_server

HEADERS = [("content-type", "application/json")]
answer = b""


class Arrival:
    """Answers when the body is there."""

    __slots__ = ("exchange",)

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange

    def __call__(self, future: Any) -> None:
        future.result()
        self.exchange.response_bytes(200, HEADERS, answer)


class ShortLoop(asyncio.SelectorEventLoop):
    """Lets granian call an arrival where it is, as the container's loop does."""

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        if type(callback) is Arrival:
            return callback(*args)
        return super().call_soon_threadsafe(callback, *args, context=context)


class Taker:
    """Takes every request."""

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing is left to the loop."""

    def take(self, scope: Any, exchange: Any) -> bool:
        """Wait for the body, which a ping does not have."""
        exchange().add_done_callback(Arrival(exchange))
        return True


class Application:
    """Reads the body and answers, in a task of the event loop."""

    async def __rsgi__(self, scope: Any, exchange: Any) -> None:
        await exchange()
        exchange.response_bytes(200, HEADERS, answer)


async def serve(port: int, *, is_short: bool) -> None:
    """Answer until SIGTERM."""
    taker = Taker() if is_short else None
    server = http_server(Application(), address="127.0.0.1", port=port, taker=taker)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


def main() -> None:
    """Serve."""
    global answer
    # The container's collector runs seldom; here there is nothing at all for it to find.
    gc.disable()
    answer = Path(sys.argv[2]).read_bytes()
    is_short = "--asyncio" not in sys.argv
    factory = ShortLoop if is_short else asyncio.SelectorEventLoop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(int(sys.argv[1]), is_short=is_short))
    os._exit(0)


if __name__ == "__main__":
    main()
