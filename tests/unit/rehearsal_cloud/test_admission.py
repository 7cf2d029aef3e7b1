"""Who is let in, to which instance, and what is refused at the door."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.fleets.instance import Instance, InstanceSpec, InstanceState
from rehearsal.cloud.http import Request
from rehearsal.cloud.runtime.admission import Admission
from rehearsal.cloud.runtime.failure import Failures
from rehearsal.cloud.runtime.meter import Meter
from rehearsal.cloud.runtime.routing import Lane, Route, RouteKind, ShadowRoute, VariantRoute

SESSION = "x-amzn-sagemaker-session-id"


def an_instance(number: int = 1, state: InstanceState = InstanceState.HEALTHY) -> Instance:
    spec = InstanceSpec(
        instance_id=f"i-{number}",
        endpoint_name="e",
        config_name="c",
        variant_name="main",
        fleet_id="f",
        model=None,
        definition={},
    )
    return Instance(spec=spec, state=state)


def a_variant(name: str, *instances: Instance) -> VariantRoute:
    meter = Meter("e", name, "c")
    lane = Lane(role="blue", config_name="c", share=1.0, instances=instances, meter=meter)
    return VariantRoute(name=name, weight=1.0, lanes=(lane,))


def an_admission(*instances: Instance, **route: Any) -> Admission:
    admission = Admission(random.Random(1), Failures(account_id="123456789012", region="eu-west-1"))
    admission.routes["e"] = Route(
        endpoint_name="e", variants=(a_variant("main", *instances),), **route
    )
    return admission


def a_request(body: bytes = b"x", headers: dict[str, str] | None = None) -> Request:
    named = {} if headers is None else headers
    return Request(
        method="POST",
        target="/endpoints/e/invocations",
        headers=named,
        raw_headers=tuple(named.items()),
        body=body,
    )


def refused(admission: Admission, request: Request) -> ApiError:
    with pytest.raises(ApiError) as caught:
        admission.admit("e", request)
    return caught.value


def test_an_admitted_request_holds_its_instance_until_it_is_released() -> None:
    instance = an_instance()

    admitted = an_admission(instance).admit("e", a_request())

    assert admitted.instance is instance
    assert (admitted.variant.name, admitted.lane.role) == ("main", "blue")
    assert instance.outstanding == 1
    instance.release()
    assert instance.outstanding == 0


@pytest.mark.assumed("when ServiceUnavailable is answered: no instance of the variant in service")
def test_without_an_instance_in_service_the_service_is_unavailable() -> None:
    draining = an_instance(state=InstanceState.DRAINING)

    error = refused(an_admission(draining), a_request())

    assert (error.code, error.status) == ("ServiceUnavailable", 503)
    assert draining.outstanding == 0


def test_a_table_that_changes_meanwhile_is_read_again() -> None:
    old, new = an_instance(1, InstanceState.DRAINING), an_instance(2)
    admission = an_admission(new)
    outdated = a_variant("main", old)

    _, instance = admission.acquire("e", outdated)

    assert instance is new


def test_a_shadow_is_found_again_by_its_name() -> None:
    old, new = an_instance(1, InstanceState.DRAINING), an_instance(2)
    shadow = ShadowRoute(share=1.0, variant=a_variant("shadow", new))
    admission = an_admission(an_instance(3), shadows=(shadow,))

    _, instance = admission.acquire("e", a_variant("shadow", old))

    assert instance is new


@pytest.mark.parametrize(
    ("kind", "request_", "words"),
    [
        (RouteKind.ASYNC, a_request(), "use InvokeEndpointAsync"),
        (RouteKind.MULTI_MODEL, a_request(), "is missing a target model header."),
        (
            RouteKind.SERVERLESS,
            a_request(b"x" * (4 * 1024 * 1024 + 1)),
            "has oversize body.",
        ),
        (RouteKind.REALTIME, a_request(b"x" * 6_291_457), "has oversize body."),
    ],
)
def test_each_kind_of_endpoint_refuses_what_it_does_not_take(
    kind: RouteKind, request_: Request, words: str
) -> None:
    instance = an_instance()

    error = refused(an_admission(instance, kind=kind), request_)

    assert error.code == "ValidationError"
    assert words in error.message
    assert instance.outstanding == 0


def test_a_refused_host_name_lets_the_instance_go() -> None:
    instance = an_instance()
    request = a_request(headers={"x-amzn-sagemaker-target-container-hostname": "one"})

    error = refused(an_admission(instance), request)

    assert "does not support target container hostname header" in error.message
    assert instance.outstanding == 0


def test_a_session_ends_with_its_instance() -> None:
    instance, other = an_instance(1), an_instance(2)
    admission = an_admission(instance, other)
    admission.sessions.opened(
        "e", "s; Expires=2999-01-01T00:00:00Z", variant_name="main", instance=instance
    )

    first = admission.admit("e", a_request(headers={SESSION: "s"}))
    instance.release()
    instance.close_to_requests()
    error = refused(admission, a_request(headers={SESSION: "s"}))

    assert first.instance is instance
    assert "Session s of endpoint e is not open" in error.message
    assert instance.outstanding == 0


def test_a_session_of_an_instance_that_left_the_route_is_not_open() -> None:
    moved = an_instance(1)
    admission = an_admission(an_instance(2))
    admission.sessions.opened(
        "e", "s; Expires=2999-01-01T00:00:00Z", variant_name="main", instance=moved
    )

    error = refused(admission, a_request(headers={SESSION: "s"}))

    assert "is not open" in error.message
    assert moved.outstanding == 0
