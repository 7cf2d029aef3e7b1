"""What target tracking decides."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.scaling.target import (
    Activity,
    ScalableTarget,
    ScalingPolicy,
    desired_count,
    within_bounds,
)

TRACKING = "AAS application-auto-scaling-target-tracking"


def a_target(**more: Any) -> ScalableTarget:
    values: dict[str, Any] = {"min_capacity": 1, "max_capacity": 8, **more}
    return ScalableTarget(
        resource_id="endpoint/e/variant/v",
        dimension="d",
        arn="arn",
        creation_time=0.0,
        **values,
    )


def a_policy(**configuration: Any) -> ScalingPolicy:
    return ScalingPolicy(
        name="p",
        resource_id="endpoint/e/variant/v",
        dimension="d",
        policy_type="TargetTrackingScaling",
        arn="arn",
        configuration={"TargetValue": 10.0, **configuration},
        creation_time=0.0,
        alarm_high="high",
        alarm_low="low",
    )


def seen(current: int, metric: float | None, **more: Any) -> Activity:
    values: dict[str, Any] = {"is_high": False, "is_low": False, **more}
    return Activity(now=1_000.0, current=current, metric=metric, **values)


@pytest.mark.source(f"{TRACKING}, proportional scale out")
def test_a_scale_out_goes_at_once_to_what_the_metric_needs() -> None:
    assert desired_count(a_target(), a_policy(), seen(2, 25.0, is_high=True)) == 5
    assert desired_count(a_target(), a_policy(), seen(2, 900.0, is_high=True)) == 8


@pytest.mark.source(f"{TRACKING}, cooldowns; SageMaker default 300 s")
def test_cooldowns_hold_a_direction_back() -> None:
    out = seen(2, 25.0, is_high=True, last_out=701.0)
    later = seen(2, 25.0, is_high=True, last_out=700.0)
    down = seen(4, 1.0, is_low=True, last_in=900.0)

    assert desired_count(a_target(), a_policy(), out) == 2
    assert desired_count(a_target(), a_policy(), later) == 5
    assert desired_count(a_target(), a_policy(), down) == 4
    assert desired_count(a_target(), a_policy(ScaleInCooldown=60), down) == 2


@pytest.mark.assumed("the step of a scale in is not documented")
def test_a_scale_in_takes_at_most_half_away() -> None:
    assert desired_count(a_target(), a_policy(), seen(8, 0.0, is_low=True)) == 4
    assert desired_count(a_target(min_capacity=3), a_policy(), seen(4, 0.0, is_low=True)) == 3


@pytest.mark.source(f"{TRACKING}, insufficient data; DisableScaleIn; suspended state")
def test_without_data_or_permission_nothing_scales() -> None:
    low = seen(4, 0.0, is_low=True)
    high = seen(4, 99.0, is_high=True)

    assert desired_count(a_target(), a_policy(), seen(4, None, is_high=True)) == 4
    assert desired_count(a_target(), a_policy(DisableScaleIn=True), low) == 4
    suspended = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True}
    assert desired_count(a_target(suspended=suspended), a_policy(), low) == 4
    assert desired_count(a_target(suspended=suspended), a_policy(), high) == 4


@given(
    current=st.integers(1, 8),
    metric=st.floats(0, 1_000),
    high=st.booleans(),
    low=st.booleans(),
)
def test_what_is_wanted_stays_in_the_bounds(
    current: int, metric: float, high: bool, low: bool
) -> None:
    wanted = desired_count(a_target(), a_policy(), seen(current, metric, is_high=high, is_low=low))

    assert 1 <= wanted <= 8


@pytest.mark.source("botocore RegisterScalableTarget: capacity is brought into the bounds")
def test_capacity_is_brought_into_the_bounds() -> None:
    target = a_target(min_capacity=2, max_capacity=4)

    assert [within_bounds(target, count) for count in (1, 3, 9)] == [2, 3, 4]
