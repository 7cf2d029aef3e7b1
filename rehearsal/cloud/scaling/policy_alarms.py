"""The two alarms a target tracking policy owns.

Source: Application Auto Scaling User Guide, target tracking; names and periods as consoles and
CLI outputs show them.
"""

from __future__ import annotations

import uuid

from rehearsal.cloud.cloudwatch.backend import RehearsedCloudWatch
from rehearsal.cloud.runtime.meter import NAMESPACE
from rehearsal.cloud.scaling.target import (
    HIGH_PERIODS,
    LOW_FRACTION,
    LOW_PERIODS,
    PERIOD_SECONDS,
    ScalableTarget,
    ScalingPolicy,
)


def put_alarms(
    cloudwatch: RehearsedCloudWatch, policy: ScalingPolicy, target: ScalableTarget, metric: str
) -> None:
    """Create AlarmHigh (3 of 3 minutes) and AlarmLow (15 of 15, below 0.9 of the target)."""
    action = f"{policy.arn}:createdBy/{uuid.uuid4()}"
    dimensions = [
        {"Name": "EndpointName", "Value": target.endpoint_name},
        {"Name": "VariantName", "Value": target.variant_name},
    ]
    for name, operator, periods, threshold in (
        (policy.alarm_high, "GreaterThanThreshold", HIGH_PERIODS, policy.target_value),
        (policy.alarm_low, "LessThanThreshold", LOW_PERIODS, policy.target_value * LOW_FRACTION),
    ):
        cloudwatch.put_alarm(
            name,
            {
                "Namespace": NAMESPACE,
                "MetricName": metric,
                "ComparisonOperator": operator,
                "EvaluationPeriods": periods,
                "Period": PERIOD_SECONDS,
                "Threshold": threshold,
                "Statistic": "Sum",
                "AlarmDescription": (
                    f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}."
                ),
                "Dimensions": dimensions,
                "AlarmActions": [action],
            },
        )


def delete_alarms(cloudwatch: RehearsedCloudWatch, policy: ScalingPolicy) -> None:
    """Delete the policy's alarms; alarms vanish with their policy."""
    cloudwatch.delete_alarms([policy.alarm_high, policy.alarm_low])
