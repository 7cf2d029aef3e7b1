"""Rules on the members of an alarm that its service model doesn't state.

Source: botocore PutMetricAlarm and PutCompositeAlarm; texts as users report them where a test
says source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rehearsal.cloud.cloudwatch.alarm import COMPARISONS
from rehearsal.cloud.cloudwatch.composite import BadRule, parse_rule
from rehearsal.cloud.cloudwatch.datapoints import period_of, returned_query
from rehearsal.cloud.cloudwatch.math_queries import check_queries
from rehearsal.cloud.cloudwatch.statistic import is_extended
from rehearsal.cloud.errors import ApiError

HIGH_RESOLUTION_PERIODS = (10, 20, 30)
DAY_SECONDS, WEEK_SECONDS = 86_400, 604_800
MAXIMUM_METRICS = 10
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
SINGLE_METRIC = ("MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic")
UNREHEARSED_METRIC = (
    "ThresholdMetricId",
    "EvaluationWindow",
    "WarmUpConfiguration",
    "EvaluationCriteria",
    "EvaluationInterval",
    "ActionConfiguration",
)
UNREHEARSED_COMPOSITE = (
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
    "ActionConfiguration",
)

Members = Mapping[str, Any]


def check_metric_alarm(members: Members) -> None:
    """Refuse a metric alarm that contradicts itself or uses what isn't rehearsed."""
    _refuse_unrehearsed(members, UNREHEARSED_METRIC)
    if members.get("ComparisonOperator") not in COMPARISONS:
        raise refused(
            f"the rehearsal cloud does not compare {members.get('ComparisonOperator')}; use "
            f"{', '.join(COMPARISONS)}"
        )
    if "Threshold" not in members or "EvaluationPeriods" not in members:
        raise refused("Threshold and EvaluationPeriods are required for a static threshold.")
    if members.get("DatapointsToAlarm", 1) > members["EvaluationPeriods"]:
        raise refused(
            f"DatapointsToAlarm {members['DatapointsToAlarm']} must be less than or equal to "
            f"EvaluationPeriods {members['EvaluationPeriods']}."
        )
    if members.get("TreatMissingData", "missing") not in TREATMENTS:
        raise refused(f"TreatMissingData must be one of {', '.join(TREATMENTS)}.")
    if members.get("EvaluateLowSampleCountPercentile", "ignore") not in ("evaluate", "ignore"):
        raise refused("EvaluateLowSampleCountPercentile must be evaluate or ignore.")
    _check_metric(members)
    _check_range(period_of(members), int(members["EvaluationPeriods"]))
    check_actions(members)


def check_composite_alarm(members: Members) -> None:
    """Refuse a composite alarm whose rule can't be read."""
    _refuse_unrehearsed(members, UNREHEARSED_COMPOSITE)
    try:
        parse_rule(members["AlarmRule"])
    except BadRule as err:
        raise refused(f"Error in AlarmRule: {err}") from err
    check_actions(members)


def check_actions(members: Members) -> None:
    """Refuse an action that is no ARN; CloudWatch does not look whether it exists."""
    for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        for arn in members.get(name, ()):
            if not arn.startswith("arn:") or arn.count(":") < 5:
                raise refused(f"Invalid arn syntax: {arn}")


def _check_metric(members: Members) -> None:
    queries = members.get("Metrics")
    if queries:
        both = [name for name in (*SINGLE_METRIC, "ExtendedStatistic") if members.get(name)]
        if both:
            raise refused(f"Metrics list and {both[0]} must not be given together.")
        if len(queries) > MAXIMUM_METRICS:
            raise refused(f"An alarm takes at most {MAXIMUM_METRICS} metrics.")
        check_queries(queries)
        if sum(bool(query.get("ReturnData", True)) for query in queries) != 1:
            raise refused("Exactly one element of the metrics list should return data.")
        returned_query(queries)
        return
    for name in ("MetricName", "Namespace", "Period"):
        if name not in members:
            raise refused(f"{name} is required for an alarm on one metric.")
    statistic, extended = members.get("Statistic"), members.get("ExtendedStatistic")
    if (statistic is None) == (extended is None):
        raise refused("Exactly one of Statistic and ExtendedStatistic must be specified.")
    if extended is not None and not is_extended(extended):
        raise refused(f"The value {extended} for parameter ExtendedStatistic is not supported.")


def _check_range(period: int, count: int) -> None:
    if period not in HIGH_RESOLUTION_PERIODS and (period < 60 or period % 60 != 0):
        raise refused("Period must be 10, 20, 30 or a multiple of 60")
    if period < 3_600 and period * count > DAY_SECONDS:
        raise refused(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must "
            f"be <= {DAY_SECONDS})."
        )
    if period * count > WEEK_SECONDS:
        raise refused(
            "Metrics cannot be checked across more than a week (EvaluationPeriods * Period must "
            f"be <= {WEEK_SECONDS})."
        )


def _refuse_unrehearsed(members: Members, names: Iterable[str]) -> None:
    for name in names:
        if members.get(name) is not None:
            raise refused(f"the rehearsal cloud does not do {name} of alarms; leave it out")


def refused(message: str) -> ApiError:
    """Return CloudWatch's refusal of an input."""
    return ApiError("ValidationError", message)
