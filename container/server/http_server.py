"""granian as this server runs it: embedded in this process, with the options it is given.

Imports neither codecs nor models: benchmarks/serving puts a constant answer into this very server,
to measure what the HTTP server alone costs.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
from typing import Any, Protocol

from granian.constants import HTTPModes
from granian.server.embed import AsyncWorker, Server

from .logs import log

# Their stubs say little of what they take.
_granian: Any = importlib.import_module("granian._granian")
_futures: Any = importlib.import_module("granian._futures")

BACKLOG = 1024


class Taker(Protocol):
    """Takes requests in granian's thread, before the event loop hears of them."""

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that gets what is not taken; an event loop granian calls from outside."""

    def take(self, scope: Any, exchange: Any) -> bool:
        """Take a request, and answer it some time; or leave it to the loop."""


def http_server(
    application: Any,
    *,
    address: str,
    port: int,
    taker: Taker | None = None,
    listener: socket.socket | None = None,
) -> Server:
    """Make the server of an RSGI application; its `serve()` is awaited on a running loop.

    Args:
        taker: is offered each request first
        listener: a bound socket to listen on, instead of one of the server's own
    """
    options: dict[str, Any] = {
        "address": address,
        "port": port,
        "http": HTTPModes.http1,
        "websockets": False,
        "log_enabled": False,
        "backlog": BACKLOG,
        # All of Python is called from one thread: a taker and its counters have no locks.
        "blocking_threads": 1,
    }
    if taker is None and listener is None:
        return Server(application, **options)
    return _Server(application, taker, listener, **options)


class _Scheduler(_granian.CallbackScheduler):  # type: ignore[misc]
    """Offers each request to a taker, and schedules the others as granian's own does."""

    def __new__(cls, loop: Any, application: Any, taker: Taker) -> Any:
        return super().__new__(cls, loop, application, None, None, None)

    def __init__(self, loop: Any, application: Any, taker: Taker) -> None:
        super().__init__()
        schedule = _futures._cbsched_aioschedule(loop, self._ctx, application)
        take = taker.take

        def offer(watcher: Any) -> None:
            try:
                is_taken = take(watcher.scope, watcher.proto)
            except Exception as error:  # noqa: BLE001 - granian asks nobody about errors here
                log(logging.ERROR, "request_not_taken", error=error)
                is_taken = False
            if not is_taken:
                schedule(watcher)

        self._schedule_fn = offer


class _Server(Server):
    """granian's embedded server with that scheduler, or on a given socket, or both."""

    def __init__(
        self,
        application: Any,
        taker: Taker | None,
        listener: socket.socket | None,
        **options: Any,
    ) -> None:
        super().__init__(application, **options)
        self._taker = taker
        self._listener = listener

    def _init_shared_socket(self) -> None:
        if self._listener is None:
            super()._init_shared_socket()  # type: ignore[no-untyped-call]
            return
        # granian closes the descriptor it is given.
        number = self._listener.detach()
        self._shd = _granian.SocketHolder(number, False, self.backlog)

    async def serve(self, spawn_target: Any = None) -> None:  # type: ignore[override]
        """Serve until `stop`."""
        if self._taker is None:
            await super().serve()
            return
        wrap: Any = AsyncWorker.wrap_target
        await super().serve(wrap(self._spawn_direct_worker))

    async def _spawn_direct_worker(
        self,
        worker_id: int,
        shutdown_event: Any,
        application: Any,
        sock: Any,
        loop: asyncio.AbstractEventLoop,
        *options: Any,
    ) -> None:
        # granian 2.8.7's `_spawn_rsgi_worker` but for the scheduler, which is not its users' to
        # choose.
        *threads, _task, http, http1, http2, websockets, files, _log, ssl, _scope = options
        ended = loop.create_future()
        shutdown_event.add_cb(lambda: loop.call_soon_threadsafe(ended.set_result, None))
        worker = _granian.RSGIWorker(
            worker_id,
            sock,
            None,
            *threads,
            http,
            http1,
            http2,
            websockets,
            files,
            *ssl,
            (None, None),
        )
        assert self._taker is not None
        self._taker.attach(loop)
        watched = _futures._future_watcher_wrapper(application.__rsgi__)
        worker.serve_async(_Scheduler(loop, watched, self._taker), loop, shutdown_event)
        await ended
