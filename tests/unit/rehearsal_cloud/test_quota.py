"""What endpoints use of their account's quotas."""

from __future__ import annotations

import pytest

from rehearsal.cloud.hosting.quota import (
    MAXIMUM_SERVERLESS_ENDPOINTS,
    instances_in_use,
    scale_delta,
    serverless_problem,
    update_delta,
)
from rehearsal.cloud.hosting.rollout import Policy
from rehearsal.cloud.hosting.state import Endpoint, Fleet, Status, Variant

LARGE, HUGE = "ml.m5.large", "ml.m5.24xlarge"


def a_fleet(instance_type: str, count: int) -> Fleet:
    variant = Variant(
        name="v",
        desired_count=count,
        target_count=count,
        desired_weight=1.0,
        current_weight=1.0,
        definition={"InstanceType": instance_type},
    )
    return Fleet(fleet_id="f", config_name="c", variants=(variant,))


def a_serverless_fleet(concurrency: int) -> Fleet:
    variant = Variant(
        name="v",
        desired_count=1,
        target_count=1,
        desired_weight=1.0,
        current_weight=1.0,
        desired_serverless={"MemorySizeInMB": 1024, "MaxConcurrency": concurrency},
    )
    return Fleet(fleet_id="f", config_name="c", variants=(variant,), kind="serverless")


def an_endpoint(live: Fleet | None, pending: Fleet | None = None) -> Endpoint:
    return Endpoint(
        name="e",
        arn="arn",
        status=Status.IN_SERVICE,
        config_name="c",
        creation_time=0.0,
        last_modified_time=0.0,
        live=live,
        pending=pending,
    )


def test_both_fleets_of_an_update_count_by_instance_type() -> None:
    endpoints = [
        an_endpoint(a_fleet(LARGE, 2), a_fleet(HUGE, 3)),
        an_endpoint(None, a_fleet(LARGE, 1)),
        an_endpoint(a_serverless_fleet(5)),
    ]

    assert instances_in_use(endpoints) == {LARGE: 3, HUGE: 3}


SIZE = {"Type": "INSTANCE_COUNT", "Value": 2}


@pytest.mark.source("DG deployment-guardrails: both fleets at once; rolling: one batch more")
@pytest.mark.parametrize(
    ("mode", "before", "after", "delta"),
    [
        ("ALL_AT_ONCE", a_fleet(LARGE, 4), a_fleet(LARGE, 4), {LARGE: 4}),
        ("CANARY", a_fleet(LARGE, 4), a_fleet(HUGE, 4), {HUGE: 4}),
        ("ROLLING", a_fleet(LARGE, 4), a_fleet(LARGE, 4), {LARGE: 2}),
        ("ROLLING", a_fleet(LARGE, 4), a_fleet(LARGE, 6), {LARGE: 4}),
        ("ROLLING", a_fleet(LARGE, 4), a_fleet(HUGE, 4), {HUGE: 4}),
    ],
)
def test_an_update_needs_so_many_more_instances(
    mode: str, before: Fleet, after: Fleet, delta: dict[str, int]
) -> None:
    policy = Policy(mode=mode, first_size=SIZE, batch_size=SIZE)

    assert update_delta(policy, before, after) == delta


def test_a_scale_needs_what_it_grows_by_and_nothing_when_it_shrinks() -> None:
    assert scale_delta(a_fleet(LARGE, 2), a_fleet(LARGE, 5)) == {LARGE: 3}
    assert scale_delta(a_fleet(LARGE, 5), a_fleet(LARGE, 2)) == {}


@pytest.mark.source("DG serverless-endpoints: 50 endpoints and 1,000 concurrency per region")
def test_an_account_has_so_many_serverless_endpoints() -> None:
    many = [an_endpoint(a_serverless_fleet(1)) for _ in range(MAXIMUM_SERVERLESS_ENDPOINTS)]

    assert serverless_problem(many[1:], a_serverless_fleet(1)) is None
    assert "is 50 Endpoints" in (serverless_problem(many, a_serverless_fleet(1)) or "")
    assert serverless_problem(many, a_fleet(LARGE, 1)) is None
    assert "is 1000 Invocations, with current utilization of 200 Invocations" in (
        serverless_problem([an_endpoint(a_serverless_fleet(200))], a_serverless_fleet(801)) or ""
    )
