"""Answers plain invocations where granian hands them over, without a round through asyncio.

granian reads requests in threads of its own and would pass each to the event loop, twice: once to
begin it, once when its body is there. Two switches between threads cost a third of a small answer.
What is plainly small is answered in granian's thread instead; everything else, and whatever would
take long, goes to the event loop as before. See ADR 0024.

Requests that can share one call of the model are gathered here, while others are known to be
arriving: their heads are read, their bodies are not yet here.

Everything here runs in granian's thread and must neither wait nor raise, but for what is handed to
`_on_loop` and what that calls.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter_ns
from typing import Any, NamedTuple, Protocol, runtime_checkable

from .bodies import BROKEN_OFF, too_slow, with_payload
from .errors import MalformedBodyError
from .predictor import Answer, Invocation, Predictor, Prepared
from .replies import ATTRIBUTES_HEADER, Call, Replies, is_request_id
from .rsgi import CLIENT_GONE, Exchange, Headers, Scope
from .settings import Settings

LARGEST_DIGITS = 5
"""Of a content-length: bodies below 100,000 bytes."""

LARGEST_BATCH = 64
"""Requests answered by one call of the model; each of them is small."""

ARRIVAL_NS = 1_000_000
"""A body that is here within this time of its head is worth another request's waiting for it."""

GATHERING_SECONDS = 0.002
"""How long a request waits at most, and twice that, for one that turns out not to be."""


@runtime_checkable
class DirectPredictor(Predictor, Protocol):
    """A model that can answer small invocations where they arrive."""

    def answer_plain(self, body: bytes, headers: Headers) -> tuple[bytes, int] | None:
        """Answer the commonest request there is; JSON and its number of rows, or None."""

    def answer_now(self, invocation: Invocation, *, is_alone: bool) -> Answer | Prepared | None:
        """Answer at once, or prepare for a batch, or give None where that would take long.

        Args:
            is_alone: no other invocation is in flight here
        """

    @property
    def batches(self) -> bool:
        """Whether one call of the model for several requests costs less than one for each."""

    def answer_together(self, prepared: Sequence[Prepared]) -> list[Answer | Exception]:
        """Answer what was prepared, each with its answer or its error."""


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
        # As `Call` does it, whose own call would cost as much again.
        self.started_ns = perf_counter_ns()
        self.path = path
        self.headers = headers
        self.exchange = exchange
        self.attributes = headers.get(ATTRIBUTES_HEADER)
        given = headers.get("x-request-id")
        self.request_id = (
            f"{prefix}-{number}" if given is None or not is_request_id(given) else given
        )
        self._arrived = arrived

    def __call__(self, future: Any) -> None:
        self._arrived(self, future)


class Gathered(NamedTuple):
    """A call that waits for its batch."""

    call: Arrival
    body: bytes
    prepared: Prepared


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
        self.arrival_ns = ARRIVAL_NS
        self._loop: asyncio.AbstractEventLoop | None = None
        # Calls whose body is not there yet, oldest first; who takes one out answers it.
        self._waiting: dict[Arrival, Any] = {}
        self._is_watched = False
        self._gathered: deque[Gathered] = deque()
        self._has_gathered = False
        self._is_gathering_watched = False
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
        if path == "/ping" and scope.method == "GET":
            self._here.answer_empty(self._here.begin(path, scope.headers, exchange))
            return True
        if path != "/invocations" or scope.method != "POST":
            return False
        headers = scope.headers
        declared = headers.get("content-length")
        if (
            declared is None
            or len(declared) > LARGEST_DIGITS
            or not declared.isdecimal()
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

    def _arrived(self, call: Arrival, future: Any) -> None:
        if self._waiting.pop(call, None) is None:
            return  # it took too long and was answered
        body = b""
        try:
            body = future.result()
            plain = self._predictor.answer_plain(body, call.headers)
            if plain is not None:
                self._here.answer_json(call, *plain)
                return
            self._answer_or_gather(call, body)
        except CLIENT_GONE:
            self._here.refuse(call, MalformedBodyError(BROKEN_OFF))
        except Exception as error:  # noqa: BLE001 - the edge: granian would lose it
            self._here.refuse(call, with_payload(error, body))
        if self._gathered:
            # Whatever became of this one, it may be the one the others waited for.
            if len(self._gathered) < LARGEST_BATCH and self._are_others_coming():
                self._await_others()
            else:
                self._answer_gathered(self._here)

    def _answer_or_gather(self, call: Arrival, body: bytes) -> None:
        is_alone = not (self._predictor.batches and (self._gathered or self._are_others_coming()))
        answer = self._predictor.answer_now(
            Invocation(body, call.headers, call.request_id), is_alone=is_alone
        )
        if answer is None:
            self._on_loop(self._finish, call, body)
        elif isinstance(answer, Answer):
            self._here.answer(call, answer)
        else:
            self._gathered.append(Gathered(call, body, answer))

    def _are_others_coming(self) -> bool:
        """Tell whether a body must be about to arrive; nobody waits for a client that is slow."""
        try:
            newest = next(reversed(self._waiting), None)
        except RuntimeError:
            return False  # the event loop has just taken out one that was too slow
        return newest is not None and perf_counter_ns() - newest.started_ns < self.arrival_ns

    def _await_others(self) -> None:
        """Have what is gathered answered soon, should the body that is awaited not come."""
        self._has_gathered = True
        if not self._is_gathering_watched:
            self._is_gathering_watched = True
            self._on_loop(self._watch_gathering)

    def _watch_gathering(self) -> None:
        # One timer for as long as there is something to gather: waking the loop is not cheap.
        if not self._has_gathered:
            self._is_gathering_watched = False
        if self._has_gathered or self._gathered:  # the latter: gathered this very moment
            self._has_gathered = False
            self._is_gathering_watched = True
            assert self._loop is not None
            self._loop.call_later(GATHERING_SECONDS, self._watch_gathering)
        self._answer_overdue()

    def _answer_overdue(self) -> None:
        """Answer what is gathered if the oldest of it has waited for a whole period."""
        try:
            oldest_ns = self._gathered[0].call.started_ns
        except IndexError:
            return
        if perf_counter_ns() - oldest_ns >= GATHERING_SECONDS * 1e9:
            self._answer_gathered(self._there)

    def _answer_gathered(self, replies: Replies) -> None:
        """Answer all that is gathered, in either thread; who takes one out answers it."""
        while self._gathered:
            batch = list(self._taken())
            replies.counters.ran_batch(len(batch))
            answers: Sequence[Answer | Exception]
            try:
                answers = self._predictor.answer_together([each.prepared for each in batch])
            except Exception as error:  # noqa: BLE001 - they are nobody else's to answer any more
                answers = [error] * len(batch)
            for each, answer in zip(batch, answers, strict=True):
                if isinstance(answer, Exception):
                    replies.refuse(each.call, with_payload(answer, each.body))
                else:
                    replies.answer(each.call, answer)

    def _taken(self) -> Iterator[Gathered]:
        for _ in range(LARGEST_BATCH):
            try:
                yield self._gathered.popleft()
            except IndexError:
                return

    def _on_loop(self, callback: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(callback, *arguments)

    def _finish(self, call: Arrival, body: bytes) -> None:
        assert self._loop is not None
        task = self._loop.create_task(self._answer(call, body))
        # The loop itself only holds tasks weakly.
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    def _watch(self) -> None:
        """Have the oldest body refused when its time is up; no timer runs while none is awaited."""
        self._is_watched = True
        self._on_loop(self._sweep)

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
