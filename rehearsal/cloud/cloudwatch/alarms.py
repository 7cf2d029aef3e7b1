"""Every alarm and its state: evaluated on rehearsal time, with actions run as CloudWatch does."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.clock import Clock, datetime_from_epoch
from rehearsal.cloud.cloudwatch import notice
from rehearsal.cloud.cloudwatch.alarm import (
    AlarmRule,
    AlarmState,
    Datapoint,
    evaluate,
    reason_for,
)
from rehearsal.cloud.cloudwatch.composite import CompositeRule, parse_rule
from rehearsal.cloud.cloudwatch.datapoints import AlarmData, period_of
from rehearsal.cloud.record import Record

STANDARD_INTERVAL_SECONDS = 60
HIGH_RESOLUTION_INTERVAL_SECONDS = 10
# Auto Scaling actions are invoked once a minute while the state lasts.
REPEAT_SECONDS = 60
# Evaluations an alarm catches up with; a machine that slept is not made to relive all it missed.
MAXIMUM_MISSED = 60
MAXIMUM_HISTORY = 10_000
MAXIMUM_COMPOSITE_ROUNDS = 10
ACTIONS = {
    AlarmState.ALARM: "AlarmActions",
    AlarmState.OK: "OKActions",
    AlarmState.INSUFFICIENT_DATA: "InsufficientDataActions",
}
INITIAL_REASON = "Unchecked: Initial alarm creation"


@dataclass
class Alarm:
    """One alarm: what was put, and the state it is in.

    Args:
        members: as PutMetricAlarm or PutCompositeAlarm received it, without tags
        composite: the rule that was read; None for a metric alarm
        datapoints: the periods the last evaluation looked at, oldest first
        evaluated_until: the end of those periods, in epoch seconds
    """

    name: str
    alarm_arn: str
    members: Mapping[str, Any]
    updated: float
    state_updated: float
    composite: CompositeRule | None = None
    state: AlarmState = AlarmState.INSUFFICIENT_DATA
    state_reason: str = INITIAL_REASON
    state_reason_data: str | None = None
    datapoints: tuple[Datapoint, ...] = ()
    evaluated_until: float = -math.inf
    repeated_at: float = -math.inf
    forced_at: float | None = None

    @property
    def rule(self) -> AlarmRule:
        return rule_from_members(self.members)

    @property
    def interval_seconds(self) -> int:
        """How often it is evaluated: every 10 seconds under a minute's period."""
        is_high = period_of(self.members) < STANDARD_INTERVAL_SECONDS
        return HIGH_RESOLUTION_INTERVAL_SECONDS if is_high else STANDARD_INTERVAL_SECONDS

    def as_dict(self) -> dict[str, Any]:
        """Return what DescribeAlarms shows, times as epoch seconds."""
        lists: dict[str, list[str]] = {name: [] for name in ACTIONS.values()}
        shown: dict[str, Any] = {
            **lists,
            "ActionsEnabled": True,
            **({"Dimensions": []} if "MetricName" in self.members else {}),
            **self.members,
            "AlarmName": self.name,
            "AlarmArn": self.alarm_arn,
            "AlarmConfigurationUpdatedTimestamp": self.updated,
            "StateValue": self.state.value,
            "StateReason": self.state_reason,
            "StateUpdatedTimestamp": self.state_updated,
            "StateTransitionedTimestamp": self.state_updated,
        }
        if self.state_reason_data is not None:
            shown["StateReasonData"] = self.state_reason_data
        return shown


@dataclass(frozen=True, kw_only=True)
class Fired:
    """An Auto Scaling action to run now.

    Args:
        threshold: the alarm's, None for a composite alarm
        values: what the last evaluation saw, newest last
    """

    alarm_name: str
    action_arn: str
    state: AlarmState
    threshold: float | None
    values: tuple[float, ...]


@dataclass
class Alarms:
    """The registry; its owner holds one lock around every call."""

    clock: Clock
    record: Record
    data: AlarmData
    account_id: str
    region: str
    # Sends a message to a topic: ARN, subject, message, and what to call with the outcome.
    publish: Callable[[str, str, str, Callable[[str | None], None]], None]
    by_name: dict[str, Alarm] = field(default_factory=dict)
    history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MAXIMUM_HISTORY))
    _fired: list[Fired] = field(default_factory=list)

    def put(self, name: str, members: Mapping[str, Any]) -> Alarm:
        """Create or change an alarm: a new one knows nothing, a changed one keeps its state."""
        now = self.clock.now()
        rule = members.get("AlarmRule")
        composite = parse_rule(rule) if rule is not None else None
        alarm = self.by_name.get(name)
        if alarm is None:
            arn = f"arn:aws:cloudwatch:{self.region}:{self.account_id}:alarm:{name}"
            alarm = Alarm(name, arn, members, now, now, composite)
            alarm.evaluated_until = self._last_moment(alarm)
            self.by_name[name] = alarm
            self._remember(alarm, "ConfigurationUpdate", f'Alarm "{name}" created', {})
        else:
            alarm.members, alarm.composite, alarm.updated = members, composite, now
            self._remember(alarm, "ConfigurationUpdate", f'Alarm "{name}" updated', {})
        return alarm

    def delete(self, name: str) -> None:
        """Delete an alarm; one that isn't there is none the less gone."""
        alarm = self.by_name.pop(name, None)
        if alarm is not None:
            self._remember(alarm, "ConfigurationUpdate", f'Alarm "{name}" deleted', {})

    def force(self, alarm: Alarm, state: AlarmState, reason: str, data: str | None) -> None:
        """SetAlarmState: lasts until the next evaluation; its actions run as for any change."""
        alarm.evaluated_until = self._last_moment(alarm)
        alarm.forced_at = self.clock.now()
        if alarm.state is state:
            alarm.state_reason, alarm.state_reason_data = reason, data
            return
        self._become(alarm, state, reason, data)

    def evaluate(self) -> list[Fired]:
        """Evaluate what is due; return the Auto Scaling actions to run now.

        Whoever calls may be late by several evaluations, of which MAXIMUM_MISSED are made up for.
        """
        for moment in self._moments_due():
            for alarm in list(self.by_name.values()):
                if alarm.composite is None and self._is_due(alarm, moment):
                    alarm.evaluated_until = moment
                    self._evaluate_metric(alarm)
                    self._repeat(alarm)
            self._evaluate_composites()
        self._evaluate_composites()
        fired, self._fired = self._fired, []
        return fired

    def _moments_due(self) -> list[float]:
        """Return when metric alarms had to be evaluated since they were, oldest first."""
        moments: set[float] = set()
        for alarm in self.by_name.values():
            interval, last = alarm.interval_seconds, self._last_moment(alarm)
            if alarm.composite is None and last > alarm.evaluated_until:
                seen = max(alarm.evaluated_until, last - interval * MAXIMUM_MISSED)
                moments.update(range(int(last), int(seen), -interval))
        return sorted(moments)

    def _is_due(self, alarm: Alarm, moment: float) -> bool:
        return moment > alarm.evaluated_until and moment % alarm.interval_seconds == 0

    def _last_moment(self, alarm: Alarm) -> float:
        """Return when a metric alarm last had to be evaluated."""
        if alarm.composite is not None:
            return -math.inf
        now, interval = self.clock.now(), alarm.interval_seconds
        return float(math.floor(now / interval) * interval)

    def _evaluate_metric(self, alarm: Alarm) -> None:
        rule, end = alarm.rule, alarm.evaluated_until
        alarm.datapoints = tuple(self.data.datapoints(alarm.members, end, rule.range_periods))
        if self.data.has_too_few_samples(alarm.members, alarm.datapoints):
            return
        values = [point.value for point in alarm.datapoints]
        state = evaluate(rule, values, alarm.state)
        if state is not alarm.state:
            shown = alarm.datapoints[-rule.evaluation_periods :]
            data = notice.reason_data(alarm.members, shown, now=self.clock.now())
            self._become(alarm, state, reason_for(rule, alarm.datapoints, state), data)

    def _evaluate_composites(self) -> None:
        """Evaluate until nothing changes; a cycle is given up after a few rounds."""
        composites = [alarm for alarm in self.by_name.values() if alarm.composite is not None]
        for _ in range(MAXIMUM_COMPOSITE_ROUNDS):
            if not any([self._evaluate_composite(alarm) for alarm in composites]):
                return

    def _evaluate_composite(self, alarm: Alarm) -> bool:
        assert alarm.composite is not None
        if alarm.forced_at is not None:
            # Nothing to evaluate before a child or the rule changes.
            moments = [alarm.updated, *(c.state_updated for c in self._children(alarm))]
            if max(moments) <= alarm.forced_at:
                return False
            alarm.forced_at = None
        states = {name: child.state.value for name, child in self.by_name.items()}
        state = AlarmState.ALARM if alarm.composite.is_true(states) else AlarmState.OK
        if state is alarm.state:
            return False
        children = sorted(self._children(alarm), key=lambda child: child.state_updated)
        now = self.clock.now()
        if children:
            arn, value = children[-1].alarm_arn, children[-1].state.value
            reason = notice.composite_reason(arn, value, now=now)
            self._become(alarm, state, reason, notice.composite_reason_data(arn, value, now=now))
        else:
            self._become(alarm, state, f"AlarmRule is {alarm.members['AlarmRule']}", None)
        return True

    def _children(self, alarm: Alarm) -> list[Alarm]:
        names = alarm.composite.children if alarm.composite is not None else ()
        return [self.by_name[name] for name in names if name in self.by_name]

    def _become(self, alarm: Alarm, state: AlarmState, reason: str, data: str | None) -> None:
        before, now = alarm.as_dict(), self.clock.now()
        alarm.state, alarm.state_reason, alarm.state_reason_data = state, reason, data
        alarm.state_updated, alarm.repeated_at = now, now
        summary = f"Alarm updated from {before['StateValue']} to {state.value}"
        change = {"oldState": _state(before), "newState": _state(alarm.as_dict())}
        self._remember(alarm, "StateUpdate", summary, change)
        dimensions = dimensions_of(alarm)
        self.record.event(
            "alarm_state",
            endpoint_name=dimensions.get("EndpointName"),
            alarm_name=alarm.name,
            state=state.value,
            reason=reason,
        )
        self._act(alarm, before["StateValue"])

    def _act(self, alarm: Alarm, before: str) -> None:
        if not alarm.members.get("ActionsEnabled", True):
            return
        for arn in alarm.members.get(ACTIONS[alarm.state], ()):
            if is_scaling(arn):
                self._fire(alarm, arn)
            elif arn.split(":")[2:3] == ["sns"]:
                self._notify(alarm, arn, before)
            else:
                self._remember_action(alarm, arn, "the rehearsal cloud runs SNS and scaling only")

    def _repeat(self, alarm: Alarm) -> None:
        """Invoke Auto Scaling actions again while the state lasts."""
        now = self.clock.now()
        if now - alarm.repeated_at < REPEAT_SECONDS or not alarm.members.get(
            "ActionsEnabled", True
        ):
            return
        alarm.repeated_at = now
        for arn in filter(is_scaling, alarm.members.get(ACTIONS[alarm.state], ())):
            self._fire(alarm, arn)

    def _fire(self, alarm: Alarm, arn: str) -> None:
        is_metric = alarm.composite is None
        known = [point.value for point in alarm.datapoints if point.value is not None]
        shown = known[-alarm.rule.evaluation_periods :] if is_metric else []
        self._fired.append(
            Fired(
                alarm_name=alarm.name,
                action_arn=arn,
                state=alarm.state,
                threshold=alarm.rule.threshold if is_metric else None,
                values=tuple(shown),
            )
        )
        self._remember_action(alarm, arn, None)

    def _notify(self, alarm: Alarm, arn: str, before: str) -> None:
        shown = alarm.as_dict()
        text = notice.message(shown, before, account_id=self.account_id, region=self.region)
        subject = notice.subject(alarm.name, alarm.state.value, self.region)
        self.publish(arn, subject, text, lambda problem: self._remember_action(alarm, arn, problem))

    def _remember_action(self, alarm: Alarm, arn: str, problem: str | None) -> None:
        done = f"Successfully executed action {arn}"
        failed = f'Failed to execute action {arn}. Received error: "{problem}"'
        data = {"actionState": "Succeeded" if problem is None else "Failed"}
        data = {**data, "notificationResource": arn, **({"error": problem} if problem else {})}
        self._remember(alarm, "Action", done if problem is None else failed, data)

    def _remember(self, alarm: Alarm, kind: str, summary: str, data: Mapping[str, Any]) -> None:
        self.history.append(
            {
                "AlarmName": alarm.name,
                "AlarmType": "MetricAlarm" if alarm.composite is None else "CompositeAlarm",
                "Timestamp": datetime_from_epoch(self.clock.now()),
                "HistoryItemType": kind,
                "HistorySummary": summary,
                "HistoryData": json.dumps({"version": "1.0", **data}, separators=(",", ":")),
            }
        )


def rule_from_members(members: Mapping[str, Any]) -> AlarmRule:
    """Return the part of a metric alarm that decides its state."""
    return AlarmRule(
        comparison_operator=members["ComparisonOperator"],
        threshold=float(members["Threshold"]),
        evaluation_periods=int(members["EvaluationPeriods"]),
        datapoints_to_alarm=members.get("DatapointsToAlarm"),
        treat_missing_data=members.get("TreatMissingData", "missing"),
    )


def dimensions_of(alarm: Alarm) -> dict[str, str]:
    """Return the dimensions of an alarm's metric, or of its first query, by name."""
    found = alarm.members.get("Dimensions")
    if found is None:
        stats: Sequence[Any] = [q.get("MetricStat") for q in alarm.members.get("Metrics", ())]
        found = next((s["Metric"].get("Dimensions", ()) for s in stats if s is not None), ())
    return {entry["Name"]: entry["Value"] for entry in found}


def is_scaling(arn: str) -> bool:
    """Tell whether an action is a scaling policy."""
    return arn.split(":")[2:3] == ["autoscaling"]


def _state(shown: Mapping[str, Any]) -> dict[str, Any]:
    data = shown.get("StateReasonData")
    return {
        "stateValue": shown["StateValue"],
        "stateReason": shown["StateReason"],
        **({"stateReasonData": json.loads(data)} if data else {}),
    }
