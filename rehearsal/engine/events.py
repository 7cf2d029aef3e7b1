"""The engine's event log: numbers events and hands them to those who listen.

Source: the Automation API's readers in the `pulumi` package: a gRPC service, or a tailed file.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
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


class FileLog:
    """Appends one JSON document per line to a file that a reader may follow."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("a", encoding="utf-8")

    def write(self, event: Event) -> None:
        """Append one event."""
        self._stream.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """End the log."""
        self._stream.close()


class GrpcLog:
    """Streams events to a `pulumirpc.Events` service, which is how the Automation API listens."""

    def __init__(self, address: str) -> None:
        import grpc
        from pulumi.runtime.proto import events_pb2, events_pb2_grpc

        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._error = grpc.RpcError
        self._channel = grpc.insecure_channel(address)

        def requests() -> Iterator[Any]:
            while (text := self._queue.get()) is not None:
                yield events_pb2.EventRequest(event=text)

        self._call = events_pb2_grpc.EventsStub(self._channel).StreamEvents.future(requests())

    def write(self, event: Event) -> None:
        """Queue one event."""
        self._queue.put(json.dumps(event, ensure_ascii=False))

    def close(self) -> None:
        """Send what is left and wait until it has arrived.

        Raises:
            EngineError: the listener went away or took too long.
        """
        self._queue.put(None)
        try:
            self._call.result(timeout=CLOSE_DEADLINE_SECONDS)
        except self._error as err:
            raise EngineError(f"the event log's listener failed: {err}") from err
        finally:
            self._channel.close()


def open_event_log(target: str) -> FileLog | GrpcLog:
    """Open the log that `--event-log` names: `tcp://host:port`, or a file."""
    remote = target.startswith("tcp://")
    return GrpcLog(target.removeprefix("tcp://")) if remote else FileLog(Path(target))
