"""Headers, ids and counters of answers and refusals."""

from __future__ import annotations

import logging
import os

import pytest

from server.errors import MalformedBodyError, ServerError
from server.metrics import Metrics, Outcome, Totals
from server.predictor import Answer
from server.replies import Replies, is_request_id
from server.statuses import codes
from tests.support.rsgi import RecordingExchange, RequestHeaders

ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
ANSWER = Answer("application/json", b"{}", (), 3)


class UnheardOfError(ServerError):
    """An error of a module that was imported after the counters were made."""

    code = "unheard_of"


def answered(
    answer: Answer | Exception, *, path: str = "/invocations", **headers: str
) -> tuple[RecordingExchange, Totals]:
    metrics = Metrics([each for each in codes() if each[1] != "unheard_of"], workers=1)
    replies = Replies(metrics.counters(0, 0, pid=os.getpid()))
    exchange = RecordingExchange()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    call = replies.begin(path, RequestHeaders(named), exchange)
    if isinstance(answer, Exception):
        replies.refuse(call, answer)
    else:
        replies.answer(call, answer)
    return exchange, metrics.totals()


@pytest.mark.parametrize("answer", [ANSWER, MalformedBodyError("no")])
def test_custom_attributes_go_back_as_they_came(answer: Answer | Exception) -> None:
    exchange, _ = answered(answer, **{ATTRIBUTES: "trace=7;user=a b"})

    assert exchange.headers[ATTRIBUTES] == "trace=7;user=a b"


@pytest.mark.parametrize("answer", [ANSWER, MalformedBodyError("no")])
@pytest.mark.parametrize("attributes", ["x" * 1025, "caf\xe9", "a\x00b"])
def test_what_sagemaker_would_not_have_passed_does_not_go_back_and_the_log_says_so(
    answer: Answer | Exception, attributes: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "greenlight.server"):
        exchange, _ = answered(answer, **{ATTRIBUTES: attributes, "x-request-id": "r-7"})

    assert ATTRIBUTES not in exchange.headers
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", "custom_attributes_dropped")
    assert record.__dict__["fields"] == {
        "request_id": "r-7",
        "characters": len(attributes),
        "allowed": "1024 visible US-ASCII characters",
    }


def test_a_scripts_own_custom_attributes_go_before_the_callers() -> None:
    answer = Answer("application/json", b"{}", ((ATTRIBUTES, "from the script"),))

    exchange, _ = answered(answer, **{ATTRIBUTES: "from the caller"})

    assert exchange.headers[ATTRIBUTES] == "from the script"


def test_custom_attributes_are_in_the_log_of_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "greenlight.server"):
        answered(MalformedBodyError("no"), **{ATTRIBUTES: "trace=7"})

    assert caplog.records[0].__dict__["fields"]["custom_attributes"] == "trace=7"


@pytest.mark.parametrize(
    ("answer", "path", "outcome"),
    [
        (ANSWER, "/invocations", Outcome(route="invocations", status=200, code="ok")),
        (ANSWER, "/metrics", Outcome(route="other", status=200, code="ok")),
        (
            MalformedBodyError("no"),
            "/invocations",
            Outcome(route="invocations", status=400, code="malformed_body"),
        ),
        (
            ZeroDivisionError(),
            "/ping",
            Outcome(route="ping", status=500, code="internal_error"),
        ),
        (UnheardOfError(), "/x", Outcome(route="other", status=500, code="internal_error")),
    ],
)
def test_every_end_is_counted_once_by_route_status_and_code(
    answer: Answer | Exception, path: str, outcome: Outcome
) -> None:
    _, totals = answered(answer, path=path)

    assert {each for each, buckets in totals.latencies.items() if sum(buckets)} == {outcome}
    assert totals.in_flight == 0


def test_predicted_rows_are_counted() -> None:
    _, totals = answered(ANSWER)

    assert totals.rows == 3


@pytest.mark.parametrize("given", ["", "x" * 129, "a\tb", "caf\xe9"])
def test_an_unsound_request_id_is_none(given: str) -> None:
    assert not is_request_id(given)


def test_every_error_of_the_server_has_a_status_and_a_code() -> None:
    assert (400, "malformed_body") in codes()
    assert (500, "internal_error") in codes()
    assert len(codes()) == len(set(codes()))
