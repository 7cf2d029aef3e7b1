"""Step scaling: which step a breach takes and what it makes of a capacity; pure.

Source: Application Auto Scaling User Guide, "Step scaling policies": step adjustments, scaling
adjustment types, read 2026.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.cloud.scaling.target import ScalingPolicy

MAXIMUM_STEPS = 20


def aggregated(policy: ScalingPolicy, values: Sequence[float]) -> float | None:
    """Return one value of an alarm's datapoints, by MetricAggregationType; None without any.

    Which datapoints it aggregates isn't documented: those the alarm was evaluated on (assumed).
    """
    if not values:
        return None
    kind = policy.configuration.get("MetricAggregationType", "Average")
    if kind == "Minimum":
        return min(values)
    return max(values) if kind == "Maximum" else statistics.fmean(values)


def step_for(policy: ScalingPolicy, breach: float) -> Mapping[str, Any] | None:
    """Return the step adjustment for a breach, the metric's value less the alarm's threshold.

    Above the threshold the lower bound belongs to the step, below it the upper bound does.
    """
    for step in policy.configuration.get("StepAdjustments", ()):
        lower = float(step.get("MetricIntervalLowerBound", -math.inf))
        upper = float(step.get("MetricIntervalUpperBound", math.inf))
        inside = lower <= breach < upper if breach >= 0 else lower < breach <= upper
        if inside:
            found: Mapping[str, Any] = step
            return found
    return None


def adjusted(policy: ScalingPolicy, step: Mapping[str, Any], capacity: int) -> int:
    """Return the capacity after a step, before the target's bounds."""
    adjustment = int(step["ScalingAdjustment"])
    kind = policy.configuration["AdjustmentType"]
    if kind == "ExactCapacity":
        return adjustment
    if kind == "ChangeInCapacity":
        return max(0, capacity + adjustment)
    change = _rounded(capacity * adjustment / 100)
    least = int(policy.configuration.get("MinAdjustmentMagnitude", 1))
    if adjustment and abs(change) < least:
        change = int(math.copysign(least, adjustment))
    return max(0, capacity + change)


def step_problem(configuration: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a step scaling configuration, or None."""
    kind, steps = configuration.get("AdjustmentType"), configuration.get("StepAdjustments") or []
    if kind is None:
        return "AdjustmentType is required for a step scaling policy."
    if not steps:
        return "At least one StepAdjustment is required for a step scaling policy."
    if len(steps) > MAXIMUM_STEPS:
        return f"{len(steps)} step adjustments are more than the {MAXIMUM_STEPS} of a policy."
    if "MinAdjustmentMagnitude" in configuration and kind != "PercentChangeInCapacity":
        return "MinAdjustmentMagnitude is valid only with PercentChangeInCapacity."
    if kind == "ExactCapacity" and any(int(step["ScalingAdjustment"]) < 0 for step in steps):
        return "ScalingAdjustment must not be negative with ExactCapacity."
    return _interval_problem(steps)


def _interval_problem(steps: Sequence[Mapping[str, Any]]) -> str | None:
    intervals = sorted(
        (
            float(step.get("MetricIntervalLowerBound", -math.inf)),
            float(step.get("MetricIntervalUpperBound", math.inf)),
        )
        for step in steps
    )
    if any(lower >= upper for lower, upper in intervals):
        return "MetricIntervalLowerBound must be less than MetricIntervalUpperBound."
    for (_, upper), (lower, _) in itertools.pairwise(intervals):
        if lower < upper:
            return "StepAdjustment intervals can't overlap."
        if lower > upper:
            return "There can't be a gap between StepAdjustment intervals."
    lowest, highest = intervals[0][0], intervals[-1][1]
    if lowest < 0 and lowest != -math.inf:
        return "If one step has a negative lower bound, one must have no lower bound."
    if highest > 0 and highest != math.inf:
        return "If one step has a positive upper bound, one must have no upper bound."
    return None


def _rounded(change: float) -> int:
    """Round a percentage's change as documented: towards zero, but never to zero."""
    if 0 < change < 1:
        return 1
    if -1 < change < 0:
        return -1
    return math.trunc(change)
