"""Faults are used as often as asked, by those they name, and by chance from the seed."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.faults.registry import MAXIMUM_FAULTS, NO_FAULT, Faults
from rehearsal.cloud.record import Record

SUBJECT = {
    "endpoint_name": "iris",
    "variant_name": "main",
    "endpoint_config_name": "one",
    "instance_type": "ml.m5.large",
}


def faults(seed: int = 1) -> Faults:
    return Faults(Record(ManualClock()), seed=seed)


def noted(record: Record) -> list[tuple[str, int]]:
    return [(event["action"], event["used"]) for event in record.as_dict()["events"]]


def invoke(asked: Faults, instance_id: str = "i-1") -> Any:
    return asked.invocation("iris", "main", "one", instance_id)


def test_nothing_goes_wrong_without_a_fault() -> None:
    asked = faults()

    assert asked.launch(SUBJECT) is None
    assert not asked.lacks_capacity(SUBJECT, {})
    assert invoke(asked) is NO_FAULT
    assert not asked.throttles("CreateModel")
    assert asked.update("iris", "one") is None
    assert asked.quota_refusal("ml.m5.large", utilization=9, delta=9) is None


def test_a_fault_happens_as_often_as_asked_and_is_noted() -> None:
    record = Record(ManualClock())
    asked = Faults(record, seed=1)
    asked.add({"kind": "launch-failure", "reason": "image", "times": 2})

    reasons = [getattr(asked.launch(SUBJECT), "reason", None) for _ in range(3)]

    assert reasons == ["image", "image", None]
    assert noted(record) == [("added", 0), ("used", 1), ("used", 2)]
    assert asked.as_list()[0]["spent"]


def test_the_oldest_fault_that_meets_the_subject_is_used() -> None:
    asked = faults()
    asked.add({"kind": "launch-failure", "reason": "image", "endpoint_name": "wine"})
    asked.add({"kind": "launch-failure", "reason": "artifact"})
    asked.add({"kind": "launch-failure", "reason": "ping"})

    first = asked.launch(SUBJECT)

    assert first is not None
    assert (first.fault_id, first.reason) == ("fault-2", "artifact")


def test_a_container_crashes_after_its_own_number_of_requests() -> None:
    asked = faults()
    asked.add({"kind": "crash", "after_requests": 2, "times": None})

    crashes = [invoke(asked, instance).crash for instance in ("a", "a", "b", "a", "b", "b")]

    assert crashes == [False, False, False, True, False, True]


def test_latency_and_an_error_come_together() -> None:
    asked = faults()
    asked.add({"kind": "latency", "milliseconds": 250})
    asked.add({"kind": "model-error", "status": 503, "message": "busy"})

    first, second = invoke(asked), invoke(asked)

    assert (first.delay_seconds, first.status, first.message) == (0.25, 503, "busy")
    assert (second.delay_seconds, second.status) == (0.25, None)


def test_a_share_is_chosen_by_the_seed() -> None:
    def chosen(seed: int) -> list[bool]:
        asked = faults(seed)
        asked.add({"kind": "throttle", "share_percent": 40, "times": None})
        return [asked.throttles("ListModels") for _ in range(200)]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)
    assert 50 <= sum(chosen(1)) <= 110


def test_capacity_is_short_from_the_available_number_on() -> None:
    asked = faults()
    asked.add({"kind": "capacity", "instance_type": "ml.m5.large", "available": 2})

    short = [asked.lacks_capacity(SUBJECT, {"ml.m5.large": held}) for held in (0, 1, 2, 3)]
    other = {**SUBJECT, "instance_type": "ml.c5.large"}

    assert short == [False, False, True, True]
    assert not asked.lacks_capacity(other, {"ml.m5.large": 9})


def test_a_quota_is_exceeded_by_what_a_request_adds() -> None:
    asked = faults()
    asked.add({"kind": "quota", "instance_type": "ml.m5.large", "limit": 4})

    refused = asked.quota_refusal("ml.m5.large", utilization=3, delta=2)

    assert refused is not None
    assert refused.code == "ResourceLimitExceeded"
    assert refused.message.startswith(
        "The account-level service limit 'ml.m5.large for endpoint usage' is 4 Instances, with "
        "current utilization of 3 Instances and a request delta of 2 Instances."
    )
    assert asked.quota_refusal("ml.m5.large", utilization=3, delta=1) is None
    assert asked.quota_refusal("ml.m5.large", utilization=9, delta=0) is None


def test_a_cleared_fault_happens_no_more() -> None:
    asked = faults()
    asked.add({"kind": "throttle", "times": None})
    asked.add({"kind": "latency", "milliseconds": 10})

    asked.clear("fault-1")

    assert not asked.throttles("ListModels")
    assert invoke(asked).delay_seconds == 0.01
    assert [fault.fault_id for fault in asked.clear()] == ["fault-2"]
    assert asked.as_list() == []


def test_an_unknown_fault_can_not_be_cleared() -> None:
    with pytest.raises(SetupError, match="no fault 'fault-9'; there are none"):
        faults().clear("fault-9")


def test_too_many_faults_are_refused() -> None:
    asked = faults()
    for _ in range(MAXIMUM_FAULTS):
        asked.add({"kind": "throttle"})

    with pytest.raises(SetupError, match="clear some first"):
        asked.add({"kind": "throttle"})


def test_a_refused_fault_takes_no_number() -> None:
    asked = faults()
    with pytest.raises(SetupError):
        asked.add({"kind": "meteor"})

    assert asked.add({"kind": "throttle"}).fault_id == "fault-1"


def test_a_standing_fault_does_not_flood_the_record() -> None:
    record = Record(ManualClock())
    asked = Faults(record, seed=1)
    asked.add({"kind": "latency", "milliseconds": 1})

    for _ in range(1_500):
        invoke(asked)

    uses = [used for action, used in noted(record) if action == "used"]
    assert uses[99:] == [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]
