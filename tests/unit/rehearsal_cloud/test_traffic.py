"""From an endpoint's state to its routes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rehearsal.cloud.fleets.instance import Instance, InstanceSpec, InstanceState
from rehearsal.cloud.hosting.rollout import Shift
from rehearsal.cloud.hosting.state import Endpoint, Fleet, RouteKind, Status, Variant
from rehearsal.cloud.hosting.traffic import route_from_endpoint
from rehearsal.cloud.runtime.meter import Meter


def a_fleet(fleet_id: str, count: int, *, weight: float = 1.0, name: str = "v") -> Fleet:
    variant = Variant(
        name=name,
        desired_count=count,
        target_count=count,
        desired_weight=weight,
        current_weight=weight,
    )
    return Fleet(fleet_id=fleet_id, config_name=f"config-{fleet_id}", variants=(variant,))


def an_endpoint(**more: Any) -> Endpoint:
    values: dict[str, Any] = {
        "status": Status.UPDATING,
        "live": a_fleet("blue", 4),
        "pending": a_fleet("green", 4, weight=2.0),
        **more,
    }
    return Endpoint(
        name="e",
        arn="arn",
        config_name="config-blue",
        creation_time=0.0,
        last_modified_time=0.0,
        **values,
    )


def healthy(fleet_id: str, variant_name: str) -> tuple[Instance, ...]:
    """Four healthy instances of every fleet."""
    return tuple(
        Instance(
            spec=InstanceSpec(
                instance_id=f"{fleet_id}-{number}",
                endpoint_name="e",
                config_name="c",
                variant_name=variant_name,
                fleet_id=fleet_id,
                model=None,
                definition={},
            ),
            state=InstanceState.HEALTHY,
        )
        for number in range(4)
    )


def lanes(endpoint: Endpoint) -> dict[str, tuple[float, int]]:
    """Return share and number of instances by role."""
    route = route_from_endpoint(endpoint, healthy, Meter)
    assert route is not None
    return {lane.role: (lane.share, len(lane.instances)) for lane in route.variants[0].lanes}


def test_before_a_shift_blue_serves_alone() -> None:
    assert lanes(an_endpoint()) == {"blue": (1.0, 4)}


@pytest.mark.parametrize("active", [1, 2])
def test_a_canary_sends_its_share_to_so_many_green_instances(active: int) -> None:
    endpoint = an_endpoint(shift=Shift(green_active={"v": active}))

    assert lanes(endpoint) == {"blue": (1 - active / 4, 4), "green": (active / 4, active)}


def test_a_linear_step_turns_blue_instances_off() -> None:
    endpoint = an_endpoint(shift=Shift(green_active={"v": 1}, blue_active={"v": 3}))

    assert lanes(endpoint) == {"blue": (0.75, 3), "green": (0.25, 1)}


def test_all_traffic_on_green_takes_the_new_configs_weights() -> None:
    endpoint = an_endpoint(shift=Shift(green_active={"v": 4}, full=True))

    route = route_from_endpoint(endpoint, healthy, Meter)

    assert route is not None
    assert route.variants[0].weight == 2.0
    assert lanes(endpoint) == {"green": (1.0, 4)}


def test_a_renamed_variant_gets_all_of_its_traffic_at_once() -> None:
    endpoint = an_endpoint(
        pending=a_fleet("green", 4, name="other"),
        shift=Shift(green_active={"other": 4}, full=True),
    )

    route = route_from_endpoint(endpoint, healthy, Meter)

    assert route is not None
    assert [variant.name for variant in route.variants] == ["other"]


@pytest.mark.parametrize("status", [Status.CREATING, Status.FAILED, Status.DELETING])
def test_an_endpoint_that_does_not_serve_has_no_route(status: Status) -> None:
    assert route_from_endpoint(an_endpoint(status=status), healthy, Meter) is None


@pytest.mark.assumed("the share is the shadow's weight over the production variant's, at most 1")
@pytest.mark.parametrize(("weight", "share"), [(0.5, 0.25), (2.0, 1.0), (5.0, 1.0), (0.0, 0.0)])
def test_a_shadow_gets_its_weight_over_the_variants_weight(weight: float, share: float) -> None:
    live = a_fleet("blue", 4, weight=2.0)
    shadow = replace(live.variants[0], name="s", shadow=True, current_weight=weight)
    endpoint = an_endpoint(
        live=replace(live, variants=(*live.variants, shadow)),
        pending=None,
        status=Status.IN_SERVICE,
    )

    route = route_from_endpoint(endpoint, healthy, Meter)

    assert route is not None
    assert [variant.name for variant in route.variants] == ["v"]
    (found,) = route.shadows
    assert (found.variant.name, found.share) == ("s", share)
    assert len(found.variant.lanes[0].instances) == 4


@pytest.mark.parametrize("kind", ["realtime", "async", "serverless", "multi_model"])
def test_a_route_says_how_its_requests_come(kind: RouteKind) -> None:
    endpoint = an_endpoint(live=replace(a_fleet("blue", 1), kind=kind), pending=None)

    route = route_from_endpoint(endpoint, healthy, Meter)

    assert route is not None
    assert route.kind == kind
