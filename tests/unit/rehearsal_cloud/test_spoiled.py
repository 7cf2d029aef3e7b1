"""A request that goes wrong on purpose ends as one that goes wrong by itself."""

from __future__ import annotations

from typing import Any

from rehearsal.cloud.faults.registry import InvocationFault
from rehearsal.cloud.fleets.instance import Instance, InstanceSpec
from rehearsal.cloud.runtime.connection import Answer
from rehearsal.cloud.runtime.forward import Outcome, spoiled


class Sender:
    """Stands in for the way to the container and keeps how long it was given."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> Outcome:
        self.seconds.append(seconds)
        answer = Answer(status=200, headers={}, body=b"good")
        return Outcome(
            answer=answer, failure="", container="primary", model_latency_us=1.0, status=200
        )


def send(fault: InvocationFault, sender: Sender, **more: Any) -> Outcome:
    spec = InstanceSpec(
        instance_id="i",
        endpoint_name="e",
        config_name="c",
        variant_name="v",
        fleet_id="f",
        model=None,
        definition={},
    )
    return spoiled(Instance(spec=spec), fault, "primary", sender, more.get("timeout", 5.0))


def test_a_delay_is_the_models_time_and_leaves_less_for_the_answer() -> None:
    sender = Sender()

    outcome = send(InvocationFault(delay_seconds=0.02), sender)

    assert outcome.answer is not None
    assert outcome.answer.body == b"good"
    assert outcome.model_latency_us >= 20_000
    assert sender.seconds == [4.98]


def test_a_delay_as_long_as_the_limit_is_a_timeout() -> None:
    sender = Sender()

    outcome = send(InvocationFault(delay_seconds=1.0), sender, timeout=0.02)

    assert outcome.answer is None
    assert outcome.failure.startswith("Your invocation timed out while waiting for a response")
    assert (outcome.status, sender.seconds) == (0, [])


def test_an_error_is_answered_without_asking_the_container() -> None:
    sender = Sender()

    outcome = send(InvocationFault(status=503, message="busy"), sender)

    assert outcome.answer is not None
    assert (outcome.status, outcome.answer.body, outcome.is_good) == (503, b"busy", False)
    assert sender.seconds == []
