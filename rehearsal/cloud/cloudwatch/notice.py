"""What CloudWatch tells about a change of state: reason data, history and the SNS message; pure.

Source: CloudWatch User Guide, alarm event samples; aws-lambda-go's sample of an alarm's SNS
message; messages quoted by users, read 2026.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.cloud.clock import datetime_from_epoch, milliseconds_from_epoch
from rehearsal.cloud.cloudwatch.alarm import Datapoint

# Console names of regions, as messages have them; others appear by their code.
REGION_NAMES = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
    "eu-central-1": "EU (Frankfurt)",
    "eu-west-1": "EU (Ireland)",
    "eu-west-2": "EU (London)",
    "eu-west-3": "EU (Paris)",
    "eu-north-1": "EU (Stockholm)",
    "ap-northeast-1": "Asia Pacific (Tokyo)",
    "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-southeast-2": "Asia Pacific (Sydney)",
}
MAXIMUM_SUBJECT_CHARACTERS = 100


def stamp(epoch: float) -> str:
    """Return a time as CloudWatch's JSON has it: milliseconds and +0000."""
    return f"{milliseconds_from_epoch(epoch)}+0000"


def reason_data(members: Mapping[str, Any], datapoints: Sequence[Datapoint], *, now: float) -> str:
    """Return a metric alarm's StateReasonData.

    Args:
        members: the alarm as PutMetricAlarm received it
        datapoints: the periods that decided, oldest first
    """
    known = [point for point in datapoints if point.value is not None]
    data = {
        "version": "1.0",
        "queryDate": stamp(now),
        **({"startDate": stamp(known[0].start)} if known else {}),
        **{
            name: members[member]
            for name, member in (
                ("statistic", "Statistic"),
                ("statistic", "ExtendedStatistic"),
                ("unit", "Unit"),
                ("period", "Period"),
            )
            if member in members
        },
        "recentDatapoints": [point.value for point in known],
        "threshold": members["Threshold"],
        "evaluatedDatapoints": [
            {
                "timestamp": stamp(point.start),
                **({"sampleCount": point.sample_count} if point.sample_count else {}),
                "value": point.value,
            }
            for point in reversed(known)
        ],
    }
    return json.dumps(data, separators=(",", ":"))


def composite_reason_data(arn: str, state: str, *, now: float) -> str:
    """Return a composite alarm's StateReasonData: the child that made it change."""
    alarm = {"arn": arn, "state": {"value": state, "timestamp": stamp(now)}}
    return json.dumps({"triggeringAlarms": [alarm]}, separators=(",", ":"))


def composite_reason(arn: str, state: str, *, now: float) -> str:
    """Return a composite alarm's StateReason."""
    moment = datetime_from_epoch(now)
    return f"{arn} transitioned to {state} at {moment:%A %d %B, %Y %H:%M:%S} UTC"


def subject(name: str, state: str, region: str) -> str:
    """Return the subject of the SNS message."""
    return f'{state}: "{name}" in {REGION_NAMES.get(region, region)}'[:MAXIMUM_SUBJECT_CHARACTERS]


def message(alarm: Mapping[str, Any], before: str, *, account_id: str, region: str) -> str:
    """Return the SNS message's JSON.

    Args:
        alarm: the alarm as DescribeAlarms shows it, times as epoch seconds
        before: the state it was in
    """
    body = {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription"),
        "AWSAccountId": account_id,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm["AlarmConfigurationUpdatedTimestamp"]),
        "NewStateValue": alarm["StateValue"],
        "NewStateReason": alarm["StateReason"],
        "StateChangeTime": stamp(alarm["StateUpdatedTimestamp"]),
        "Region": REGION_NAMES.get(region, region),
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": before,
        "OKActions": alarm["OKActions"],
        "AlarmActions": alarm["AlarmActions"],
        "InsufficientDataActions": alarm["InsufficientDataActions"],
    }
    if "AlarmRule" in alarm:
        body["AlarmRule"] = alarm["AlarmRule"]
        body["TriggeringChildren"] = _children(alarm)
    else:
        body["Trigger"] = _trigger(alarm)
    return json.dumps(body, separators=(",", ":"))


def _children(alarm: Mapping[str, Any]) -> list[dict[str, Any]]:
    data = json.loads(alarm.get("StateReasonData") or "{}")
    return [
        {
            "Arn": child["arn"],
            "State": {
                "Value": child["state"]["value"],
                "Timestamp": child["state"]["timestamp"],
            },
        }
        for child in data.get("triggeringAlarms", ())
    ]


def _trigger(alarm: Mapping[str, Any]) -> dict[str, Any]:
    shared = {
        "Period": alarm.get("Period"),
        "EvaluationPeriods": alarm["EvaluationPeriods"],
        **_given(alarm, "DatapointsToAlarm"),
        "ComparisonOperator": alarm["ComparisonOperator"],
        "Threshold": alarm["Threshold"],
        "TreatMissingData": alarm.get("TreatMissingData", ""),
        "EvaluateLowSampleCountPercentile": alarm.get("EvaluateLowSampleCountPercentile", ""),
    }
    if "Metrics" in alarm:
        return {**shared, "Metrics": alarm["Metrics"]}
    if "ExtendedStatistic" in alarm:
        kind = {"StatisticType": "ExtendedStatistic", **_given(alarm, "ExtendedStatistic")}
    else:
        kind = {"StatisticType": "Statistic", "Statistic": alarm["Statistic"].upper()}
    return {
        "MetricName": alarm["MetricName"],
        "Namespace": alarm["Namespace"],
        **kind,
        "Unit": alarm.get("Unit"),
        "Dimensions": [
            {"value": entry["Value"], "name": entry["Name"]}
            for entry in alarm.get("Dimensions", ())
        ],
        **shared,
    }


def _given(alarm: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {name: alarm[name]} if name in alarm else {}
