"""What the policies of a scalable target decide together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.scaling.decision import Decision, Seen, Trigger, decide
from rehearsal.cloud.scaling.target import (
    STEP_SCALING,
    TARGET_TRACKING,
    Memory,
    ScalableTarget,
    ScalingPolicy,
    within_bounds,
)

TRACKING = "AAS application-auto-scaling-target-tracking"
STEPS = "AAS application-auto-scaling-step-scaling-policies"


def a_target(**more: Any) -> ScalableTarget:
    values: dict[str, Any] = {"min_capacity": 1, "max_capacity": 8, **more}
    return ScalableTarget(
        resource_id="endpoint/e/variant/v", dimension="d", arn="arn", creation_time=0.0, **values
    )


def a_policy(name: str = "p", kind: str = TARGET_TRACKING, **configuration: Any) -> ScalingPolicy:
    return ScalingPolicy(
        name=name,
        resource_id="endpoint/e/variant/v",
        dimension="d",
        policy_type=kind,
        arn=f"arn-{name}",
        configuration={"TargetValue": 10.0, **configuration},
        creation_time=0.0,
        alarm_high=f"{name}-high",
        alarm_low=f"{name}-low",
    )


def a_step_policy(adjustment: int, name: str = "steps", **more: Any) -> ScalingPolicy:
    step = {"MetricIntervalLowerBound": 0, "ScalingAdjustment": adjustment}
    return a_policy(
        name,
        STEP_SCALING,
        AdjustmentType="ChangeInCapacity",
        StepAdjustments=more.pop("steps", [step]),
        **more,
    )


def high(policy: ScalingPolicy, metric: float) -> Trigger:
    return Trigger(policy=policy, alarm_name=policy.alarm_high, threshold=10.0, values=(metric,))


def low(policy: ScalingPolicy, metric: float) -> Trigger:
    return Trigger(policy=policy, alarm_name=policy.alarm_low, threshold=9.0, values=(metric,))


def seen(current: int, *ready: ScalingPolicy, **more: Any) -> Seen:
    values: dict[str, Any] = {"now": 1_000.0, "tracking": ready, **more}
    return Seen(current=current, ready_to_scale_in=frozenset(p.name for p in ready), **values)


def capacity(found: Decision | None) -> int | None:
    return found.capacity if found is not None and found.not_scaled is None else None


@pytest.mark.source(f"{TRACKING}, proportional scale out")
def test_a_scale_out_goes_at_once_to_what_the_metric_needs() -> None:
    policy = a_policy()

    assert capacity(decide(a_target(), [high(policy, 25.0)], seen(2))) == 5
    assert capacity(decide(a_target(), [high(policy, 900.0)], seen(2))) == 8


@pytest.mark.source(f"{TRACKING}, cooldowns; SageMaker default 300 s")
def test_a_scale_out_in_its_cooldown_counts_what_is_being_added() -> None:
    policy = a_policy()
    cooling = {"p": Memory(out_at=701.0, out_base=2)}
    over = {"p": Memory(out_at=700.0, out_base=2)}

    again = decide(a_target(), [high(policy, 25.0)], seen(5, memories=cooling))
    larger = decide(a_target(), [high(policy, 35.0)], seen(5, memories=cooling))
    later = decide(a_target(), [high(policy, 12.0)], seen(5, memories=over))

    assert again is not None
    assert again.not_scaled == "AlreadyAtDesiredCapacity"
    assert capacity(larger) == 7
    assert capacity(later) == 6


@pytest.mark.source(f"{TRACKING}, a scale in waits for its cooldown")
def test_a_scale_in_waits_for_its_cooldown() -> None:
    policy, quick = a_policy(), a_policy(ScaleInCooldown=60)
    memories = {"p": Memory(in_at=900.0)}

    assert decide(a_target(), [low(policy, 1.0)], seen(4, policy, memories=memories)) is None
    found = decide(a_target(), [low(quick, 1.0)], seen(4, quick, memories=memories))
    assert capacity(found) == 2


@pytest.mark.assumed("the step of a scale in is not documented")
def test_a_scale_in_takes_at_most_half_away() -> None:
    policy = a_policy()

    assert capacity(decide(a_target(), [low(policy, 0.0)], seen(8, policy))) == 4
    assert capacity(decide(a_target(min_capacity=3), [low(policy, 0.0)], seen(4, policy))) == 3
    assert capacity(decide(a_target(min_capacity=0), [low(policy, 0.0)], seen(1, policy))) == 0


@pytest.mark.source(f"{TRACKING}, insufficient data; DisableScaleIn; suspended state")
def test_without_data_or_permission_nothing_scales() -> None:
    policy, pinned = a_policy(), a_policy(DisableScaleIn=True)
    blind = Trigger(policy=policy, alarm_name="p-high", threshold=10.0, values=())
    suspended = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True}

    assert decide(a_target(), [blind], seen(4)) is None
    assert decide(a_target(), [low(pinned, 0.0)], seen(4, pinned)) is None
    assert decide(a_target(suspended=suspended), [low(policy, 0.0)], seen(4, policy)) is None
    assert decide(a_target(suspended=suspended), [high(policy, 99.0)], seen(4)) is None


@pytest.mark.source(f"{TRACKING}, multiple policies: out if any wants, in only if all agree")
def test_several_policies_go_out_to_the_most_and_in_only_together() -> None:
    one, other = a_policy("one"), a_policy("other")
    pinned = a_policy("pinned", DisableScaleIn=True)
    triggers = [low(one, 1.0), low(other, 4.0)]

    out = decide(a_target(), [high(one, 15.0), high(other, 30.0)], seen(2))
    mixed = decide(a_target(), [low(one, 1.0), high(other, 30.0)], seen(2, one))
    alone = decide(
        a_target(), [low(one, 1.0)], Seen(**{**vars(seen(4, one)), "tracking": (one, other)})
    )
    agreed = decide(a_target(), triggers, seen(6, one, other))
    beside = Seen(**{**vars(seen(4, one)), "tracking": (one, pinned)})

    assert capacity(out) == 6
    assert capacity(mixed) == 6
    assert alone is None
    assert capacity(agreed) == 3
    assert capacity(decide(a_target(), [low(one, 1.0)], beside)) == 2


@pytest.mark.source("AAS scaling activities, not scaled reason codes")
def test_a_decision_not_to_scale_says_why() -> None:
    policy = a_policy()

    most = decide(a_target(), [high(policy, 99.0)], seen(8))
    least = decide(a_target(min_capacity=2), [low(policy, 0.0)], seen(2, policy))
    enough = decide(a_target(), [high(policy, 10.0)], seen(4))

    codes = [found.not_scaled for found in (most, least, enough) if found is not None]
    assert codes == ["AlreadyAtMaxCapacity", "AlreadyAtMinCapacity", "AlreadyAtDesiredCapacity"]


@pytest.mark.source(f"{STEPS}, cooldown: a larger step adds only the difference")
def test_a_larger_step_in_the_cooldown_adds_only_the_difference() -> None:
    steps = [
        {
            "MetricIntervalLowerBound": 0,
            "MetricIntervalUpperBound": 10,
            "ScalingAdjustment": 2,
        },
        {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 3},
    ]
    policy = a_step_policy(0, steps=steps)
    memories = {"steps": Memory(out_at=900.0, out_base=2)}

    first = decide(a_target(), [high(policy, 12.0)], seen(2))
    same = decide(a_target(), [high(policy, 12.0)], seen(4, memories=memories))
    larger = decide(a_target(), [high(policy, 25.0)], seen(4, memories=memories))

    assert capacity(first) == 4
    assert capacity(same) is None
    assert capacity(larger) == 5


@pytest.mark.source(f"{STEPS}, scale in waits for the cooldown")
def test_a_step_takes_away_once_a_cooldown() -> None:
    steps = [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -1}]
    policy = a_step_policy(0, steps=steps)
    cooling = {"steps": Memory(in_at=900.0)}

    assert capacity(decide(a_target(), [low(policy, 1.0)], seen(4))) == 3
    assert decide(a_target(), [low(policy, 1.0)], seen(4, memories=cooling)) is None


@given(
    current=st.integers(1, 8),
    metric=st.floats(0, 1_000),
    adjustment=st.integers(-20, 20),
    is_high=st.booleans(),
)
def test_what_is_wanted_stays_in_the_bounds(
    current: int, metric: float, adjustment: int, is_high: bool
) -> None:
    policy, steps = a_policy(), a_step_policy(adjustment)
    asked = high(policy, metric) if is_high else low(policy, metric)

    for triggers in ([asked], [asked, high(steps, metric)]):
        found = decide(a_target(), triggers, seen(current, policy))

        assert found is None or 1 <= found.capacity <= 8


@pytest.mark.source("botocore RegisterScalableTarget: capacity is brought into the bounds")
def test_capacity_is_brought_into_the_bounds() -> None:
    target = a_target(min_capacity=2, max_capacity=4)

    assert [within_bounds(target, count) for count in (1, 3, 9)] == [2, 3, 4]
