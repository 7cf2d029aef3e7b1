"""The metric a target tracking policy follows, and the two alarms it owns; pure.

Source: Application Auto Scaling User Guide, target tracking and its predefined metrics; alarm
names, periods and thresholds as consoles and CLI outputs show them. The statistics of the metrics
by concurrency aren't documented (assumed: Maximum).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.errors import validation_exception
from rehearsal.cloud.runtime.meter import NAMESPACE
from rehearsal.cloud.scaling.target import (
    CONCURRENCY_DIMENSION,
    COUNT_DIMENSION,
    ScalableTarget,
    ScalingPolicy,
)

LOW_FRACTION = 0.9
STANDARD_PERIOD_SECONDS = 60
HIGH_RESOLUTION_PERIOD_SECONDS = 10
HIGH_PERIODS = 3
LOW_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class Predefined:
    """A predefined metric of AWS/SageMaker, by the variant's dimensions."""

    name: str
    statistic: str
    period: int = STANDARD_PERIOD_SECONDS


PREDEFINED: Mapping[str, Mapping[str, Predefined]] = {
    COUNT_DIMENSION: {
        "SageMakerVariantInvocationsPerInstance": Predefined(
            name="InvocationsPerInstance", statistic="Sum"
        ),
        "SageMakerVariantConcurrentRequestsPerModelHighResolution": Predefined(
            name="ConcurrentRequestsPerModel",
            statistic="Maximum",
            period=HIGH_RESOLUTION_PERIOD_SECONDS,
        ),
    },
    CONCURRENCY_DIMENSION: {
        "SageMakerVariantProvisionedConcurrencyUtilization": Predefined(
            name="ServerlessProvisionedConcurrencyUtilization", statistic="Maximum"
        ),
    },
}


def tracking_problem(dimension: str, configuration: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a target tracking configuration, or None."""
    predefined = configuration.get("PredefinedMetricSpecification")
    customized = configuration.get("CustomizedMetricSpecification")
    if (predefined is None) == (customized is None):
        return (
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must "
            "be specified."
        )
    if configuration["TargetValue"] <= 0:
        return f"TargetValue {configuration['TargetValue']} must be greater than 0."
    if predefined is not None:
        allowed = PREDEFINED[dimension]
        if predefined["PredefinedMetricType"] not in allowed:
            return (
                f"Scalable dimension {dimension} only supports the following predefined metric "
                f"types: {', '.join(allowed)}"
            )
        return None
    assert customized is not None
    if "Metrics" in customized:
        return _queries_problem(customized)
    missing = [n for n in ("MetricName", "Namespace", "Statistic") if n not in customized]
    return f"CustomizedMetricSpecification lacks {', '.join(missing)}." if missing else None


def _queries_problem(customized: Mapping[str, Any]) -> str | None:
    both = [name for name in ("MetricName", "Namespace", "Statistic") if name in customized]
    if both:
        return f"Metrics and {both[0]} must not be given together."
    returned = [query for query in customized["Metrics"] if query.get("ReturnData", True)]
    if len(returned) != 1:
        return "Exactly one of Metrics must return data."
    return None


def metric_members(target: ScalableTarget, policy: ScalingPolicy) -> dict[str, Any]:
    """Return the members of an alarm that name the metric a policy follows."""
    predefined = policy.configuration.get("PredefinedMetricSpecification")
    if predefined is not None:
        known = PREDEFINED[target.dimension].get(predefined["PredefinedMetricType"])
        if known is None:
            raise validation_exception(
                str(tracking_problem(target.dimension, policy.configuration))
            )
        return {
            "Namespace": NAMESPACE,
            "MetricName": known.name,
            "Dimensions": [{"Name": n, "Value": v} for n, v in target.dimensions.items()],
            "Statistic": known.statistic,
            "Period": known.period,
        }
    customized = policy.configuration["CustomizedMetricSpecification"]
    if "Metrics" in customized:
        return {"Metrics": [_query(query) for query in customized["Metrics"]]}
    return {
        "Namespace": customized["Namespace"],
        "MetricName": customized["MetricName"],
        "Dimensions": list(customized.get("Dimensions", ())),
        "Statistic": customized["Statistic"],
        "Period": STANDARD_PERIOD_SECONDS,
        **({"Unit": customized["Unit"]} if "Unit" in customized else {}),
    }


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alarm's query; a policy's has no period, so it gets a minute's."""
    stat = query.get("MetricStat")
    if stat is None:
        return dict(query)
    return {**query, "MetricStat": {**stat, "Period": STANDARD_PERIOD_SECONDS}}


def alarms_of(
    target: ScalableTarget, policy: ScalingPolicy, action: str
) -> dict[str, dict[str, Any]]:
    """Return both alarms by name: high after 3 periods, low after 15 minutes below 0.9.

    Args:
        action: what the alarms invoke, the policy with a createdBy suffix
    """
    metric = metric_members(target, policy)
    low_periods = LOW_SECONDS // int(metric.get("Period", STANDARD_PERIOD_SECONDS))
    shared = {
        **metric,
        "TreatMissingData": "missing",
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}.",
        "AlarmActions": [action],
    }
    return {
        policy.alarm_high: {
            **shared,
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": HIGH_PERIODS,
            "Threshold": policy.target_value,
        },
        policy.alarm_low: {
            **shared,
            "ComparisonOperator": "LessThanThreshold",
            "EvaluationPeriods": low_periods,
            "Threshold": policy.target_value * LOW_FRACTION,
        },
    }
