"""CloudWatch's alarms through boto3: evaluation, actions, composites and history."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.clock import ManualClock, datetime_from_epoch
from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.settings import CloudSettings
from tests.support.cloud import ACCOUNT, REGION, CloudUser, wait_for


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    settings = CloudSettings(directory=tmp_path_factory.mktemp("cloud"))
    started = CloudUser(Cloud(settings, ManualClock()))
    started.cloud.start()
    yield started
    started.cloud.stop()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name[5:60])


def put_alarm(user: CloudUser, name: str, **more: Any) -> None:
    """Create an alarm on the metric of the same name: any value above 1 in one minute."""
    defaults: dict[str, Any] = {
        "AlarmName": name,
        "Namespace": "Mine",
        "MetricName": name,
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    asked = {**defaults, **more}
    user.client("cloudwatch").put_metric_alarm(**{k: v for k, v in asked.items() if v is not None})


def put(user: CloudUser, name: str, value: float, **more: Any) -> None:
    now = datetime_from_epoch(user.cloud.clock.now())
    user.client("cloudwatch").put_metric_data(
        Namespace="Mine",
        MetricData=[{"MetricName": name, "Timestamp": now, "Value": value, **more}],
    )


def pass_minutes(user: CloudUser, name: str, *values: float | None) -> None:
    """Let minutes pass, each with a value or with none."""
    for value in values:
        if value is not None:
            put(user, name, value)
        user.cloud.timekeeper.advance(60)


def described(user: CloudUser, name: str) -> dict[str, Any]:
    answer = user.client("cloudwatch").describe_alarms(
        AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    found: list[dict[str, Any]] = answer["MetricAlarms"] + answer["CompositeAlarms"]
    assert len(found) == 1
    return found[0]


def state(user: CloudUser, name: str) -> str:
    return str(described(user, name)["StateValue"])


def inbox(user: CloudUser, name: str) -> tuple[str, Callable[[], list[dict[str, Any]]]]:
    """Make a topic with a queue; return the topic and a function that takes what came."""
    topic = user.client("sns").create_topic(Name=name[:60])["TopicArn"]
    queue = user.client("sqs").create_queue(QueueName=name[:60])["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name[:60]}"
    user.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def take() -> list[dict[str, Any]]:
        answer = user.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        for message in answer.get("Messages", ()):
            user.client("sqs").delete_message(
                QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"]
            )
        return [json.loads(message["Body"]) for message in answer.get("Messages", ())]

    return topic, take


@pytest.mark.source("botocore PutMetricAlarm, DescribeAlarms; CW event samples, state reasons")
def test_an_alarm_is_described_as_it_was_put_with_its_reason(user: CloudUser, name: str) -> None:
    put_alarm(user, name, AlarmDescription="mine", TreatMissingData="ignore", Unit="None")

    fresh = described(user, name)
    pass_minutes(user, name, 5.0)
    tripped = described(user, name)

    assert (fresh["StateValue"], fresh["AlarmDescription"]) == ("INSUFFICIENT_DATA", "mine")
    assert fresh["StateReason"] == "Unchecked: Initial alarm creation"
    assert (fresh["ActionsEnabled"], fresh["AlarmActions"], fresh["Dimensions"]) == (True, [], [])
    assert tripped["StateValue"] == "ALARM"
    assert tripped["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints")
    data = json.loads(tripped["StateReasonData"])
    assert (data["threshold"], data["recentDatapoints"], data["period"]) == (1.0, [5.0], 60)


@pytest.mark.source("CW AlarmThatSendsEmail: M out of N; missing data; looking back further")
def test_two_of_three_minutes_make_an_alarm(user: CloudUser, name: str) -> None:
    put_alarm(user, name, EvaluationPeriods=3, DatapointsToAlarm=2)

    seen = []
    for value in (0.0, 5.0, 0.0, 5.0, None, 0.0, 0.0):
        pass_minutes(user, name, value)
        seen.append(state(user, name))

    assert seen == ["OK", "OK", "OK", "ALARM", "ALARM", "OK", "OK"]


@pytest.mark.source("CW AlarmThatSendsEmail: periods under a minute are evaluated every 10 s")
def test_an_alarm_to_the_second_trips_within_thirty_seconds(user: CloudUser, name: str) -> None:
    put_alarm(user, name, Period=10, EvaluationPeriods=3)

    seen = []
    for _ in range(3):
        put(user, name, 5.0, StorageResolution=1)
        user.cloud.timekeeper.advance(10)
        seen.append(state(user, name))

    assert seen == ["OK", "OK", "ALARM"]


def test_minutes_in_which_the_cloud_was_held_up_are_evaluated_one_by_one(
    user: CloudUser, name: str
) -> None:
    put_alarm(user, name)
    now = user.cloud.clock.now()
    put(user, name, 5.0)
    put(user, name, 0.0, Timestamp=datetime_from_epoch(now + 60))

    assert isinstance(user.cloud.clock, ManualClock)
    user.cloud.clock.advance(120)
    user.cloud.timekeeper.advance(0)

    items = user.client("cloudwatch").describe_alarm_history(
        AlarmName=name, HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
    )["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in items] == [
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        "Alarm updated from ALARM to OK",
    ]


@pytest.mark.source("CW percentiles-with-low-samples")
def test_a_percentile_of_too_few_samples_changes_nothing_when_asked(
    user: CloudUser, name: str
) -> None:
    shared = {"MetricName": name, "Statistic": None, "ExtendedStatistic": "p90"}
    put_alarm(user, f"{name}-ignore", **shared, EvaluateLowSampleCountPercentile="ignore")
    put_alarm(user, f"{name}-evaluate", **shared)

    pass_minutes(user, name, 5.0)
    few = [state(user, f"{name}-ignore"), state(user, f"{name}-evaluate")]
    now = datetime_from_epoch(user.cloud.clock.now())
    many = {"MetricName": name, "Timestamp": now, "Values": [5.0], "Counts": [100.0]}
    user.client("cloudwatch").put_metric_data(Namespace="Mine", MetricData=[many])
    user.cloud.timekeeper.advance(60)

    assert few == ["INSUFFICIENT_DATA", "ALARM"]
    assert state(user, f"{name}-ignore") == "ALARM"


@pytest.mark.source("botocore PutMetricAlarm Metrics; CW alarms on metric math")
def test_an_alarm_on_metric_math_compares_the_expression(user: CloudUser, name: str) -> None:
    def query(query_id: str, metric: str) -> dict[str, Any]:
        asked = {"Metric": {"Namespace": "Mine", "MetricName": metric}, "Period": 60}
        return {"Id": query_id, "MetricStat": {**asked, "Stat": "Sum"}, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "100 * errors / requests", "ReturnData": True}
    queries = [query("errors", f"{name}-e"), query("requests", f"{name}-r"), rate]
    single = ("Namespace", "MetricName", "Statistic", "Period")
    put_alarm(user, name, Threshold=5.0, Metrics=queries, **dict.fromkeys(single))

    seen = []
    for errors, requests in ((1.0, 100.0), (6.0, 100.0)):
        put(user, f"{name}-e", errors)
        put(user, f"{name}-r", requests)
        user.cloud.timekeeper.advance(60)
        seen.append(state(user, name))

    assert seen == ["OK", "ALARM"]
    assert [entry["Id"] for entry in described(user, name)["Metrics"]] == [
        "errors",
        "requests",
        "rate",
    ]


@pytest.mark.source("CW AlarmThatSendsEmail, actions; aws-lambda-go's sample of the message")
def test_a_change_of_state_tells_its_topic(user: CloudUser, name: str) -> None:
    topic, take = inbox(user, "change-of-state")
    put_alarm(user, name, MetricName="told", AlarmActions=[topic], OKActions=[topic], Period=60)

    pass_minutes(user, "told", 5.0, 5.0)
    first = wait_for(take, "a message about the alarm")
    pass_minutes(user, "told", 0.0)
    second = wait_for(take, "a message about the recovery")

    assert [message["Subject"] for message in (*first, *second)] == [
        f'ALARM: "{name}" in EU (Ireland)',
        f'OK: "{name}" in EU (Ireland)',
    ]
    body = json.loads(first[0]["Message"])
    assert (body["NewStateValue"], body["OldStateValue"]) == ("ALARM", "INSUFFICIENT_DATA")
    assert (body["AlarmName"], body["AWSAccountId"], body["Region"]) == (
        name,
        ACCOUNT,
        "EU (Ireland)",
    )
    trigger = body["Trigger"]
    assert (trigger["MetricName"], trigger["Statistic"], trigger["Period"]) == ("told", "SUM", 60)
    assert trigger["Dimensions"] == []


@pytest.mark.source("botocore DisableAlarmActions, EnableAlarmActions, SetAlarmState")
def test_disabled_actions_stay_silent_and_a_forced_state_acts(user: CloudUser, name: str) -> None:
    topic, take = inbox(user, "disabled-actions")
    cloudwatch = user.client("cloudwatch")
    put_alarm(user, name, AlarmActions=[topic])

    cloudwatch.disable_alarm_actions(AlarmNames=[name])
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="quiet")
    silent = described(user, name)
    cloudwatch.enable_alarm_actions(AlarmNames=[name])
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="back")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="loud")
    (message,) = wait_for(take, "the message of the forced state")

    assert (silent["StateValue"], silent["ActionsEnabled"]) == ("ALARM", False)
    assert json.loads(message["Message"])["NewStateReason"] == "loud"


@pytest.mark.source("botocore DescribeAlarmHistory; CW event samples")
def test_the_history_tells_of_configuration_states_and_actions(user: CloudUser, name: str) -> None:
    gone = f"arn:aws:sns:{REGION}:{ACCOUNT}:nobody"
    put_alarm(user, name, AlarmActions=[gone, f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"])
    pass_minutes(user, name, 5.0)

    def history(**more: Any) -> list[dict[str, Any]]:
        answer = user.client("cloudwatch").describe_alarm_history(AlarmName=name, **more)
        return list(answer["AlarmHistoryItems"])

    actions = wait_for(
        lambda: len(found := history(HistoryItemType="Action")) == 2 and found, "both actions"
    )
    (update,) = history(HistoryItemType="StateUpdate")
    oldest = history(ScanBy="TimestampAscending", MaxRecords=1)[0]

    assert oldest["HistorySummary"] == f'Alarm "{name}" created'
    assert update["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to ALARM"
    assert json.loads(update["HistoryData"])["newState"]["stateValue"] == "ALARM"
    assert all(item["HistorySummary"].startswith("Failed to execute action") for item in actions)


@pytest.mark.source("botocore PutCompositeAlarm, AlarmRule; CW Create_Composite_Alarm")
def test_a_composite_alarm_follows_its_rule(user: CloudUser, name: str) -> None:
    topic, take = inbox(user, "composite")
    cloudwatch = user.client("cloudwatch")
    for child in ("a", "b", "c"):
        put_alarm(user, f"{name}-{child}", TreatMissingData="ignore")
    rule = f'ALARM("{name}-a") AND (NOT OK({name}-b) OR ALARM({name}-c))'
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=rule, AlarmActions=[topic])

    def force(child: str, value: str) -> str:
        cloudwatch.set_alarm_state(
            AlarmName=f"{name}-{child}", StateValue=value, StateReason="test"
        )
        user.cloud.timekeeper.advance(1)
        return state(user, name)

    fresh = state(user, name)
    seen = [force("b", "OK"), force("a", "ALARM"), force("c", "ALARM"), force("a", "OK")]
    (message,) = wait_for(take, "the composite alarm's message")

    assert fresh == "INSUFFICIENT_DATA"
    assert seen == ["OK", "OK", "ALARM", "OK"]
    assert json.loads(message["Message"])["TriggeringChildren"][0]["Arn"].endswith(f"{name}-c")
    default = cloudwatch.describe_alarms(AlarmNamePrefix=name)
    assert (len(default["MetricAlarms"]), default["CompositeAlarms"]) == (3, [])


@pytest.mark.source("botocore DescribeAlarms ParentsOfAlarmName, ChildrenOfAlarmName; DeleteAlarms")
def test_composites_and_their_children_find_each_other(user: CloudUser, name: str) -> None:
    cloudwatch = user.client("cloudwatch")
    put_alarm(user, f"{name}-m")
    cloudwatch.put_composite_alarm(AlarmName=f"{name}-c", AlarmRule=f"ALARM({name}-m)")
    cloudwatch.put_composite_alarm(AlarmName=f"{name}-p", AlarmRule=f"OK({name}-c)")

    children = cloudwatch.describe_alarms(ChildrenOfAlarmName=f"{name}-c")["MetricAlarms"]
    parents = cloudwatch.describe_alarms(ParentsOfAlarmName=f"{name}-m")["CompositeAlarms"]
    with pytest.raises(ClientError, match="composite alarms depending on it"):
        cloudwatch.delete_alarms(AlarmNames=[f"{name}-c"])
    for last in (f"{name}-p", f"{name}-c"):
        cloudwatch.delete_alarms(AlarmNames=[last])
    with pytest.raises(ClientError) as caught:
        cloudwatch.delete_alarms(AlarmNames=["nobody", f"{name}-m"])

    assert [alarm["AlarmName"] for alarm in children] == [f"{name}-m"]
    assert [alarm["AlarmName"] for alarm in parents] == [f"{name}-c"]
    assert caught.value.response["Error"]["Code"] == "ResourceNotFound"
    assert cloudwatch.describe_alarms(AlarmNamePrefix=name)["MetricAlarms"] == []


@pytest.mark.source("botocore DescribeAlarms, DescribeAlarmsForMetric, TagResource")
def test_alarms_are_found_by_state_action_metric_and_tag(user: CloudUser, name: str) -> None:
    cloudwatch = user.client("cloudwatch")
    action = f"arn:aws:sns:{REGION}:{ACCOUNT}:found"
    dimensions = [{"Name": "A", "Value": "1"}]
    tags = [{"Key": "team", "Value": "one"}]
    put_alarm(user, f"{name}-1", AlarmActions=[action], Tags=tags)
    put_alarm(user, f"{name}-2", MetricName=f"{name}-1", Dimensions=dimensions)

    def names(alarms: dict[str, Any]) -> list[str]:
        return [alarm["AlarmName"] for alarm in alarms["MetricAlarms"]]

    arn = described(user, f"{name}-1")["AlarmArn"]
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=name, PaginationConfig={"PageSize": 1}
    )
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "more", "Value": "two"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["team"])

    assert names(cloudwatch.describe_alarms(ActionPrefix=action)) == [f"{name}-1"]
    assert [names(page) for page in pages] == [[f"{name}-1"], [f"{name}-2"]]
    for_metric = cloudwatch.describe_alarms_for_metric(
        Namespace="Mine", MetricName=f"{name}-1", Dimensions=dimensions
    )
    assert names(for_metric) == [f"{name}-2"]
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [
        {"Key": "more", "Value": "two"}
    ]


@pytest.mark.source("issues quote the refusals of PutMetricAlarm")
@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"EvaluationPeriods": 1_441}, "cannot be checked across more than a day"),
        ({"Period": 3_600, "EvaluationPeriods": 169}, "across more than a week"),
        ({"Period": 45}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"AlarmActions": ["topic"]}, "Invalid arn syntax: topic"),
        ({"ComparisonOperator": "Above"}, "Member must satisfy enum value set"),
    ],
)
def test_alarms_that_cannot_be_are_refused(
    user: CloudUser, name: str, members: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError, match=said):
        put_alarm(user, name, **members)


@pytest.mark.assumed("rules are CloudWatch's, the texts are not documented")
@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"DatapointsToAlarm": 2}, "must be less than or equal to EvaluationPeriods"),
        ({"ExtendedStatistic": "p90"}, "Exactly one of Statistic and ExtendedStatistic"),
        ({"TreatMissingData": "guess"}, "TreatMissingData must be one of"),
        ({"Metrics": [{"Id": "e", "Expression": "1"}]}, "must not be given together"),
        ({"EvaluationInterval": 60}, "does not do EvaluationInterval"),
    ],
)
def test_alarms_that_contradict_themselves_are_refused(
    user: CloudUser, name: str, members: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError, match=said):
        put_alarm(user, name, **members)


@pytest.mark.assumed("the texts about a rule are not documented")
@pytest.mark.parametrize(
    "rule", ["ALARM(a", "MAYBE(a)", "ALARM(a) ALARM(b)", "AND", 'OK("a', "ALARM a"]
)
def test_a_rule_that_cannot_be_read_is_refused(user: CloudUser, name: str, rule: str) -> None:
    with pytest.raises(ClientError, match="Error in AlarmRule"):
        user.client("cloudwatch").put_composite_alarm(AlarmName=name, AlarmRule=rule)
