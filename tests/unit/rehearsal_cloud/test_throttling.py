"""A throttled call is refused in the words of its protocol; others pass."""

from __future__ import annotations

import pytest

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.faults.registry import Faults
from rehearsal.cloud.faults.throttling import operation_of, throttled
from rehearsal.cloud.http import Request
from rehearsal.cloud.record import Record

FORM = "application/x-www-form-urlencoded"


def request(target: str, body: bytes = b"", *, method: str = "POST", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        method=method, target=target, headers=named, raw_headers=tuple(named.items()), body=body
    )


CALLS = [
    (request("/", x_amz_target="SageMaker.CreateModel"), "CreateModel", "x-amz-json"),
    (request("/endpoints/e/invocations"), "InvokeEndpoint", "application/json"),
    (request("/endpoints/e/async-invocations"), "InvokeEndpointAsync", "application/json"),
    (
        request("/endpoints/e/invocations-response-stream"),
        "InvokeEndpointWithResponseStream",
        "application/json",
    ),
    (request("/service/Granite/operation/PutMetricData"), "PutMetricData", "cbor"),
    (request("/", b"Action=GetRole&Version=1", content_type=FORM), "GetRole", "xml"),
]


@pytest.mark.parametrize(("asked", "operation", "form"), CALLS)
def test_a_call_is_known_by_its_protocol_and_refused_in_it(
    asked: Request, operation: str, form: str
) -> None:
    faults = Faults(Record(ManualClock()), seed=1)
    faults.add({"kind": "throttle", "operation": operation})

    refusal = throttled(asked, faults)

    assert operation_of(asked) == operation
    assert refusal is not None
    assert form in dict(refusal.headers)["Content-Type"]
    assert (refusal.status, b"Rate exceeded" in refusal.body) == (400, True)
    assert throttled(asked, faults) is None


@pytest.mark.parametrize(
    "asked", [request("/bucket/key", method="PUT"), request("/rehearsal/faults"), request("/")]
)
def test_what_names_no_operation_is_never_throttled(asked: Request) -> None:
    faults = Faults(Record(ManualClock()), seed=1)
    faults.add({"kind": "throttle"})

    assert throttled(asked, faults) is None
    assert faults.as_list()[0]["used"] == 0
