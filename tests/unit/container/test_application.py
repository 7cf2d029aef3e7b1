"""Routes, statuses and limits of the application, without a socket."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.application import Application
from server.errors import ArtifactError, MalformedBodyError, PredictionError, ServerError
from server.model import Inputs, Prediction
from server.predictor import ModelPredictor, load_predictor
from server.rsgi import CLIENT_GONE
from server.settings import Settings
from server.statuses import status_of
from tests.support.onnx_models import an_iris_classifier
from tests.support.predictors import over
from tests.support.rsgi import RecordingExchange, RequestHeaders, RequestScope

GOOD_BODY = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelPredictor:
    directory = an_iris_classifier(tmp_path_factory.mktemp("iris")).directory
    return load_predictor(directory, Settings())


class BrokenRuntime:
    """A runtime that raises something nobody foresaw."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def predict(self, inputs: Inputs) -> Prediction:
        raise self._failure


class ExactRuntime:
    """A runtime with a probability that no short float64 stands for."""

    def predict(self, inputs: Inputs) -> Prediction:
        return Prediction(
            labels=[0],
            class_indexes=[0],
            probabilities=np.array([[0.96, 0.04, 0.0]], np.float32),
        )


def answered(
    application: Application,
    body: bytes = GOOD_BODY,
    *,
    exchange: RecordingExchange | None = None,
    method: str = "POST",
    path: str = "/invocations",
    **headers: str,
) -> RecordingExchange:
    """Send one request and give back its recorded answer."""
    given_exchange = RecordingExchange([body]) if exchange is None else exchange
    named = {"content-length": str(len(body))} if exchange is None else {}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    scope = RequestScope(method=method, path=path, headers=RequestHeaders(named))
    asyncio.run(application.__rsgi__(scope, given_exchange))
    return given_exchange


def test_ping_is_an_empty_200_with_a_model(model: ModelPredictor) -> None:
    answer = answered(Application(Settings(), model), method="GET", path="/ping")

    assert (answer.status, answer.body) == (200, b"")


def test_without_a_model_ping_and_invocations_are_503_and_say_why() -> None:
    application = Application(Settings(), None, ArtifactError("golden row 3 differs"))

    ping = answered(application, method="GET", path="/ping")
    invocation = answered(application)

    for answer in (ping, invocation):
        assert answer.status == 503
        assert answer.document["error"]["code"] == "model_unavailable"
        assert "golden row 3 differs" in answer.document["error"]["message"]


def test_a_request_id_is_kept_or_made(model: ModelPredictor) -> None:
    application = Application(Settings(), model)

    kept = answered(application, b"", x_request_id="abc-1")
    made = [answered(application, b"", x_request_id=given) for given in ("", "a\x00", "x" * 129)]

    assert kept.headers["x-request-id"] == "abc-1"
    assert kept.document["error"]["request_id"] == "abc-1"
    assert len({answer.headers["x-request-id"] for answer in made}) == 3
    assert all(len(answer.headers["x-request-id"]) < 40 for answer in made)


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        (
            "GET",
            "/",
            404,
            "there is no '/'; the paths are /ping, /invocations, /execution-parameters, /metrics",
        ),
        ("GET", "/invocations", 405, "/invocations takes POST, not 'GET'"),
        ("POST", "/ping", 405, "/ping takes GET, not 'POST'"),
    ],
)
def test_other_routes_are_refused_with_those_there_are(
    model: ModelPredictor, method: str, path: str, status: int, message: str
) -> None:
    answer = answered(Application(Settings(), model), method=method, path=path)

    assert (answer.status, answer.document["error"]["message"]) == (status, message)
    assert answer.headers.get("allow") == (message.split()[2][:-1] if status == 405 else None)


def test_a_declared_length_above_the_limit_is_refused_without_keeping_the_body(
    model: ModelPredictor,
) -> None:
    exchange = RecordingExchange([b"x" * 600] * 3)

    answered(
        Application(Settings(max_body_bytes=1024), model), exchange=exchange, content_length="1800"
    )

    assert exchange.status == 413
    assert exchange.document["error"]["message"] == (
        "the body is above 1024 bytes; split the rows over several requests"
    )
    assert exchange.chunks_read == 3


def test_an_endless_body_is_not_read_to_its_end(model: ModelPredictor) -> None:
    exchange = RecordingExchange([b"x" * 1024] * 1000)

    answered(Application(Settings(max_body_bytes=1024), model), exchange=exchange)

    assert (exchange.status, exchange.chunks_read) == (413, 5)


def test_a_chunked_body_within_the_limit_is_answered(model: ModelPredictor) -> None:
    exchange = RecordingExchange([GOOD_BODY[:10], GOOD_BODY[10:]])

    answered(Application(Settings(), model), exchange=exchange)

    assert exchange.status == 200


def test_a_length_given_beside_chunks_is_not_trusted(model: ModelPredictor) -> None:
    exchange = RecordingExchange([b"x" * 1024] * 1000)

    answered(
        Application(Settings(max_body_bytes=1024), model),
        exchange=exchange,
        content_length="5",
        transfer_encoding="chunked",
    )

    assert (exchange.status, exchange.chunks_read) == (413, 5)


def test_a_body_that_does_not_come_is_a_408(model: ModelPredictor) -> None:
    class SilentExchange(RecordingExchange):
        def __call__(self) -> Awaitable[bytes]:  # type: ignore[override]
            return asyncio.Event().wait()  # type: ignore[return-value]

    exchange = SilentExchange()

    answered(
        Application(Settings(body_timeout_seconds=0), model), exchange=exchange, content_length="9"
    )

    assert exchange.status == 408
    assert "was not complete after 0 s" in exchange.document["error"]["message"]


def test_a_client_that_leaves_within_its_body_is_to_blame(model: ModelPredictor) -> None:
    exchange = RecordingExchange(failure=CLIENT_GONE[0]())

    answered(Application(Settings(), model), exchange=exchange, content_length="9")

    assert exchange.status == 400
    assert exchange.document["error"]["message"].startswith("the body broke off before its end")


def test_a_model_failure_is_a_500_that_keeps_the_cause_to_the_log(
    model: ModelPredictor, caplog: pytest.LogCaptureFixture
) -> None:
    application = Application(
        Settings(), over(model, BrokenRuntime(PredictionError("node 7 exploded")))
    )

    with caplog.at_level(logging.ERROR, "greenlight.server"):
        answer = answered(application)

    assert (answer.status, answer.document["error"]["code"]) == (500, "model_failure")
    assert b"node 7" not in answer.body
    fields = caplog.records[0].__dict__["fields"]
    assert fields["cause"] == "node 7 exploded"
    assert fields["request_id"] == answer.document["error"]["request_id"]
    assert fields["payload"].startswith("37 bytes, sha256 ")


def test_an_unforeseen_failure_is_a_500_without_a_traceback(model: ModelPredictor) -> None:
    application = Application(Settings(), over(model, BrokenRuntime(ZeroDivisionError("secret"))))

    answer = answered(application)

    assert (answer.status, answer.document["error"]["code"]) == (500, "internal_error")
    assert b"secret" not in answer.body


def test_every_error_has_the_nearest_status_of_its_ancestry() -> None:
    assert status_of(MalformedBodyError) == 400
    assert status_of(PredictionError) == 500
    assert status_of(ServerError) == 500


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=60),
        st.builds(
            lambda rows: json.dumps({"instances": rows}).encode(),
            st.lists(
                st.lists(st.one_of(st.floats(), st.integers(), st.none()), max_size=5), max_size=4
            ),
        ),
    ),
    content_type=st.sampled_from(["application/json", "text/csv", "text/plain", ";;", ","]),
    accept=st.sampled_from(["*/*", "text/csv", "application/json", "a/b;q", ";q=1", ",,"]),
)
def test_no_request_is_ever_a_500(
    model: ModelPredictor, body: bytes, content_type: str, accept: str
) -> None:
    answer = answered(
        Application(Settings(), model), body, content_type=content_type, accept=accept
    )

    assert answer.status in (200, 400, 406, 415)
    if answer.status != 200:
        assert set(answer.document["error"]) >= {"code", "message", "request_id"}


def test_a_float32_answer_is_written_in_its_shortest_form(model: ModelPredictor) -> None:
    answer = answered(Application(Settings(), over(model, ExactRuntime())))

    assert b'"confidence":0.96,' in answer.body
