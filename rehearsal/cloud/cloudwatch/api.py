"""CloudWatch's operations on metrics and alarms, over plain members; moto does the wire."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.utilities.tagging_service import TaggingService

from rehearsal.cloud.clock import datetime_from_epoch
from rehearsal.cloud.cloudwatch.alarm import AlarmState
from rehearsal.cloud.cloudwatch.alarm_checks import (
    check_composite_alarm,
    check_metric_alarm,
    refused,
)
from rehearsal.cloud.cloudwatch.alarms import Alarm, Alarms
from rehearsal.cloud.cloudwatch.composite import name_from_reference
from rehearsal.cloud.cloudwatch.queries import (
    Queries,
    epoch,
    offset_from_token,
    pairs,
    token_from_offset,
)
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.shapes import input_problem

DEFAULT_RECORDS = 50
DEFAULT_HISTORY_RECORDS = 100
MAXIMUM_ALARMS_OF_A_DELETE = 100
TIMES = (
    "AlarmConfigurationUpdatedTimestamp",
    "StateUpdatedTimestamp",
    "StateTransitionedTimestamp",
)

Members = Mapping[str, Any]


@dataclass
class CloudWatchApi:
    """One function per operation; the lock is held for those about alarms."""

    queries: Queries
    alarms: Alarms
    tagger: TaggingService
    lock: threading.RLock
    operations: Mapping[str, Callable[[Members], dict[str, Any]]] = field(init=False)

    def __post_init__(self) -> None:
        self.operations = {
            "PutMetricData": self.queries.put,
            "GetMetricStatistics": self.queries.statistics,
            "GetMetricData": self.queries.data,
            "ListMetrics": self.queries.list_metrics,
            "PutMetricAlarm": self._locked(self._put_metric_alarm),
            "PutCompositeAlarm": self._locked(self._put_composite_alarm),
            "DescribeAlarms": self._locked(self._describe),
            "DescribeAlarmsForMetric": self._locked(self._describe_for_metric),
            "DescribeAlarmHistory": self._locked(self._history),
            "DeleteAlarms": self._locked(self._delete),
            "SetAlarmState": self._locked(self._set_state),
            "EnableAlarmActions": self._locked(lambda asked: self._enable(asked, True)),
            "DisableAlarmActions": self._locked(lambda asked: self._enable(asked, False)),
            "ListTagsForResource": self._locked(self._list_tags),
            "TagResource": self._locked(self._tag),
            "UntagResource": self._locked(self._untag),
        }

    def __call__(self, operation: str, members: Members) -> dict[str, Any]:
        """Answer an operation.

        Raises:
            ApiError: the input is refused
        """
        asked = dict(members)
        problem = input_problem("cloudwatch", operation, asked)
        if problem is not None:
            raise refused(problem)
        return self.operations[operation](asked)

    def _locked(
        self, operation: Callable[[Members], dict[str, Any]]
    ) -> Callable[[Members], dict[str, Any]]:
        def locked(asked: Members) -> dict[str, Any]:
            with self.lock:
                return operation(asked)

        return locked

    # ---- alarms

    def _put_metric_alarm(self, asked: Members) -> dict[str, Any]:
        check_metric_alarm(asked)
        return self._put(asked)

    def _put_composite_alarm(self, asked: Members) -> dict[str, Any]:
        check_composite_alarm(asked)
        return self._put(asked)

    def _put(self, asked: Members) -> dict[str, Any]:
        name = asked["AlarmName"]
        members = {key: value for key, value in asked.items() if key not in ("AlarmName", "Tags")}
        known = self.alarms.by_name.get(name)
        if known is not None and ("AlarmRule" in known.members) != ("AlarmRule" in members):
            raise refused(f"Alarm {name} exists and is of another type; delete it first.")
        alarm = self.alarms.put(name, members)
        if known is None and asked.get("Tags"):
            self.tagger.tag_resource(alarm.alarm_arn, list(asked["Tags"]))
        return {}

    def _describe(self, asked: Members) -> dict[str, Any]:
        if asked.get("AlarmNames") and asked.get("AlarmNamePrefix"):
            raise refused("AlarmNames and AlarmNamePrefix must not be given together.")
        found = [alarm for alarm in self._of_types(asked) if self._is_asked_for(alarm, asked)]
        found.sort(key=lambda alarm: alarm.name)
        shown, more = _page(found, asked, DEFAULT_RECORDS)
        return {
            "MetricAlarms": [_shown(alarm) for alarm in shown if alarm.composite is None],
            "CompositeAlarms": [_shown(alarm) for alarm in shown if alarm.composite is not None],
            **more,
        }

    def _of_types(self, asked: Members) -> Iterable[Alarm]:
        """Return the alarms of the types asked for; without any, metric alarms only."""
        types = asked.get("AlarmTypes") or ["MetricAlarm"]
        relatives = "ChildrenOfAlarmName" in asked or "ParentsOfAlarmName" in asked
        for alarm in self.alarms.by_name.values():
            kind = "MetricAlarm" if alarm.composite is None else "CompositeAlarm"
            if kind in types or (relatives and "AlarmTypes" not in asked):
                yield alarm

    def _is_asked_for(self, alarm: Alarm, asked: Members) -> bool:
        names, prefix = asked.get("AlarmNames"), asked.get("ActionPrefix", "")
        lists = ("AlarmActions", "OKActions", "InsufficientDataActions")
        actions = [arn for name in lists for arn in alarm.members.get(name, ())]
        parent = self.alarms.by_name.get(asked.get("ChildrenOfAlarmName", ""))
        child = asked.get("ParentsOfAlarmName")
        mine = alarm.composite.children if alarm.composite is not None else frozenset()
        siblings = parent.composite.children if parent and parent.composite else frozenset()
        return (
            (not names or alarm.name in names)
            and alarm.name.startswith(asked.get("AlarmNamePrefix", ""))
            and asked.get("StateValue", alarm.state.value) == alarm.state.value
            and (not prefix or any(arn.startswith(prefix) for arn in actions))
            and (child is None or child in mine)
            and ("ChildrenOfAlarmName" not in asked or alarm.name in siblings)
        )

    def _describe_for_metric(self, asked: Members) -> dict[str, Any]:
        wanted = pairs(asked.get("Dimensions"))
        exact = ("Namespace", "MetricName")
        if_given = ("Statistic", "ExtendedStatistic", "Period", "Unit")
        found = [
            alarm
            for alarm in self.alarms.by_name.values()
            if all(alarm.members.get(name) == asked[name] for name in exact)
            and all(alarm.members.get(name) == asked[name] for name in if_given if name in asked)
            and pairs(alarm.members.get("Dimensions")) == wanted
        ]
        return {"MetricAlarms": [_shown(alarm) for alarm in found]}

    def _history(self, asked: Members) -> dict[str, Any]:
        types = asked.get("AlarmTypes") or ["MetricAlarm"]
        name, kind = asked.get("AlarmName"), asked.get("HistoryItemType")
        first = epoch(asked["StartDate"]) if "StartDate" in asked else 0.0
        last = epoch(asked["EndDate"]) if "EndDate" in asked else float("inf")
        found = [
            item
            for item in self.alarms.history
            if item["AlarmType"] in types
            and name in (None, item["AlarmName"])
            and kind in (None, item["HistoryItemType"])
            and first <= item["Timestamp"].timestamp() <= last
        ]
        if asked.get("ScanBy") != "TimestampAscending":
            found.reverse()
        shown, more = _page(found, asked, DEFAULT_HISTORY_RECORDS)
        return {"AlarmHistoryItems": list(shown), **more}

    def _delete(self, asked: Members) -> dict[str, Any]:
        names = asked["AlarmNames"]
        if len(names) > MAXIMUM_ALARMS_OF_A_DELETE:
            raise refused(f"At most {MAXIMUM_ALARMS_OF_A_DELETE} alarms are deleted in a call.")
        composites = [n for n in names if self._is_composite(n)]
        if len(composites) > 1:
            raise refused("A call can delete at most one composite alarm.")
        for name in composites:
            parents = [a.name for a in self.alarms.by_name.values() if name in _children(a)]
            if parents:
                raise ApiError(
                    "ResourceConflict",
                    f"Cannot delete {name} as there are composite alarms depending on it: "
                    f"{', '.join(sorted(parents))}",
                )
        unknown = [name for name in names if name not in self.alarms.by_name]
        for name in names:
            self.delete(name)
        if unknown:
            raise ApiError("ResourceNotFound", f"Alarm(s) not found: {', '.join(unknown)}")
        return {}

    def delete(self, name: str) -> None:
        """Delete one alarm with its tags, if it is there."""
        alarm = self.alarms.by_name.get(name)
        if alarm is not None:
            self.alarms.delete(name)
            self.tagger.delete_all_tags_for_resource(alarm.alarm_arn)

    def _is_composite(self, name: str) -> bool:
        alarm = self.alarms.by_name.get(name)
        return alarm is not None and alarm.composite is not None

    def _set_state(self, asked: Members) -> dict[str, Any]:
        data = asked.get("StateReasonData")
        try:
            json.loads(data or "{}")
        except ValueError as err:
            raise ApiError("InvalidFormat", "StateReasonData is not valid JSON") from err
        alarm = self._existing(asked["AlarmName"])
        self.alarms.force(alarm, AlarmState(asked["StateValue"]), asked["StateReason"], data)
        return {}

    def _enable(self, asked: Members, is_enabled: bool) -> dict[str, Any]:
        for name in asked["AlarmNames"]:
            alarm = self.alarms.by_name.get(name)
            if alarm is not None:
                self.alarms.put(name, {**alarm.members, "ActionsEnabled": is_enabled})
        return {}

    def _existing(self, name: str) -> Alarm:
        if name not in self.alarms.by_name:
            raise ApiError("ResourceNotFound", f"Alarm {name} does not exist", status=404)
        return self.alarms.by_name[name]

    # ---- tags

    def _list_tags(self, asked: Members) -> dict[str, Any]:
        arn = self._tagged(asked)
        return {"Tags": self.tagger.list_tags_for_resource(arn)["Tags"]}

    def _tag(self, asked: Members) -> dict[str, Any]:
        self.tagger.tag_resource(self._tagged(asked), list(asked["Tags"]))
        return {}

    def _untag(self, asked: Members) -> dict[str, Any]:
        self.tagger.untag_resource_using_names(self._tagged(asked), list(asked["TagKeys"]))
        return {}

    def _tagged(self, asked: Members) -> str:
        arn = str(asked["ResourceARN"])
        if ":alarm:" in arn and name_from_reference(arn) not in self.alarms.by_name:
            raise ApiError("ResourceNotFoundException", f"{arn} does not exist", status=404)
        return arn


def _shown(alarm: Alarm) -> dict[str, Any]:
    members = alarm.as_dict()
    return {**members, **{name: datetime_from_epoch(members[name]) for name in TIMES}}


def _children(alarm: Alarm) -> frozenset[str]:
    return alarm.composite.children if alarm.composite is not None else frozenset()


def _page(found: list[Any], asked: Members, default: int) -> tuple[list[Any], dict[str, str]]:
    offset = offset_from_token(asked.get("NextToken"))
    shown = found[offset : offset + asked.get("MaxRecords", default)]
    end = offset + len(shown)
    return shown, {"NextToken": token_from_offset(end)} if end < len(found) else {}
