"""The demo's client counts what really happened to each request."""

from __future__ import annotations

import io
import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from automation.load import UNKNOWN_MODEL, Load, Question, Tally, failure_name, model_of

QUESTION = Question(features=[1.0, 2.0], expected={"forest": [0.75, 0.25], "boosting": [0.9, 0.1]})


def an_answer(*probabilities: float) -> dict[str, Any]:
    names = ("a", "b")
    return {"predictions": [{"probabilities": dict(zip(names, probabilities, strict=True))}]}


class Runtime:
    """A runtime client that gives prepared replies, the last one for ever."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.asked: list[list[float]] = []

    def invoke_endpoint(self, *, EndpointName: str, ContentType: str, Body: str) -> dict[str, Any]:
        self.asked += json.loads(Body)["instances"]
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return {"Body": io.BytesIO(json.dumps(reply).encode())}


def run_until(runtime: Runtime, count: int) -> Tally:
    total = Tally()
    with Load(cast(Any, runtime), "wine", [QUESTION], requests_per_second=1000, threads=1) as load:
        while total.sent < count:
            part = load.take()
            total.answers += part.answers
            total.failures += part.failures
    return total


@pytest.mark.parametrize(
    ("probabilities", "label"),
    [((0.75, 0.25), "forest"), ((0.9, 0.1), "boosting"), ((0.5, 0.5), UNKNOWN_MODEL)],
)
def test_an_answer_is_known_by_its_probabilities(
    probabilities: tuple[float, float], label: str
) -> None:
    assert model_of(an_answer(*probabilities), QUESTION) == label


def test_answers_are_counted_by_model() -> None:
    runtime = Runtime(an_answer(0.75, 0.25), an_answer(0.9, 0.1))

    tally = run_until(runtime, 5)

    assert tally.answers["forest"] == 1
    assert tally.answers["boosting"] >= 4
    assert tally.failures == {}
    assert runtime.asked[0] == [1.0, 2.0]


def test_failures_are_counted_by_what_the_service_said() -> None:
    model_error = ClientError(
        cast(Any, {"Error": {"Code": "ModelError"}, "OriginalStatusCode": 500}), "InvokeEndpoint"
    )
    refused = EndpointConnectionError(endpoint_url="loopback")

    tally = run_until(Runtime(model_error, refused, an_answer(0.9, 0.1)), 3)

    assert tally.failures == {"ModelError (500)": 1, "EndpointConnectionError": 1}


def test_a_failure_without_a_model_behind_it_has_the_code_alone() -> None:
    assert failure_name({"Error": {"Code": "ValidationError"}}) == "ValidationError"


def test_tally_describes_itself_in_one_line() -> None:
    tally = Tally()
    tally.answers.update({"forest": 3})
    tally.failures.update({"ModelError (500)": 1})

    assert tally.text() == "4 requests: 3 by forest; failed: 1 x ModelError (500)"
