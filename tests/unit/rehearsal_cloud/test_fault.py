"""Which faults can be asked for, and what is said of those that can't."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.faults.fault import KINDS, FaultKind, fault_from_members


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_kind_says_what_it_does_and_what_it_takes(kind: FaultKind) -> None:
    rule = KINDS[kind]

    assert rule.summary
    assert set(rule.required) <= set(rule.scope)
    assert all(setting.allowed for setting in rule.settings.values())


def test_a_fault_has_the_kinds_defaults() -> None:
    fault = fault_from_members("fault-1", {"kind": "launch-failure", "endpoint_name": "iris"})

    assert fault.as_dict() == {
        "fault_id": "fault-1",
        "kind": "launch-failure",
        "summary": "the next launch fails",
        "endpoint_name": "iris",
        "reason": "ping",
        "times": 1,
        "used": 0,
        "spent": False,
    }


def test_a_fault_meets_those_it_names_and_nobody_else() -> None:
    fault = fault_from_members("f", {"kind": "crash", "endpoint_name": "iris"})

    assert fault.meets({"endpoint_name": "iris", "variant_name": "main"})
    assert not fault.meets({"endpoint_name": "wine", "variant_name": "main"})
    assert fault_from_members("f", {"kind": "crash"}).meets({"endpoint_name": "wine"})


def test_null_times_is_until_it_is_cleared() -> None:
    fault = fault_from_members("f", {"kind": "crash", "times": None})

    assert fault.times is None
    assert not fault.used_once_more().is_spent


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, "kind None is no kind of fault; there are launch-failure, "),
        ({"kind": "meteor"}, "kind 'meteor' is no kind of fault"),
        ({"kind": "latency"}, "milliseconds is None; allowed is a whole number from 1 to 120000"),
        ({"kind": "latency", "milliseconds": True}, "milliseconds is True"),
        ({"kind": "crash", "status": 500}, "'status' is not a setting of crash; it takes"),
        (
            {"kind": "launch-failure", "reason": "rain"},
            "one of image, artifact, cannot-start, ping",
        ),
        ({"kind": "quota", "limit": 1}, "quota needs 'instance_type'"),
        ({"kind": "quota", "limit": 1, "instance_type": "big"}, "instance_type is 'big'"),
        ({"kind": "throttle", "operation": "drop table"}, "operation is 'drop table'"),
        ({"kind": "throttle", "times": 0}, "times is 0; allowed is a whole number from 1"),
        ({"kind": "model-error", "message": "x" * 1025}, "text of at most 1024 characters"),
    ],
)
def test_what_can_not_be_is_refused_with_what_is_allowed(
    members: dict[str, Any], words: str
) -> None:
    with pytest.raises(SetupError) as refused:
        fault_from_members("f", members)

    assert words in str(refused.value)


def test_every_problem_is_said_at_once() -> None:
    with pytest.raises(SetupError) as refused:
        fault_from_members(
            "f", {"kind": "latency", "milliseconds": 0, "times": -1, "colour": "red"}
        )

    assert all(word in str(refused.value) for word in ("milliseconds", "times", "colour"))
