"""Step scaling: the step a breach takes, and what it makes of a capacity."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.scaling.step import adjusted, aggregated, step_for, step_problem
from rehearsal.cloud.scaling.target import STEP_SCALING, ScalingPolicy

STEPS = "AAS application-auto-scaling-step-scaling-policies"
# The guide's example: 50 is the threshold.
UP = {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 0}
UP_MORE = {"MetricIntervalLowerBound": 10, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 10}
UP_MOST = {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 30}
DOWN = {"MetricIntervalLowerBound": -10, "MetricIntervalUpperBound": 0, "ScalingAdjustment": 0}
DOWN_MORE = {
    "MetricIntervalLowerBound": -20,
    "MetricIntervalUpperBound": -10,
    "ScalingAdjustment": -10,
}
DOWN_MOST = {"MetricIntervalUpperBound": -20, "ScalingAdjustment": -30}
GUIDE = [UP, UP_MORE, UP_MOST, DOWN, DOWN_MORE, DOWN_MOST]


def a_policy(kind: str = "PercentChangeInCapacity", **more: Any) -> ScalingPolicy:
    return ScalingPolicy(
        name="p",
        resource_id="endpoint/e/variant/v",
        dimension="d",
        policy_type=STEP_SCALING,
        arn="arn",
        configuration={"AdjustmentType": kind, "StepAdjustments": GUIDE, **more},
        creation_time=0.0,
    )


@pytest.mark.source(f"{STEPS}, step adjustments: which bound belongs to the step")
@pytest.mark.parametrize(
    ("breach", "expected"),
    [
        (0.0, UP),
        (9.9, UP),
        (10.0, UP_MORE),
        (20.0, UP_MOST),
        (-0.1, DOWN),
        (-10.0, DOWN_MORE),
        (-19.9, DOWN_MORE),
        (-20.0, DOWN_MOST),
    ],
)
def test_a_breach_takes_the_step_of_its_interval(breach: float, expected: dict[str, Any]) -> None:
    assert step_for(a_policy(), breach) == expected


@pytest.mark.source(f"{STEPS}, scaling adjustment types: rounding")
@pytest.mark.parametrize(
    ("percent", "capacity", "expected"),
    [(127, 10, 22), (67, 1, 2), (-58, 1, 0), (-66, 10, 4), (0, 10, 10)],
)
def test_a_percentage_is_rounded_towards_zero_but_never_to_it(
    percent: int, capacity: int, expected: int
) -> None:
    assert adjusted(a_policy(), {"ScalingAdjustment": percent}, capacity) == expected


@pytest.mark.source("botocore StepScalingPolicyConfiguration, MinAdjustmentMagnitude")
def test_a_percentage_changes_by_at_least_the_minimum_magnitude() -> None:
    policy = a_policy(MinAdjustmentMagnitude=2)

    assert adjusted(policy, {"ScalingAdjustment": 25}, 4) == 6
    assert adjusted(policy, {"ScalingAdjustment": -25}, 4) == 2
    assert adjusted(policy, {"ScalingAdjustment": 100}, 4) == 8


@pytest.mark.source(f"{STEPS}, scaling adjustment types")
def test_a_step_changes_or_sets_the_capacity() -> None:
    assert adjusted(a_policy("ChangeInCapacity"), {"ScalingAdjustment": 3}, 2) == 5
    assert adjusted(a_policy("ChangeInCapacity"), {"ScalingAdjustment": -3}, 2) == 0
    assert adjusted(a_policy("ExactCapacity"), {"ScalingAdjustment": 3}, 7) == 3


@pytest.mark.assumed("which datapoints are aggregated is not documented")
def test_the_datapoints_are_aggregated_as_asked() -> None:
    values = (1.0, 2.0, 6.0)

    assert aggregated(a_policy(), values) == 3.0
    assert aggregated(a_policy(MetricAggregationType="Minimum"), values) == 1.0
    assert aggregated(a_policy(MetricAggregationType="Maximum"), values) == 6.0
    assert aggregated(a_policy(), ()) is None


@pytest.mark.assumed("rules are AAS's, the texts are not documented")
@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"StepAdjustments": [UP_MOST]}, "AdjustmentType is required"),
        ({"AdjustmentType": "ExactCapacity"}, "At least one StepAdjustment"),
        ({"StepAdjustments": [UP, UP]}, "can't overlap"),
        ({"StepAdjustments": [UP, UP_MOST]}, "can't be a gap"),
        ({"StepAdjustments": [UP, UP_MORE]}, "no upper bound"),
        ({"StepAdjustments": [DOWN]}, "no lower bound"),
        ({"StepAdjustments": [{**UP, "MetricIntervalUpperBound": 0}]}, "must be less than"),
        (
            {"AdjustmentType": "ChangeInCapacity", "MinAdjustmentMagnitude": 1},
            "only with PercentChangeInCapacity",
        ),
        (
            {"AdjustmentType": "ExactCapacity", "StepAdjustments": [DOWN_MOST, DOWN_MORE, UP]},
            "must not be negative",
        ),
        ({"StepAdjustments": [UP_MOST] * 21}, "more than the 20"),
    ],
)
def test_steps_that_contradict_each_other_are_refused(
    configuration: dict[str, Any], said: str
) -> None:
    defaults: dict[str, Any] = {"StepAdjustments": [UP_MOST]} if "Exact" not in said else {}
    if said == "At least one StepAdjustment":
        defaults = {}
    kind = {} if "AdjustmentType" in said else {"AdjustmentType": "PercentChangeInCapacity"}

    assert said in str(step_problem({**kind, **defaults, **configuration}))


def test_the_guides_steps_are_accepted() -> None:
    assert step_problem(a_policy().configuration) is None
