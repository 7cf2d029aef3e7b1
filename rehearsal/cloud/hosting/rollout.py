"""What a deployment will do, step by step: plans are data, made before anything moves.

Source: SageMaker Developer Guide, deployment guardrails (blue/green all at once, canary, linear,
rolling), read 2026. The final bake is taken to be TerminationWaitInSeconds, because no other
field sets it and the status text names it (assumed).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Counts = Mapping[str, int]


class Side(StrEnum):
    """The fleet a step acts on: the one serving before the update, or the new one."""

    BLUE = "blue"
    GREEN = "green"


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Bring a fleet up to these instance counts and wait until they are healthy."""

    side: Side
    counts: Counts


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Send traffic to so many green instances per variant, and to so many blue ones.

    A variant's green share is its active green instances over the variant's green size.
    """

    green_active: Counts
    blue_active: Counts | None = None
    full: bool = False


@dataclass(frozen=True, kw_only=True)
class Bake:
    """Let the green fleet serve while the alarms are watched."""

    seconds: float
    full: bool


@dataclass(frozen=True, kw_only=True)
class Terminate:
    """Take a fleet down to these instance counts, after its requests have drained."""

    side: Side
    counts: Counts


@dataclass(frozen=True, kw_only=True)
class SetWeights:
    """Make the desired weights the current ones."""


Step = Launch | Shift | Bake | Terminate | SetWeights


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A DeploymentConfig in the terms the plan needs."""

    mode: str
    first_size: Mapping[str, Any] | None = None
    batch_size: Mapping[str, Any] | None = None
    rollback_batch_size: Mapping[str, Any] | None = None
    bake_seconds: float = 0
    termination_wait_seconds: float = 0
    maximum_execution_timeout_seconds: float | None = None
    alarm_names: tuple[str, ...] = ()


def policy_from_deployment_config(config: Mapping[str, Any] | None) -> Policy:
    """Read a DeploymentConfig; without one an update is blue/green, all at once, unwatched."""
    if config is None:
        return Policy(mode="ALL_AT_ONCE")
    alarms = tuple(
        alarm["AlarmName"]
        for alarm in config.get("AutoRollbackConfiguration", {}).get("Alarms", ())
        if "AlarmName" in alarm
    )
    rolling = config.get("RollingUpdatePolicy")
    if rolling is not None:
        return Policy(
            mode="ROLLING",
            batch_size=rolling["MaximumBatchSize"],
            rollback_batch_size=rolling.get("RollbackMaximumBatchSize"),
            bake_seconds=rolling["WaitIntervalInSeconds"],
            maximum_execution_timeout_seconds=rolling.get("MaximumExecutionTimeoutInSeconds"),
            alarm_names=alarms,
        )
    blue_green = config.get("BlueGreenUpdatePolicy")
    if blue_green is None:
        return Policy(mode="ALL_AT_ONCE", alarm_names=alarms)
    routing = blue_green["TrafficRoutingConfiguration"]
    return Policy(
        mode=routing["Type"],
        first_size=routing.get("CanarySize" if routing["Type"] == "CANARY" else "LinearStepSize"),
        bake_seconds=routing["WaitIntervalInSeconds"],
        termination_wait_seconds=blue_green.get("TerminationWaitInSeconds", 0),
        maximum_execution_timeout_seconds=blue_green.get("MaximumExecutionTimeoutInSeconds"),
        alarm_names=alarms,
    )


def instances_from_capacity(size: Mapping[str, Any], instance_count: int) -> int:
    """Return the instances a CapacitySize means: at least one, percent rounded up (assumed)."""
    if size["Type"] == "INSTANCE_COUNT":
        return max(1, min(int(size["Value"]), instance_count))
    return max(1, math.ceil(instance_count * int(size["Value"]) / 100))


def plan_create(green: Counts) -> tuple[Step, ...]:
    """Return the steps of a first deployment."""
    return (Launch(side=Side.GREEN, counts=green), Shift(green_active=green, full=True))


def plan_update(policy: Policy, blue: Counts, green: Counts) -> tuple[Step, ...]:
    """Return the steps of an UpdateEndpoint.

    Args:
        policy: how the traffic moves
        blue: instances per variant of the fleet that serves now
        green: instances per variant the new fleet gets
    """
    if policy.mode == "ROLLING":
        return _plan_rolling(policy, blue, green)
    steps: list[Step] = [Launch(side=Side.GREEN, counts=green)]
    for active in _partial_stages(policy, green):
        steps.append(
            Shift(
                green_active=active,
                blue_active=_left_over(active, blue, green) if policy.mode == "LINEAR" else None,
            )
        )
        steps.extend(_bake(policy.bake_seconds, full=False))
    steps.append(Shift(green_active=green, full=True))
    steps.extend(_bake(policy.termination_wait_seconds, full=True))
    steps.append(Terminate(side=Side.BLUE, counts=dict.fromkeys(blue, 0)))
    return tuple(steps)


def plan_rollback(blue: Counts, *, green: Counts) -> tuple[Step, ...]:
    """Return the steps that put the blue fleet back; rolling needs its instances again."""
    return (
        Launch(side=Side.BLUE, counts=blue),
        Shift(green_active=dict.fromkeys(green, 0)),
        Terminate(side=Side.GREEN, counts=dict.fromkeys(green, 0)),
    )


def plan_rolling_rollback(
    batch_size: Mapping[str, Any],
    *,
    blue: Counts,
    blue_now: Counts,
    green: Counts,
    green_now: Counts,
) -> tuple[Step, ...]:
    """Return the steps that put the blue fleet back by batches.

    Each provisions a batch of the old fleet, turns its traffic on and takes as much of the new
    fleet away, as RollbackMaximumBatchSize says.

    Args:
        blue: instances of the fleet that served before the update
        blue_now: what is left of it
        green: instances the new fleet was to get
        green_now: what it has got
    """
    ((name, total),) = blue.items()
    ((green_name, green_total),) = green.items()
    batch = instances_from_capacity(batch_size, total)
    steps: list[Step] = []
    back = blue_now.get(name, 0)
    while back < total:
        back = min(total, back + batch)
        share = math.ceil(green_total * (total - back) / total)
        left = {green_name: min(green_now.get(green_name, 0), share)}
        steps.append(Launch(side=Side.BLUE, counts={name: back}))
        steps.append(Shift(green_active=left))
        steps.append(Terminate(side=Side.GREEN, counts=left))
    return (*steps, *plan_rollback(blue, green=green))


def plan_scale(before: Counts, after: Counts) -> tuple[Step, ...]:
    """Return the steps of a change of capacity or weight: grow, weigh, shrink."""
    grown = {name: max(before.get(name, 0), count) for name, count in after.items()}
    return (
        Launch(side=Side.BLUE, counts=grown),
        SetWeights(),
        Terminate(side=Side.BLUE, counts=after),
    )


def plan_delete(blue: Counts) -> tuple[Step, ...]:
    """Return the steps of a deletion."""
    return (Terminate(side=Side.BLUE, counts=dict.fromkeys(blue, 0)),)


def _partial_stages(policy: Policy, green: Counts) -> list[dict[str, int]]:
    """Return the active green instances of each stage before the last."""
    if policy.first_size is None or policy.mode == "ALL_AT_ONCE":
        return []
    size = policy.first_size
    step = {name: instances_from_capacity(size, count) for name, count in green.items()}
    if policy.mode == "CANARY":
        return [step]
    stages = max((math.ceil(green[name] / step[name]) for name in green), default=1)
    return [
        {name: min(count, step[name] * stage) for name, count in green.items()}
        for stage in range(1, stages)
    ]


def _left_over(active: Counts, blue: Counts, green: Counts) -> dict[str, int]:
    """Return the blue instances still on when green took its share, at least one."""
    return {
        name: max(1, count - math.floor(count * active.get(name, 0) / max(1, green.get(name, 1))))
        for name, count in blue.items()
    }


def _plan_rolling(policy: Policy, blue: Counts, green: Counts) -> tuple[Step, ...]:
    ((name, target),) = green.items()
    ((blue_name, before),) = blue.items()
    assert policy.batch_size is not None
    batch = instances_from_capacity(policy.batch_size, max(before, target))
    batches = math.ceil(max(before, target) / batch)
    steps: list[Step] = []
    for number in range(1, batches + 1):
        launched = min(target, batch * number)
        last = number == batches
        left = 0 if last else max(0, before - batch * number)
        steps.append(Launch(side=Side.GREEN, counts={name: target if last else launched}))
        steps.append(Shift(green_active={name: target if last else launched}, full=last))
        steps.extend(_bake(policy.bake_seconds, full=last))
        steps.append(Terminate(side=Side.BLUE, counts={blue_name: left}))
    return tuple(steps)


def _bake(seconds: float, *, full: bool) -> list[Step]:
    """Return a bake, or nothing when there is no time to look at an alarm."""
    return [Bake(seconds=seconds, full=full)] if seconds > 0 else []
