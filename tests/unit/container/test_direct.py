"""Answering in granian's thread: what is taken, what waits for whom, and what goes to the loop."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from server.application import Application
from server.direct import DirectLoop, DirectPredictor
from server.errors import PredictionError
from server.metrics import Metrics
from server.model import Inputs, Prediction
from server.predictor import Answer, Invocation, ModelPredictor, Prepared, load_predictor
from server.rsgi import CLIENT_GONE, Headers
from server.settings import RuntimeChoice, Settings
from server.statuses import codes
from tests.support.onnx_models import an_iris_classifier
from tests.support.predictors import over
from tests.support.rsgi import RecordingExchange, RequestHeaders, RequestScope

LONG_NS = 60 * 10**9
BODY = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'


class CountingRuntime:
    """Answers class 0, fails on rows that begin with 13, and keeps how many rows it was given."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def predict(self, inputs: Inputs) -> Prediction:
        [matrix] = inputs.values()
        self.calls.append(len(matrix))
        if 13 in matrix[:, 0]:
            raise PredictionError("thirteen")
        return Prediction(
            labels=[0] * len(matrix),
            class_indexes=[0] * len(matrix),
            probabilities=np.array([[1, 0, 0]] * len(matrix), np.float32),
        )


class LateExchange(RecordingExchange):
    """A request whose body arrives when the test says so, as granian would tell of it."""

    def __init__(self, body: bytes = BODY) -> None:
        super().__init__()
        self._late_body = body
        self._callback: Callable[[Any], object] | None = None
        self._late_failure: Exception | None = None
        self.is_cancelled = False
        self.answered = asyncio.Event()

    def __call__(self) -> Any:
        return self

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        self._callback = callback

    def result(self) -> bytes:
        if self._late_failure is not None:
            raise self._late_failure
        return self._late_body

    def cancel(self) -> bool:
        self.is_cancelled = True
        return True

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        super().response_bytes(status, headers, body)
        self.answered.set()

    def arrive(self, failure: Exception | None = None) -> None:
        assert self._callback is not None
        self._late_failure = failure
        self._callback(self)


class Failing:
    """Prepares every invocation for a batch, and fails on any."""

    batches = True

    async def answer(self, invocation: Invocation) -> Answer:
        raise AssertionError("nothing of this is for the loop")

    def answer_plain(self, body: bytes, headers: Headers) -> None:
        return None

    def answer_now(self, invocation: Invocation, *, is_alone: bool) -> Prepared:
        return Prepared("application/json", None)  # type: ignore[arg-type]

    def answer_together(self, prepared: Sequence[Prepared]) -> list[Answer | Exception]:
        raise MemoryError


class Served:
    """An application on a loop, offered requests as granian's thread would offer them.

    Args:
        arrival_ns: instead of its own; tests that wait for others wait long, on a slow machine
    """

    def __init__(
        self, predictor: DirectPredictor, settings: Settings, *, arrival_ns: int | None = None
    ) -> None:
        self.metrics = Metrics(codes(), workers=1)
        self.application = Application(settings, predictor, metrics=self.metrics)
        assert self.application.direct is not None
        self._direct = self.application.direct
        self._direct.attach(asyncio.get_running_loop())
        if arrival_ns is not None:
            self._direct.arrival_ns = arrival_ns

    def offer(self, body: bytes = BODY, **changes: Any) -> LateExchange:
        """Offer an invocation that must be taken."""
        exchange = LateExchange(body)
        assert self.takes(exchange, body, **changes)
        return exchange

    def takes(
        self,
        exchange: RecordingExchange,
        body: bytes = BODY,
        *,
        method: str = "POST",
        path: str = "/invocations",
        **headers: str,
    ) -> bool:
        named = {"content-length": str(len(body)), "content-type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        scope = RequestScope(method=method, path=path, headers=RequestHeaders(named))
        return self._direct.take(scope, exchange)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelPredictor:
    directory = an_iris_classifier(tmp_path_factory.mktemp("iris"), trees=2).directory
    return load_predictor(directory, Settings(runtime=RuntimeChoice.ONNX))


@pytest.fixture
def runtime() -> CountingRuntime:
    return CountingRuntime()


def on_a_loop(test: Callable[[], Any]) -> Any:
    with asyncio.Runner(loop_factory=DirectLoop) as runner:
        return runner.run(test())


async def until_answered(*exchanges: LateExchange) -> None:
    async with asyncio.timeout(5):
        for exchange in exchanges:
            await exchange.answered.wait()


def test_a_body_that_is_there_is_answered_without_the_loop(
    model: ModelPredictor, runtime: CountingRuntime
) -> None:
    async def answered() -> LateExchange:
        served = Served(over(model, runtime), Settings())
        exchange = served.offer()
        exchange.arrive()
        return exchange  # nothing was awaited

    exchange = on_a_loop(answered)

    assert exchange.status == 200
    assert exchange.document["predictions"][0]["predicted_class"] == "setosa"
    assert exchange.headers["x-request-id"].endswith("-1")


def test_requests_that_arrive_together_are_one_call_of_the_model(
    model: ModelPredictor, runtime: CountingRuntime
) -> None:
    async def answered() -> tuple[list[LateExchange], Metrics]:
        served = Served(over(model, runtime), Settings(), arrival_ns=LONG_NS)
        exchanges = [served.offer() for _ in range(3)]
        for exchange in exchanges:
            exchange.arrive()
        return exchanges, served.metrics

    exchanges, metrics = on_a_loop(answered)

    assert [exchange.status for exchange in exchanges] == [200, 200, 200]
    assert runtime.calls == [3]
    assert metrics.totals().batched_requests == 3


def test_a_bad_request_of_a_batch_fails_alone(
    model: ModelPredictor, runtime: CountingRuntime
) -> None:
    async def answered() -> list[LateExchange]:
        served = Served(over(model, runtime), Settings(), arrival_ns=LONG_NS)
        bodies = [BODY, b'{"instances": [[13, 1, 1, 1]]}', b'{"instances": [["x"]]}', BODY]
        exchanges = [served.offer(body) for body in bodies]
        for exchange in exchanges:
            exchange.arrive()
        return exchanges

    exchanges = on_a_loop(answered)

    assert [exchange.status for exchange in exchanges] == [200, 500, 400, 200]
    assert exchanges[1].document["error"]["code"] == "model_failure"
    assert runtime.calls == [3, 1, 1, 1]


def test_everybody_of_a_batch_hears_of_it_when_the_server_fails() -> None:
    async def answered() -> list[LateExchange]:
        served = Served(Failing(), Settings(), arrival_ns=LONG_NS)
        exchanges = [served.offer() for _ in range(2)]
        for exchange in exchanges:
            exchange.arrive()
        return exchanges

    exchanges = on_a_loop(answered)

    assert [exchange.status for exchange in exchanges] == [500, 500]


@pytest.mark.parametrize("last", [b"{", b'{"instances": [[1, 2, 3, 4]], "explain": true}'])
def test_those_who_waited_for_a_request_that_joins_no_batch_are_answered_with_it(
    model: ModelPredictor, runtime: CountingRuntime, last: bytes
) -> None:
    async def answered() -> list[int | None]:
        served = Served(over(model, runtime), Settings(), arrival_ns=LONG_NS)
        exchanges = [served.offer(body) for body in (BODY, BODY, last)]
        for exchange in exchanges:
            exchange.arrive()
        at_once = [exchange.status for exchange in exchanges[:2]]
        await until_answered(*exchanges)
        return at_once

    assert on_a_loop(answered) == [200, 200]


def test_nobody_waits_for_a_body_that_does_not_come(
    model: ModelPredictor, runtime: CountingRuntime
) -> None:
    async def answered() -> LateExchange:
        served = Served(over(model, runtime), Settings(), arrival_ns=LONG_NS)
        exchange = served.offer()
        served.offer()  # its body stays away
        exchange.arrive()
        await until_answered(exchange)
        return exchange

    assert on_a_loop(answered).status == 200


def test_a_body_that_takes_too_long_is_a_408_and_may_come_later_in_vain(
    model: ModelPredictor, runtime: CountingRuntime
) -> None:
    async def answered() -> LateExchange:
        served = Served(over(model, runtime), Settings(body_timeout_seconds=0))
        exchange = served.offer()
        await until_answered(exchange)
        exchange.arrive()
        return exchange

    exchange = on_a_loop(answered)

    assert exchange.status == 408
    assert "was not complete after 0 s" in exchange.document["error"]["message"]
    assert exchange.is_cancelled
    assert runtime.calls == []


def test_a_client_that_leaves_within_its_body_is_to_blame(
    model: ModelPredictor, runtime: CountingRuntime
) -> None:
    async def answered() -> LateExchange:
        exchange = Served(over(model, runtime), Settings()).offer()
        exchange.arrive(CLIENT_GONE[0]())
        return exchange

    exchange = on_a_loop(answered)

    assert (exchange.status, exchange.document["error"]["code"]) == (400, "malformed_body")


def test_many_rows_and_explanations_go_to_the_loop(
    model: ModelPredictor, runtime: CountingRuntime
) -> None:
    rows = [[5.1, 3.5, 1.4, 0.2]] * 3

    async def answered() -> list[LateExchange]:
        served = Served(over(model, runtime), Settings())
        exchanges = [
            served.offer(json.dumps({"instances": rows * 200}).encode()),
            served.offer(x_greenlight_explain="true"),
            served.offer(x_greenlight_explain="perhaps"),
        ]
        for exchange in exchanges:
            exchange.arrive()
        at_once = [exchange.status for exchange in exchanges]
        await until_answered(*exchanges)
        assert at_once == [None, None, None]
        return exchanges

    many, explained, perhaps = on_a_loop(answered)

    assert (many.status, len(many.document["predictions"])) == (200, 600)
    assert (explained.status, explained.document["error"]["code"]) == (400, "not_explainable")
    assert perhaps.document["error"]["message"] == (
        "x-greenlight-explain is 'perhaps'; it must be true or false"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "GET"},
        {"path": "/metrics", "method": "GET"},
        {"path": "/ping", "method": "POST"},
        {"content_length": "100000"},
        {"transfer_encoding": "chunked"},
        {"path": "/"},
    ],
    ids=lambda changes: " ".join(changes.values()),
)
def test_what_is_not_plainly_a_small_invocation_is_left_to_the_loop(
    model: ModelPredictor, changes: Any
) -> None:
    async def taken() -> bool:
        return Served(model, Settings()).takes(LateExchange(), **changes)

    assert not on_a_loop(taken)


def test_a_body_beyond_the_limit_is_left_to_the_loop(model: ModelPredictor) -> None:
    async def taken() -> bool:
        served = Served(model, Settings(max_body_bytes=1024))
        return served.takes(LateExchange(), content_length="1025")

    assert not on_a_loop(taken)


def test_a_ping_is_answered_at_once_however_busy_the_loop_is(model: ModelPredictor) -> None:
    exchange = RecordingExchange()

    async def taken() -> bool:
        return Served(model, Settings()).takes(exchange, method="GET", path="/ping")

    assert on_a_loop(taken)
    assert (exchange.status, exchange.body) == (200, b"")


def test_every_request_is_counted_whichever_thread_answers_it(
    model: ModelPredictor, runtime: CountingRuntime
) -> None:
    async def counted() -> Metrics:
        served = Served(over(model, runtime), Settings(inline_rows=1))
        for body in (BODY, b'{"instances": [[1, 2, 3, 4], [1, 2, 3, 4]]}', b"{"):
            exchange = served.offer(body)
            exchange.arrive()
            await until_answered(exchange)
        return served.metrics

    totals = on_a_loop(counted).totals()

    ends = {
        (outcome.status, outcome.code): sum(buckets)
        for outcome, buckets in totals.latencies.items()
        if sum(buckets)
    }
    assert ends == {(200, "ok"): 2, (400, "malformed_body"): 1}
    assert (totals.rows, totals.in_flight) == (3, 0)


def test_an_application_without_a_model_takes_nothing() -> None:
    metrics = Metrics(codes(), workers=1)

    assert Application(Settings(), None, metrics=metrics).direct is None
    assert metrics.pids() == [os.getpid()]
