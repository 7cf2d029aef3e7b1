"""Plans of deployments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.hosting.rollout import (
    Bake,
    Launch,
    Policy,
    Shift,
    Side,
    Terminate,
    instances_from_capacity,
    plan_rollback,
    plan_rolling_rollback,
    plan_scale,
    plan_update,
    policy_from_deployment_config,
)

GUARDRAILS = "DG deployment-guardrails"


def a_size(value: int, kind: str = "INSTANCE_COUNT") -> dict[str, Any]:
    return {"Type": kind, "Value": value}


def a_policy(mode: str, **more: Any) -> Policy:
    values: dict[str, Any] = {"bake_seconds": 60, "termination_wait_seconds": 30, **more}
    return Policy(mode=mode, **values)


@pytest.mark.source(f"{GUARDRAILS}-blue-green-all-at-once, sequence")
def test_all_at_once_launches_shifts_bakes_and_removes_blue() -> None:
    steps = plan_update(a_policy("ALL_AT_ONCE"), {"main": 3}, {"main": 4})

    assert steps == (
        Launch(side=Side.GREEN, counts={"main": 4}),
        Shift(green_active={"main": 4}, full=True),
        Bake(seconds=30, full=True),
        Terminate(side=Side.BLUE, counts={"main": 0}),
    )


@pytest.mark.assumed("no field but TerminationWaitInSeconds sets a final bake")
def test_all_at_once_without_a_termination_wait_never_looks_at_alarms() -> None:
    steps = plan_update(a_policy("ALL_AT_ONCE", termination_wait_seconds=0), {"a": 1}, {"a": 1})

    assert not [step for step in steps if isinstance(step, Bake)]


@pytest.mark.source(f"{GUARDRAILS}-blue-green-canary, sequence")
def test_canary_shifts_a_part_bakes_then_shifts_the_rest() -> None:
    policy = a_policy("CANARY", first_size=a_size(1))

    steps = plan_update(policy, {"main": 3}, {"main": 3})

    assert steps == (
        Launch(side=Side.GREEN, counts={"main": 3}),
        Shift(green_active={"main": 1}),
        Bake(seconds=60, full=False),
        Shift(green_active={"main": 3}, full=True),
        Bake(seconds=30, full=True),
        Terminate(side=Side.BLUE, counts={"main": 0}),
    )


@pytest.mark.source(f"{GUARDRAILS}-blue-green-linear, sequence")
def test_linear_turns_off_the_same_share_of_blue_at_each_step() -> None:
    policy = a_policy("LINEAR", first_size=a_size(25, "CAPACITY_PERCENT"))

    shifts = [
        step for step in plan_update(policy, {"main": 4}, {"main": 4}) if isinstance(step, Shift)
    ]

    assert [shift.green_active["main"] for shift in shifts] == [1, 2, 3, 4]
    assert [shift.blue_active for shift in shifts] == [{"main": 3}, {"main": 2}, {"main": 1}, None]


@pytest.mark.source(f"{GUARDRAILS}-rolling, sequence")
def test_rolling_holds_at_most_one_batch_more_than_the_fleet() -> None:
    policy = a_policy("ROLLING", batch_size=a_size(2))

    steps = plan_update(policy, {"main": 4}, {"main": 4})

    assert [step.counts["main"] for step in steps if isinstance(step, Launch)] == [2, 4]
    assert [step.counts["main"] for step in steps if isinstance(step, Terminate)] == [2, 0]


def test_a_rollback_brings_blue_up_before_it_takes_green_away() -> None:
    steps = plan_rollback({"main": 3}, green={"main": 2})

    assert steps == (
        Launch(side=Side.BLUE, counts={"main": 3}),
        Shift(green_active={"main": 0}),
        Terminate(side=Side.GREEN, counts={"main": 0}),
    )


@pytest.mark.source("botocore RollingUpdatePolicy RollbackMaximumBatchSize")
def test_a_rolling_rollback_comes_back_by_its_batches() -> None:
    steps = plan_rolling_rollback(
        a_size(50, "CAPACITY_PERCENT"),
        blue={"main": 4},
        blue_now={"main": 0},
        green={"main": 8},
        green_now={"main": 6},
    )

    assert steps == (
        Launch(side=Side.BLUE, counts={"main": 2}),
        Shift(green_active={"main": 4}),
        Terminate(side=Side.GREEN, counts={"main": 4}),
        Launch(side=Side.BLUE, counts={"main": 4}),
        Shift(green_active={"main": 0}),
        Terminate(side=Side.GREEN, counts={"main": 0}),
        *plan_rollback({"main": 4}, green={"main": 8}),
    )


def test_a_rolling_rollback_never_launches_what_it_takes_away() -> None:
    steps = plan_rolling_rollback(
        a_size(1), blue={"v": 2}, blue_now={"v": 0}, green={"v": 8}, green_now={"v": 2}
    )

    assert [s.counts["v"] for s in steps if isinstance(s, Terminate)] == [2, 0, 0]


def test_a_scale_grows_before_it_shrinks() -> None:
    launch, _, terminate = plan_scale({"a": 2, "b": 5}, {"a": 4, "b": 1})

    assert isinstance(launch, Launch)
    assert launch.counts == {"a": 4, "b": 5}
    assert isinstance(terminate, Terminate)
    assert terminate.counts == {"a": 4, "b": 1}


@pytest.mark.assumed("rounding of CAPACITY_PERCENT is not documented; at least one instance")
@pytest.mark.parametrize(("percent", "count", "instances"), [(10, 2, 1), (34, 3, 2), (50, 4, 2)])
def test_a_percent_of_capacity_is_rounded_up(percent: int, count: int, instances: int) -> None:
    assert instances_from_capacity(a_size(percent, "CAPACITY_PERCENT"), count) == instances


def test_a_deployment_config_without_a_policy_is_all_at_once_and_keeps_its_alarms() -> None:
    config = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}]}}

    policy = policy_from_deployment_config(config)

    assert policy == Policy(mode="ALL_AT_ONCE", alarm_names=("a",))


@given(
    mode=st.sampled_from(["ALL_AT_ONCE", "CANARY", "LINEAR", "ROLLING"]),
    blue=st.integers(2, 12),
    green=st.integers(2, 12),
    percent=st.integers(10, 50),
)
def test_every_plan_keeps_capacity_and_ends_with_all_traffic_on_green(
    mode: str, blue: int, green: int, percent: int
) -> None:
    size = a_size(percent, "CAPACITY_PERCENT")
    policy = a_policy(mode, first_size=size, batch_size=size)

    existing = {Side.BLUE: blue, Side.GREEN: 0}
    active: list[int] = []
    for step in plan_update(policy, {"v": blue}, {"v": green}):
        if isinstance(step, Launch | Terminate):
            existing[step.side] = step.counts["v"]
        if isinstance(step, Shift):
            active.append(step.green_active["v"])
            assert step.green_active["v"] <= existing[Side.GREEN]
        assert sum(existing.values()) >= min(blue, green)

    assert active == sorted(active)
    assert active[-1] == green
    assert existing == {Side.BLUE: 0, Side.GREEN: green}
