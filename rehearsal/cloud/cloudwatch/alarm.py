"""Whether an alarm is in ALARM: pure, over the datapoints of its evaluation range.

Source: CloudWatch User Guide, "Using Amazon CloudWatch alarms", evaluating an alarm and
configuring how alarms treat missing data (both tables), read 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rehearsal.cloud.clock import datetime_from_epoch

# CloudWatch looks further back than the alarm needs, to fill gaps; its example uses two.
EXTRA_PERIODS = 2


class AlarmState(StrEnum):
    """StateValue, in CloudWatch's words."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


COMPARED = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


@dataclass(frozen=True, kw_only=True)
class AlarmRule:
    """What decides an alarm's state.

    Args:
        datapoints_to_alarm: M of N; None means all of `evaluation_periods`
        treat_missing_data: missing, ignore, breaching or notBreaching
    """

    comparison_operator: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int | None = None
    treat_missing_data: str = "missing"

    @property
    def needed(self) -> int:
        """How many breaching datapoints make an alarm."""
        return (
            self.evaluation_periods
            if self.datapoints_to_alarm is None
            else self.datapoints_to_alarm
        )

    def is_breached_by(self, datapoint: Datapoint) -> bool:
        """Tell whether a datapoint is over the threshold."""
        if datapoint.value is None:
            return False
        return COMPARISONS[self.comparison_operator](datapoint.value, self.threshold)

    @property
    def range_periods(self) -> int:
        """How many periods an evaluation looks at."""
        return self.evaluation_periods + EXTRA_PERIODS


def evaluate(
    rule: AlarmRule, datapoints: Sequence[float | None], current: AlarmState
) -> AlarmState:
    """Return the state the datapoints call for.

    Args:
        rule: the alarm's rule
        datapoints: one value per period of the evaluation range, oldest first; None is missing
        current: the state now, kept where the rule says so
    """
    needed = rule.needed
    compare = COMPARISONS[rule.comparison_operator]
    present = [compare(value, rule.threshold) for value in datapoints if value is not None]
    if len(present) >= rule.evaluation_periods:
        breaching = sum(present[-rule.evaluation_periods :])
        return AlarmState.ALARM if breaching >= needed else AlarmState.OK
    missing = rule.evaluation_periods - len(present)
    breaching = sum(present)
    if rule.treat_missing_data == "breaching":
        return AlarmState.ALARM if breaching + missing >= needed else AlarmState.OK
    if breaching >= needed:
        return AlarmState.ALARM
    if rule.treat_missing_data == "notBreaching":
        return AlarmState.OK
    if rule.treat_missing_data == "ignore":
        return AlarmState.OK if False in present else current
    if not present:
        return AlarmState.INSUFFICIENT_DATA
    return AlarmState.ALARM if _is_premature(datapoints, present, needed) else AlarmState.OK


@dataclass(frozen=True, kw_only=True)
class Datapoint:
    """One period of an alarm's metric.

    Args:
        start: rehearsal time the period begins
        value: the alarm's statistic, None without data
        sample_count: how many samples the value comes from
    """

    start: float
    value: float | None
    sample_count: float = 0.0


def reason_for(rule: AlarmRule, datapoints: Sequence[Datapoint], state: AlarmState) -> str:
    """Say why an alarm is in a state, in the words of CloudWatch's StateReason.

    Args:
        datapoints: the evaluation range, oldest first

    Source: state reasons quoted in the CloudWatch User Guide's alarm event samples, read 2026.
    """
    shown = [point for point in datapoints[-rule.evaluation_periods :] if point.value is not None]
    missing = rule.evaluation_periods - len(shown)
    if state is AlarmState.INSUFFICIENT_DATA:
        verb = "was" if missing == 1 else "were"
        return f"Insufficient Data: {_counted(missing, 'datapoint')} {verb} unknown."
    if not shown:
        treated = {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(
            rule.treat_missing_data, "Missing"
        )
        verb = "was" if missing == 1 else "were"
        return (
            f"Threshold Crossed: no datapoints were received for {_counted(missing, 'period')} and "
            f"{_counted(missing, 'missing datapoint')} {verb} treated as [{treated}]."
        )
    is_alarm = state is AlarmState.ALARM
    spoke = [p for p in reversed(shown) if rule.is_breached_by(p) is is_alarm]
    listed = ", ".join(f"{p.value} ({_short_time(p.start)})" for p in spoke)
    verb = "was" if len(spoke) == 1 else "were"
    needed = rule.needed if is_alarm else rule.evaluation_periods - rule.needed + 1
    change = "OK -> ALARM" if is_alarm else "ALARM -> OK"
    return (
        f"Threshold Crossed: {len(spoke)} out of the last {rule.evaluation_periods} datapoints "
        f"[{listed}] {verb} {'' if is_alarm else 'not '}{COMPARED[rule.comparison_operator]} the "
        f"threshold ({rule.threshold}) (minimum {_counted(needed, 'datapoint')} for {change} "
        "transition)."
    )


def _short_time(epoch: float) -> str:
    return datetime_from_epoch(epoch).strftime("%d/%m/%y %H:%M:%S")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _is_premature(datapoints: Sequence[float | None], present: Sequence[bool], needed: int) -> bool:
    """Tell whether the oldest datapoint is old enough and nothing since spoke against it."""
    age = next(
        len(datapoints) - index for index, value in enumerate(datapoints) if value is not None
    )
    return all(present) and age >= needed
