"""CloudWatch alarms and dashboards.

Source: hashicorp/terraform-provider-aws internal/service/cloudwatch/{metric_alarm,dashboard}.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.provider.aws import Aws, AwsError
from rehearsal.provider.convert import Renames, members_from_values, values_from_members
from rehearsal.provider.entry import Autoname, Change, ResourceType, Rule
from rehearsal.provider.enumeration import shape_named
from rehearsal.provider.schema import SchemaSource, read_schema
from rehearsal.provider.tags import CLOUDWATCH, read_tags, tag_list, update_tags
from rehearsal.provider.value import Values

PACKAGE = "pulumi_aws.cloudwatch"
ALARM_SCHEMA = SchemaSource(package=PACKAGE, resource="MetricAlarm", arguments="MetricAlarmArgs")
RENAMES: Renames = {
    "name": "AlarmName",
    "okActions": "OKActions",
    "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
}
# Members whose form differs; they are converted one by one below.
APART = ("dimensions", "metricQueries", "tags", "region")


class AlarmOperations:
    """A metric alarm; PutMetricAlarm makes it and changes it."""

    def create(self, aws: Aws, values: Values) -> str:
        tags = tag_list(values.get("tags"))
        aws.call("cloudwatch", "PutMetricAlarm", **alarm_members(values), Tags=tags)
        return str(values["name"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        answer = aws.call(
            "cloudwatch", "DescribeAlarms", AlarmNames=[identifier], AlarmTypes=["MetricAlarm"]
        )
        if not answer.get("MetricAlarms"):
            return None
        found = answer["MetricAlarms"][0]
        tags = read_tags(aws, CLOUDWATCH, found["AlarmArn"])
        return {**alarm_values(found), "arn": found["AlarmArn"], **tags}

    def update(self, aws: Aws, change: Change) -> None:
        if change.properties - {"tags"}:
            aws.call("cloudwatch", "PutMetricAlarm", **alarm_members(change.new))
        update_tags(aws, CLOUDWATCH, change.old["arn"], change)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        try:
            aws.call("cloudwatch", "DeleteAlarms", AlarmNames=[identifier])
        except AwsError as err:
            if err.code not in ("ResourceNotFound", "ResourceNotFoundException"):
                raise


def alarm_members(values: Values) -> Values:
    """PutMetricAlarm's members; pure."""
    shape = shape_named("cloudwatch", "PutMetricAlarmInput")
    plain = {name: value for name, value in values.items() if name not in APART}
    members = members_from_values(plain, shape, RENAMES)
    if values.get("dimensions"):
        members["Dimensions"] = dimension_list(values["dimensions"])
    if values.get("metricQueries"):
        members["Metrics"] = [_query_members(query) for query in values["metricQueries"]]
    return members


def _query_members(query: Values) -> Values:
    shape = shape_named("cloudwatch", "MetricDataQuery")
    plain = {name: value for name, value in query.items() if name != "metric"}
    members = members_from_values(plain, shape)
    metric = query.get("metric")
    if metric is not None:
        named = {"MetricName": metric["metricName"], "Namespace": metric.get("namespace", "")}
        dimensions = dimension_list(metric.get("dimensions", {}))
        members["MetricStat"] = {
            "Metric": {**named, "Dimensions": dimensions},
            "Period": int(metric["period"]),
            "Stat": metric["stat"],
            **({"Unit": metric["unit"]} if metric.get("unit") else {}),
        }
    return members


def alarm_values(found: Mapping[str, Any]) -> Values:
    """An alarm's properties from DescribeAlarms; pure."""
    properties = {
        name: wanted
        for name, wanted in read_schema(ALARM_SCHEMA).inputs.items()
        if name not in APART
    }
    values = values_from_members(found, properties, RENAMES)
    values["dimensions"] = dimension_map(found.get("Dimensions", []))
    values["metricQueries"] = [_query_values(query) for query in found.get("Metrics", [])]
    values.setdefault("treatMissingData", "missing")
    return values


def _query_values(query: Mapping[str, Any]) -> Values:
    element = read_schema(ALARM_SCHEMA).inputs["metricQueries"].element
    properties = {} if element is None else element.members
    plain = {name: wanted for name, wanted in properties.items() if name != "metric"}
    values = values_from_members(query, plain)
    stat = query.get("MetricStat")
    if stat is not None:
        values["metric"] = {
            "metricName": stat["Metric"]["MetricName"],
            "namespace": stat["Metric"].get("Namespace", ""),
            "dimensions": dimension_map(stat["Metric"].get("Dimensions", [])),
            "period": stat["Period"],
            "stat": stat["Stat"],
            "unit": stat.get("Unit", ""),
        }
    return values


def dimension_list(dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    """Dimensions as CloudWatch takes them."""
    return [{"Name": name, "Value": value} for name, value in sorted(dimensions.items())]


def dimension_map(dimensions: list[dict[str, str]]) -> dict[str, str]:
    """Dimensions as Pulumi holds them."""
    return {item["Name"]: item["Value"] for item in dimensions}


class DashboardOperations:
    """A dashboard; its id is its name."""

    def create(self, aws: Aws, values: Values) -> str:
        self._put(aws, values)
        return str(values["dashboardName"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            found = aws.call("cloudwatch", "GetDashboard", DashboardName=identifier)
        except AwsError as err:
            if err.code in ("ResourceNotFound", "DashboardNotFoundError"):
                return None
            raise
        return {
            "dashboardName": found["DashboardName"],
            "dashboardArn": found["DashboardArn"],
            "dashboardBody": found["DashboardBody"],
        }

    def update(self, aws: Aws, change: Change) -> None:
        self._put(aws, change.new)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        try:
            aws.call("cloudwatch", "DeleteDashboards", DashboardNames=[identifier])
        except AwsError as err:
            if err.code not in ("ResourceNotFound", "DashboardNotFoundError"):
                raise

    def _put(self, aws: Aws, values: Values) -> None:
        name, body = values["dashboardName"], values["dashboardBody"]
        aws.call("cloudwatch", "PutDashboard", DashboardName=name, DashboardBody=body)


TYPES = (
    ResourceType(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        title="CloudWatch Metric Alarm",
        source="terraform-provider-aws internal/service/cloudwatch/metric_alarm.go",
        schema=ALARM_SCHEMA,
        operations=AlarmOperations(),
        autoname=Autoname(),
        replaces=frozenset({"name"}),
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        computed=frozenset({"evaluateLowSampleCountPercentiles"}),
        rules={
            "comparisonOperator": Rule(shape=("cloudwatch", "ComparisonOperator")),
            "statistic": Rule(shape=("cloudwatch", "Statistic")),
            "treatMissingData": Rule(choices=("breaching", "notBreaching", "ignore", "missing")),
            "evaluationPeriods": Rule(minimum=1),
            "datapointsToAlarm": Rule(minimum=1),
        },
        sets=frozenset({"alarmActions", "okActions", "insufficientDataActions", "metricQueries"}),
        unsupported={
            "evaluationCriteria": "alarms here watch metrics only",
            "evaluationInterval": "alarms are evaluated once a period",
            "evaluationWindow": "alarms are evaluated once a period",
            "warmUpConfiguration": "alarms are evaluated from the start",
        },
    ),
    ResourceType(
        token="aws:cloudwatch/dashboard:Dashboard",
        title="CloudWatch Dashboard",
        source="terraform-provider-aws internal/service/cloudwatch/dashboard.go",
        schema=SchemaSource(package=PACKAGE, resource="Dashboard", arguments="DashboardArgs"),
        operations=DashboardOperations(),
        replaces=frozenset({"dashboardName"}),
        documents=frozenset({"dashboardBody"}),
        taggable=False,
    ),
)
