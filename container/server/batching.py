"""Micro-batching: one call of the model for all requests that already wait for one.

Nothing ever waits for company. The first request is predicted at once; those that come meanwhile
are predicted together afterwards. A batch that fails is predicted again request by request, so that
a bad one fails alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from .model import Inputs, Prediction, Runtime, rows_of


class Part(NamedTuple):
    """What one request adds to a batch; `rows` is how many."""

    inputs: Inputs
    rows: int


class Waiting(NamedTuple):
    """A request's part, and who waits for its prediction."""

    part: Part
    future: asyncio.Future[Prediction]


class Batcher:
    """Predicts for requests on one event loop, several at a time where several wait.

    Args:
        runtime: the model
        inline_rows: a batch of more rows is predicted in a thread, so that the loop goes on
        max_rows: most rows of a batch; a request of more is predicted alone
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        inline_rows: int,
        max_rows: int,
    ) -> None:
        self._runtime = runtime
        self._inline_rows = inline_rows
        self._max_rows = max_rows
        self.observe: Callable[[int], None] | None = None
        """Is told of each call of the model, and how many requests it was made for."""
        self._waiting: deque[Waiting] = deque()
        self._is_running = False
        # One thread: the work is one core's, only the event loop is to be kept free.
        self._executor = ThreadPoolExecutor(max_workers=1)

    async def predict(self, inputs: Inputs, rows: int) -> Prediction:
        """Predict some rows.

        Raises:
            PredictionError: the model failed on them
        """
        loop = asyncio.get_running_loop()
        waiting = Waiting(Part(inputs, rows), loop.create_future())
        self._waiting.append(waiting)
        if not self._is_running:
            self._is_running = True
            # What is ready by now is run before, and joins the batch.
            loop.call_soon(self._run, loop)
        return await waiting.future

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        batch = next_batch(self._waiting, self._max_rows)
        parts = [waiting.part for waiting in batch]
        if self.observe is not None:
            self.observe(len(batch))
        if sum(part.rows for part in parts) <= self._inline_rows:
            self._give(loop, batch, predict_together(self._runtime, parts))
            return
        run = loop.run_in_executor(self._executor, predict_together, self._runtime, parts)
        run.add_done_callback(lambda done: self._give(loop, batch, done.result()))

    def _give(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: Sequence[Waiting],
        results: Sequence[Prediction | Exception],
    ) -> None:
        for waiting, result in zip(batch, results, strict=True):
            if waiting.future.done():
                continue  # its request was given up meanwhile
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)
        self._is_running = bool(self._waiting)
        if self._waiting:
            loop.call_soon(self._run, loop)


def next_batch(waiting: deque[Waiting], max_rows: int) -> list[Waiting]:
    """Take the oldest requests that fit one batch; always at least one."""
    batch = [waiting.popleft()]
    rows = batch[0].part.rows
    while waiting and rows + waiting[0].part.rows <= max_rows:
        batch.append(waiting.popleft())
        rows += batch[-1].part.rows
    return batch


def predict_together(runtime: Runtime, parts: Sequence[Part]) -> list[Prediction | Exception]:
    """Predict a batch by one call; where that cannot be, or fails, each request by its own."""
    if len(parts) > 1 and len({kinds_of(part.inputs) for part in parts}) == 1:
        try:
            # Joined in here: whatever fails, a batch that raises would leave all of it unanswered.
            joined = {
                name: np.concatenate([part.inputs[name] for part in parts])
                for name in parts[0].inputs
            }
            return list(cut(runtime.predict(joined), [part.rows for part in parts]))
        except Exception:  # noqa: BLE001 - told to the one whose rows it is, below
            pass
    return [_predicted(runtime, part.inputs) for part in parts]


def kinds_of(inputs: Inputs) -> tuple[Any, ...]:
    """Tell which inputs can be joined: those whose columns have the same types."""
    return tuple((name, array.dtype) for name, array in inputs.items())


def _predicted(runtime: Runtime, inputs: Inputs) -> Prediction | Exception:
    try:
        return runtime.predict(inputs)
    except Exception as error:  # noqa: BLE001 - handed to the request, which raises it
        return error


def cut(prediction: Prediction, rows: Sequence[int]) -> Iterator[Prediction]:
    """Cut a prediction for several requests into theirs."""
    start = 0
    for count in rows:
        yield rows_of(prediction, start, start + count)
        start += count
