"""What the policies of one target want together, once alarms have asked them: pure.

Source: Application Auto Scaling User Guide, target tracking and step scaling policies: cooldowns,
multiple policies, read 2026. The size of a scale-in step of target tracking isn't documented; the
rehearsal goes to what the metric would need, at most half of the capacity away at once (assumed).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rehearsal.cloud.scaling.step import adjusted, aggregated, step_for
from rehearsal.cloud.scaling.target import Memory, ScalableTarget, ScalingPolicy


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """An alarm asked a policy to scale.

    Args:
        values: the datapoints the alarm was evaluated on, newest last
    """

    policy: ScalingPolicy
    alarm_name: str
    threshold: float | None
    values: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the decision looks at besides the triggers.

    Args:
        ready_to_scale_in: names of the target tracking policies whose low alarm is in ALARM
        tracking: every target tracking policy of the target
    """

    now: float
    current: int
    memories: Mapping[str, Memory] = field(default_factory=dict)
    tracking: Sequence[ScalingPolicy] = ()
    ready_to_scale_in: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The capacity one policy wants, in the target's bounds, and what it would be without."""

    trigger: Trigger
    capacity: int
    unbounded: int


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The outcome: a new capacity, or the reason there is none.

    Args:
        capacity: the current one when nothing changes
        not_scaled: a NotScaledReasons code, None when something changes or nothing is to be said
    """

    trigger: Trigger
    capacity: int
    not_scaled: str | None = None


def decide(target: ScalableTarget, triggers: Sequence[Trigger], seen: Seen) -> Decision | None:
    """Return what happens: out to the most that any policy wants, in only if all agree.

    Returns:
        None when nothing is to happen and nothing to be said of it
    """
    wishes = [wish for wish in (_wish(target, t, seen) for t in triggers) if wish is not None]
    outs = [wish for wish in wishes if wish.capacity > seen.current]
    if outs:
        if target.suspended.get("DynamicScalingOutSuspended"):
            return None
        best = max(outs, key=lambda wish: wish.capacity)
        return Decision(trigger=best.trigger, capacity=best.capacity)
    ins = [wish for wish in wishes if wish.capacity < seen.current]
    if ins and len(ins) == len(wishes):
        if target.suspended.get("DynamicScalingInSuspended"):
            return None
        best = max(ins, key=lambda wish: wish.capacity)
        return Decision(trigger=best.trigger, capacity=best.capacity)
    held = [wish for wish in wishes if wish.capacity == seen.current]
    return _not_scaled(target, held[0], seen) if held else None


def _wish(target: ScalableTarget, trigger: Trigger, seen: Seen) -> Wish | None:
    policy = trigger.policy
    memory = seen.memories.get(policy.name, Memory())
    wanted = (
        _tracked(trigger, seen, memory) if policy.is_tracking else _stepped(trigger, seen, memory)
    )
    if wanted is None:
        return None
    if wanted > seen.current:
        bounded = max(seen.current, min(wanted, target.max_capacity))
    else:
        bounded = min(seen.current, max(wanted, target.min_capacity))
    return Wish(trigger=trigger, capacity=bounded, unbounded=wanted)


def _tracked(trigger: Trigger, seen: Seen, memory: Memory) -> int | None:
    policy = trigger.policy
    if not trigger.values:
        return None
    metric = trigger.values[-1]
    if trigger.alarm_name == policy.alarm_high:
        base = _base(policy, seen, memory)
        needed = math.ceil(max(base, 1) * metric / policy.target_value)
        return max(seen.current, needed)
    if not policy.may_scale_in or not _all_ready(seen) or _is_cooling_in(policy, seen, memory):
        return None
    needed = math.ceil(seen.current * metric / policy.target_value)
    half = math.ceil(seen.current / 2) if seen.current > 1 else 0
    return min(seen.current, max(needed, half))


def _stepped(trigger: Trigger, seen: Seen, memory: Memory) -> int | None:
    policy = trigger.policy
    value = aggregated(policy, trigger.values)
    if value is None or trigger.threshold is None:
        return None
    step = step_for(policy, value - trigger.threshold)
    if step is None:
        return None
    wanted = adjusted(policy, step, seen.current)
    if wanted < seen.current:
        return None if _is_cooling_in(policy, seen, memory) else wanted
    return max(seen.current, adjusted(policy, step, _base(policy, seen, memory)))


def _base(policy: ScalingPolicy, seen: Seen, memory: Memory) -> int:
    """Return the capacity a scale out counts from: what a cooling one added is part of the next."""
    if memory.out_at is None or seen.now - memory.out_at >= policy.cooldown_seconds(out=True):
        return seen.current
    return min(memory.out_base, seen.current)


def _is_cooling_in(policy: ScalingPolicy, seen: Seen, memory: Memory) -> bool:
    if memory.in_at is None:
        return False
    return seen.now - memory.in_at < policy.cooldown_seconds(out=False)


def _all_ready(seen: Seen) -> bool:
    """Tell whether every target tracking policy that may scale in is ready to."""
    return all(p.name in seen.ready_to_scale_in for p in seen.tracking if p.may_scale_in)


def _not_scaled(target: ScalableTarget, wish: Wish, seen: Seen) -> Decision:
    if wish.unbounded > seen.current and seen.current >= target.max_capacity:
        code = "AlreadyAtMaxCapacity"
    elif wish.unbounded < seen.current and seen.current <= target.min_capacity:
        code = "AlreadyAtMinCapacity"
    else:
        code = "AlreadyAtDesiredCapacity"
    return Decision(trigger=wish.trigger, capacity=seen.current, not_scaled=code)
