"""The engine's event log: numbers events and hands them to those who listen.

Source: the Automation API's readers in the `pulumi` package: a gRPC service, or a tailed file.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearsal.engine.errors import EngineError

Event = dict[str, Any]
Sink = Callable[[Event], None]
CLOSE_DEADLINE_SECONDS = 20.0


class EventStream:
    """Wraps each event in its envelope and passes it on, one at a time and in order."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks, self._lock, self._sequence = sinks, threading.Lock(), 0

    def emit(self, payload: Event) -> None:
        """Send one event, such as `{"summaryEvent": {…}}`."""
        with self._lock:
            event = {"sequence": self._sequence, "timestamp": int(time.time()), **payload}
            self._sequence += 1
            for sink in self._sinks:
                sink(event)


@contextmanager
def event_log(target: str | None) -> Iterator[list[Sink]]:
    """Open the log that `--event-log` names, `tcp://host:port` or a file, and give what writes it.

    Raises:
        EngineError: the listener went away or took too long.
    """
    if target is None:
        yield []
    elif target.startswith("tcp://"):
        with _service_log(target.removeprefix("tcp://")) as sink:
            yield [sink]
    else:
        with Path(target).open("a", encoding="utf-8") as stream:
            yield [lambda event: print(_text(event), file=stream, flush=True)]


@contextmanager
def _service_log(address: str) -> Iterator[Sink]:
    """Stream to a `pulumirpc.Events` service, which is how the Automation API listens."""
    import grpc
    from pulumi.runtime.proto import events_pb2, events_pb2_grpc

    texts: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def requests() -> Iterator[Any]:
        while (text := texts.get()) is not None:
            yield events_pb2.EventRequest(event=text)

    with grpc.insecure_channel(address) as channel:
        call = events_pb2_grpc.EventsStub(channel).StreamEvents.future(requests())
        try:
            yield lambda event: texts.put(_text(event))
        finally:
            texts.put(None)
            try:
                call.result(timeout=CLOSE_DEADLINE_SECONDS)
            except (grpc.RpcError, grpc.FutureTimeoutError) as err:
                raise EngineError(f"the event log's listener failed: {err}") from err


def _text(event: Event) -> str:
    return json.dumps(event, ensure_ascii=False)
