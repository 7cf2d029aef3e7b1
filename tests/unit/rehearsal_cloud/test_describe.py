"""What DescribeEndpoint says of a state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rehearsal.cloud.hosting.describe import describe, stage_name
from rehearsal.cloud.hosting.rollout import Bake, Launch, Shift, Side, Step, Terminate
from rehearsal.cloud.hosting.state import (
    Deployment,
    Endpoint,
    Fleet,
    FleetView,
    Kind,
    Observation,
    Status,
    Variant,
)

EVENTS = "DG automating-sagemaker-with-eventbridge, VariantStatus"


def a_fleet(name: str, count: int, target: int) -> Fleet:
    variant = Variant(
        name="v",
        desired_count=count,
        target_count=target,
        desired_weight=2.0,
        current_weight=1.0,
        definition={
            "InstanceType": "ml.m5.large",
            "RoutingConfig": {"RoutingStrategy": "RANDOM"},
        },
    )
    return Fleet(fleet_id=name, config_name=name, variants=(variant,))


def an_endpoint(*steps: Step, position: int = 0, **more: Any) -> Endpoint:
    deployment = Deployment(
        kind=Kind.UPDATE,
        steps=steps,
        position=position,
        entered=True,
        started_at=10.0,
        step_started_at=20.0,
    )
    return Endpoint(
        name="e",
        arn="arn",
        status=Status.UPDATING,
        config_name="blue",
        creation_time=1.0,
        last_modified_time=2.0,
        live=a_fleet("blue", 3, 3),
        pending=a_fleet("green", 3, 3),
        deployment=deployment,
        **more,
    )


SEEN = Observation(
    now=30.0,
    fleets={
        "blue": FleetView(healthy={"v": 3}, existing={"v": 3}),
        "green": FleetView(healthy={"v": 1}, existing={"v": 3}),
    },
)


@pytest.mark.source(f"{EVENTS}; DescribeEndpointOutput during an update")
def test_an_update_shows_the_old_config_and_the_pending_one() -> None:
    launch = Launch(side=Side.GREEN, counts={"v": 3})

    seen = describe(an_endpoint(launch), SEEN, {})

    assert seen["EndpointConfigName"] == "blue"
    live = seen["ProductionVariants"][0]
    assert (live["CurrentInstanceCount"], live["DesiredInstanceCount"]) == (3, 3)
    assert (live["CurrentWeight"], live["DesiredWeight"]) == (1.0, 2.0)
    assert live["RoutingConfig"] == {"RoutingStrategy": "RANDOM"}
    assert "InstanceType" not in live
    assert "VariantStatus" not in live
    pending = seen["PendingDeploymentSummary"]
    assert (pending["EndpointConfigName"], pending["StartTime"]) == ("green", 10.0)
    assert pending["ProductionVariants"][0]["InstanceType"] == "ml.m5.large"
    assert pending["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    assert "FailureReason" not in seen
    assert "LastDeploymentConfig" not in seen


@pytest.mark.source(EVENTS)
@pytest.mark.parametrize(
    ("step", "side", "expected"),
    [
        (
            Launch(side=Side.GREEN, counts={"v": 3}),
            "green",
            ("Creating", "Launching 2 instance(s)."),
        ),
        (
            Shift(green_active={"v": 1}),
            "green",
            ("ActivatingTraffic", "Activating traffic on canary capacity of 1 instance(s)."),
        ),
        (
            Bake(seconds=300, full=False),
            "green",
            (
                "Baking",
                "Baking for 300 seconds (TerminationWaitInSeconds) with traffic enabled on canary "
                "capacity of 1 instance(s).",
            ),
        ),
        (
            Terminate(side=Side.BLUE, counts={"v": 0}),
            "blue",
            ("Deleting", "Terminating 3 instance(s)."),
        ),
    ],
)
def test_each_step_has_sagemakers_words(step: Step, side: str, expected: tuple[str, str]) -> None:
    endpoint = an_endpoint(Shift(green_active={"v": 1}), step, position=1)
    if isinstance(step, Terminate):
        endpoint = replace(endpoint, live=a_fleet("blue", 3, 0))

    seen = describe(endpoint, SEEN, {})

    variants = (
        seen["PendingDeploymentSummary"]["ProductionVariants"]
        if side == "green"
        else seen["ProductionVariants"]
    )
    (status,) = variants[0]["VariantStatus"]
    assert (status["Status"], status["StatusMessage"]) == expected
    assert status["StartTime"] == 20.0


def test_a_failure_reason_is_cut_at_sagemakers_length() -> None:
    endpoint = replace(an_endpoint(), failure_reason="x" * 2_000)

    assert len(describe(endpoint, SEEN, {})["FailureReason"]) == 1_024


def test_a_stage_says_when_it_is_undoing() -> None:
    deployment = an_endpoint(Terminate(side=Side.GREEN, counts={})).deployment
    assert deployment is not None

    assert stage_name(deployment) == "terminating"
    assert stage_name(replace(deployment, failure_reason="x")) == "rolling_back:terminating"
    assert stage_name(None) is None
