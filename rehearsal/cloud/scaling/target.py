"""Scalable targets and policies as values, and what target tracking decides: pure.

Source: Application Auto Scaling User Guide, target tracking scaling policies, read 2026. The size
of a scale-in step is not stated; the rehearsal goes to what the metric would need, at most half
of the fleet away at once (assumed).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_COOLDOWN_SECONDS = 300
LOW_FRACTION = 0.9
HIGH_PERIODS = 3
LOW_PERIODS = 15
PERIOD_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class ScalableTarget:
    """One registered variant."""

    resource_id: str
    dimension: str
    min_capacity: int
    max_capacity: int
    arn: str
    creation_time: float
    suspended: Mapping[str, bool] = field(default_factory=dict)

    @property
    def endpoint_name(self) -> str:
        return self.resource_id.split("/")[1]

    @property
    def variant_name(self) -> str:
        return self.resource_id.split("/")[3]


@dataclass(frozen=True, kw_only=True)
class ScalingPolicy:
    """One policy of a target, with the alarms it owns."""

    name: str
    resource_id: str
    dimension: str
    policy_type: str
    arn: str
    configuration: Mapping[str, Any]
    creation_time: float
    alarm_high: str
    alarm_low: str

    @property
    def target_value(self) -> float:
        return float(self.configuration["TargetValue"])

    def cooldown_seconds(self, *, out: bool) -> int:
        """Return the cooldown of a direction; SageMaker variants have 300 s unless told."""
        name = "ScaleOutCooldown" if out else "ScaleInCooldown"
        return int(self.configuration.get(name, DEFAULT_COOLDOWN_SECONDS))


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What one policy's alarms and the last scaling say at this moment.

    Args:
        metric: the tracked metric's latest value per instance, None without data
        last_out: rehearsal time of the last scale out, or None
        last_in: rehearsal time of the last scale in, or None
    """

    now: float
    current: int
    metric: float | None
    is_high: bool
    is_low: bool
    last_out: float | None = None
    last_in: float | None = None


def desired_count(target: ScalableTarget, policy: ScalingPolicy, seen: Activity) -> int:
    """Return the count the policy wants now; the current one when it wants no change."""
    if seen.metric is None:
        return seen.current
    needed = max(1, math.ceil(seen.current * seen.metric / policy.target_value))
    if seen.is_high and not target.suspended.get("DynamicScalingOutSuspended"):
        wanted = min(target.max_capacity, max(seen.current, needed))
        cooling = _within(seen.last_out, seen.now, policy.cooldown_seconds(out=True))
        return seen.current if cooling else wanted
    if seen.is_low and not target.suspended.get("DynamicScalingInSuspended"):
        if policy.configuration.get("DisableScaleIn"):
            return seen.current
        cooldown = policy.cooldown_seconds(out=False)
        if _within(seen.last_in, seen.now, cooldown) or _within(seen.last_out, seen.now, cooldown):
            return seen.current
        wanted = max(needed, math.ceil(seen.current / 2), target.min_capacity)
        return min(seen.current, wanted)
    return seen.current


def within_bounds(target: ScalableTarget, current: int) -> int:
    """Return the count brought into the target's bounds."""
    return min(max(current, target.min_capacity), target.max_capacity)


def _within(moment: float | None, now: float, seconds: float) -> bool:
    return moment is not None and now - moment < seconds
