"""One call of the model for all that wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from server.batching import Batcher, Part, Waiting, cut, next_batch, predict_together
from server.errors import PredictionError
from server.model import Inputs, Prediction


class Doubler:
    """Predicts twice the first feature; fails on rows with a 13; remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[float]] = []

    def predict(self, inputs: Inputs) -> Prediction:
        column = inputs["X"][:, 0].tolist()
        self.calls.append(column)
        if 13 in column:
            raise PredictionError("thirteen")
        return Prediction(labels=[2 * v for v in column], class_indexes=[], probabilities=None)


def rows(*values: float) -> Inputs:
    return {"X": np.array([[value] for value in values], np.float32)}


def batcher(runtime: Doubler, *, inline_rows: int = 100, max_rows: int = 100) -> Batcher:
    return Batcher(runtime, inline_rows=inline_rows, max_rows=max_rows)


async def predicted(batching: Batcher, *requests: Sequence[float]) -> list[Any]:
    """Predict requests at the same time and give their labels, or what they raised."""
    results = await asyncio.gather(
        *(batching.predict(rows(*values), len(values)) for values in requests),
        return_exceptions=True,
    )
    return [result.labels if isinstance(result, Prediction) else result for result in results]


@pytest.mark.parametrize("inline_rows", [0, 100])
def test_requests_that_wait_together_are_one_call(inline_rows: int) -> None:
    runtime = Doubler()

    answers = asyncio.run(predicted(batcher(runtime, inline_rows=inline_rows), [1], [2, 3], [4]))

    assert answers == [[2], [4, 6], [8]]
    assert runtime.calls == [[1, 2, 3, 4]]


def test_a_single_request_is_predicted_alone() -> None:
    runtime = Doubler()

    answers = asyncio.run(predicted(batcher(runtime), [5]))

    assert (answers, runtime.calls) == ([[10]], [[5]])


@pytest.mark.parametrize("inline_rows", [0, 100])
def test_a_bad_request_fails_alone(inline_rows: int) -> None:
    runtime = Doubler()

    answers = asyncio.run(predicted(batcher(runtime, inline_rows=inline_rows), [1], [13], [2]))

    assert (answers[0], answers[2]) == ([2], [4])
    assert isinstance(answers[1], PredictionError)
    assert runtime.calls == [[1, 13, 2], [1], [13], [2]]


def test_a_model_that_answers_too_little_for_a_batch_is_asked_for_each() -> None:
    class Forgetful(Doubler):
        def predict(self, inputs: Inputs) -> Prediction:
            if len(inputs["X"]) > 1:
                raise IndexError("lost count")
            return super().predict(inputs)

    assert asyncio.run(predicted(batcher(Forgetful()), [1], [2])) == [[2], [4]]


def test_requests_that_cannot_be_joined_are_each_answered() -> None:
    wide = {"X": np.array([[5, 6]], np.float32)}

    results = predict_together(Doubler(), [Part(rows(1), 1), Part(wide, 1)])

    assert [result.labels for result in results if isinstance(result, Prediction)] == [[2], [10]]


def test_a_batch_has_no_more_rows_than_allowed() -> None:
    runtime = Doubler()

    answers = asyncio.run(predicted(batcher(runtime, max_rows=3), [1, 2], [3], [4], [5, 6, 7, 8]))

    assert answers == [[2, 4], [6], [8], [10, 12, 14, 16]]
    assert runtime.calls == [[1, 2, 3], [4], [5, 6, 7, 8]]


def test_a_request_given_up_harms_nobody_of_its_batch() -> None:
    async def two_of_three(batching: Batcher) -> list[Any]:
        tasks = [asyncio.create_task(batching.predict(rows(v), 1)) for v in (1, 2, 3)]
        await asyncio.sleep(0)  # all have joined
        tasks[1].cancel()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    first, given_up, last = asyncio.run(two_of_three(batcher(Doubler())))

    assert (first.labels, last.labels) == ([2], [6])
    assert isinstance(given_up, asyncio.CancelledError)


def test_each_call_is_told_with_its_number_of_requests() -> None:
    batching = batcher(Doubler())
    seen: list[int] = []
    batching.observe = seen.append

    asyncio.run(predicted(batching, [1], [2]))

    assert seen == [2]


def test_columns_of_different_types_are_not_joined() -> None:
    runtime = Doubler()
    other = {"X": np.array([[4.0]], np.float64)}

    results = predict_together(runtime, [Part(rows(1), 1), Part(other, 1)])

    assert [result.labels for result in results if isinstance(result, Prediction)] == [[2], [8]]
    assert runtime.calls == [[1], [4]]


def test_the_oldest_goes_first_even_if_it_is_too_large() -> None:
    async def taken() -> tuple[list[int], int]:
        future = asyncio.get_running_loop().create_future
        waiting = deque(Waiting(Part(rows(count), count), future()) for count in (9, 1))
        return [each.part.rows for each in next_batch(waiting, 3)], len(waiting)

    assert asyncio.run(taken()) == ([9], 1)


def test_a_prediction_of_several_outputs_is_cut_by_rows() -> None:
    whole = Prediction(
        labels=[[0, 1], [1, 1], [0, 0]],
        class_indexes=[0, 1, 2],
        probabilities=(np.arange(6).reshape(3, 2), np.arange(9).reshape(3, 3)),  # type: ignore[arg-type]
    )

    first, second = cut(whole, [1, 2])

    assert first.labels == [[0, 1]]
    assert second.class_indexes == [1, 2]
    assert [part.tolist() for part in second.probabilities or ()] == [
        [[2, 3], [4, 5]],
        [[3, 4, 5], [6, 7, 8]],
    ]
