"""Answers plain invocations where granian hands them over, without a round through asyncio.

granian reads requests in threads of its own and would pass each to the event loop, twice: once to
begin it, once when its body is there. Two switches between threads cost a third of a small answer.
What is plainly small is answered in granian's thread instead; everything else, and whatever would
take long, goes to the event loop as before. See ADR 0024.

Everything here but `_sweep` and `_finish` runs in granian's thread and must neither wait nor raise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Protocol, runtime_checkable

from .bodies import BROKEN_OFF, too_slow
from .errors import MalformedBodyError, ServerError
from .logs import payload_digest
from .predictor import Answer, Invocation, Predictor
from .replies import Call, Replies
from .rsgi import CLIENT_GONE, Exchange, Headers, Scope
from .settings import Settings

LARGEST_DIGITS = 5
"""Of a content-length: bodies below 100,000 bytes."""


@runtime_checkable
class DirectPredictor(Predictor, Protocol):
    """A model that can answer small invocations where they arrive."""

    def answer_now(self, invocation: Invocation, *, is_alone: bool) -> Answer | None:
        """Answer at once, or give None where that would take long or waste a batch.

        Args:
            is_alone: no other invocation is in flight here
        """


class Arrival(Call):
    """A call whose body is on its way; called when it is there."""

    __slots__ = ("_arrived",)

    def __init__(
        self,
        path: str,
        headers: Headers,
        exchange: Exchange,
        prefix: str,
        number: int,
        arrived: Callable[[Arrival, Any], None],
    ) -> None:
        super().__init__(path, headers, exchange, prefix, number)
        self._arrived = arrived

    def __call__(self, future: Any) -> None:
        self._arrived(self, future)


class DirectLoop(asyncio.SelectorEventLoop):
    """An event loop that lets granian call an `Arrival` where it is, and queues all else."""

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """Queue a callback, or call an arrival: granian does this in its own thread."""
        if type(callback) is Arrival:
            return callback(*args)
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """Queue a callback from any thread, or call an arrival in this one."""
        if type(callback) is Arrival:
            return callback(*args)
        return super().call_soon_threadsafe(callback, *args, context=context)


class Direct:
    """Takes requests in granian's thread.

    Args:
        predictor: the model in service
        settings: limits
        here: replies of granian's thread
        there: replies of the event loop's
        answer: how a call is answered on the event loop, its body at hand
    """

    def __init__(
        self,
        predictor: DirectPredictor,
        settings: Settings,
        *,
        here: Replies,
        there: Replies,
        answer: Callable[[Call, bytes], Any],
    ) -> None:
        self._predictor = predictor
        self._settings = settings
        self._here = here
        self._there = there
        self._answer = answer
        self._limit = settings.max_body_bytes
        self._timeout_ns = settings.body_timeout_seconds * 1_000_000_000
        self._loop: asyncio.AbstractEventLoop | None = None
        # Calls whose body is not there yet, oldest first; who takes one out answers it.
        self._waiting: dict[Arrival, Any] = {}
        self._is_watched = False
        self._finishing: set[asyncio.Task[None]] = set()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that answers what is not answered here."""
        self._loop = loop

    def take(self, scope: Scope, exchange: Exchange) -> bool:
        """Take a request, or leave it to the event loop.

        Returns:
            whether it was taken; then it will be answered
        """
        path = scope.path
        if path == "/invocations":
            if scope.method != "POST":
                return False
            headers = scope.headers
            declared = headers.get("content-length")
            if (
                declared is None
                or len(declared) > LARGEST_DIGITS
                or int(declared) > self._limit
                or headers.get("transfer-encoding") is not None
            ):
                return False
            here = self._here
            number = next(here.invocations)
            here.counters.began(number)
            call = Arrival(path, headers, exchange, here.prefix, number, self._arrived)
            future: Any = exchange()
            self._waiting[call] = future
            future.add_done_callback(call)
            if not self._is_watched:
                self._watch()
            return True
        if path == "/ping" and scope.method == "GET":
            self._here.answer_empty(self._here.begin(path, scope.headers, exchange))
            return True
        return False

    def _arrived(self, call: Arrival, future: Any) -> None:
        waiting = self._waiting
        if waiting.pop(call, None) is None:
            return  # it took too long and was answered
        body = b""
        try:
            body = future.result()
            answer = self._predictor.answer_now(
                Invocation(body, call.headers, call.request_id),
                is_alone=not waiting and not self._finishing,
            )
            if answer is not None:
                self._here.answer(call, answer)
            else:
                assert self._loop is not None
                self._loop.call_soon_threadsafe(self._finish, call, body)
        except CLIENT_GONE:
            self._here.refuse(call, MalformedBodyError(BROKEN_OFF))
        except Exception as error:  # noqa: BLE001 - the edge: granian would lose it
            self._here.refuse(call, with_payload(error, body))

    def _finish(self, call: Arrival, body: bytes) -> None:
        assert self._loop is not None
        task = self._loop.create_task(self._answer(call, body))
        # The loop itself only holds tasks weakly.
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    def _watch(self) -> None:
        """Have the oldest body refused when its time is up; no timer runs while none is awaited."""
        self._is_watched = True
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._sweep)

    def _sweep(self) -> None:
        self._is_watched = False
        now_ns = perf_counter_ns()
        oldest_ns = now_ns
        # list() is one step under the interpreter's lock, though the other thread writes.
        for call, future in list(self._waiting.items()):
            if now_ns - call.started_ns < self._timeout_ns:
                oldest_ns = call.started_ns
                break
            if self._waiting.pop(call, None) is not None:
                self._there.refuse(call, too_slow(self._settings))
                future.cancel()
        else:
            if not self._waiting:
                return
        self._is_watched = True
        delay_seconds = (oldest_ns + self._timeout_ns - now_ns) / 1e9
        assert self._loop is not None
        self._loop.call_later(delay_seconds, self._sweep)


def with_payload(error: Exception, body: bytes) -> Exception:
    """Note on an error of ours which body it was raised on."""
    if isinstance(error, ServerError):
        error.payload = f"{len(body)} bytes, sha256 {payload_digest(body)}"
    return error
