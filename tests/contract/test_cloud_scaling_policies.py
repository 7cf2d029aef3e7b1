"""Application Auto Scaling minute by minute: steps, schedules, several policies, activities."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from rehearsal.cloud.clock import ManualClock, datetime_from_epoch
from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.settings import CloudSettings
from tests.support.cloud import CloudUser

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
# 2027-01-15T08:00:00Z
START = 1_800_000_000.0


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    settings = CloudSettings(directory=tmp_path_factory.mktemp("cloud"))
    started = CloudUser(Cloud(settings, ManualClock(START)))
    started.cloud.start()
    started.prepare()
    yield started
    started.cloud.stop()


@pytest.fixture
def endpoint(user: CloudUser, request: pytest.FixtureRequest) -> Iterator[str]:
    name = str(request.node.name[5:35].strip("-_").replace("_", "-"))
    user.make_config(name)
    user.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    advance(user, 2)
    assert user.describe(name)["EndpointStatus"] == "InService"
    yield name
    user.sagemaker.delete_endpoint(EndpointName=name)
    advance(user, 2)


def advance(user: CloudUser, seconds: float) -> None:
    user.cloud.timekeeper.advance(seconds)


def scaling(user: CloudUser) -> Any:
    return user.client("application-autoscaling")


def named(endpoint: str, **more: Any) -> dict[str, Any]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/main",
        "ScalableDimension": DIMENSION,
        **more,
    }


def register(user: CloudUser, endpoint: str, least: int, most: int, **more: Any) -> str:
    members = named(endpoint, MinCapacity=least, MaxCapacity=most, **more)
    answer = scaling(user).register_scalable_target(**members)
    advance(user, 2)
    # Minutes begin whole, so that the last second of one is when its alarms are evaluated.
    advance(user, 60 - user.cloud.clock.now() % 60)
    return str(answer["ScalableTargetARN"])


def track(user: CloudUser, endpoint: str, metric: str, target: float, **more: Any) -> Any:
    """Track a metric of the user's own."""
    specification = {
        "MetricName": metric,
        "Namespace": "Mine",
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}],
        "Statistic": "Average",
    }
    configuration = {"TargetValue": target, "CustomizedMetricSpecification": specification, **more}
    return scaling(user).put_scaling_policy(
        **named(
            endpoint,
            PolicyName=f"track-{metric}",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=configuration,
        )
    )


def pass_minutes(user: CloudUser, endpoint: str, minutes: int, **metrics: float) -> None:
    for _ in range(minutes):
        now = datetime_from_epoch(user.cloud.clock.now())
        data = [
            {
                "MetricName": name,
                "Dimensions": [{"Name": "EndpointName", "Value": endpoint}],
                "Timestamp": now,
                "Value": value,
            }
            for name, value in metrics.items()
        ]
        user.client("cloudwatch").put_metric_data(Namespace="Mine", MetricData=data)
        advance(user, 60)


def count(user: CloudUser, endpoint: str) -> int:
    return int(user.describe(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"])


def activities(user: CloudUser, endpoint: str, **more: Any) -> list[dict[str, Any]]:
    answer = scaling(user).describe_scaling_activities(**named(endpoint), **more)
    found: list[dict[str, Any]] = answer["ScalingActivities"]
    return found


@pytest.mark.source("AAS step scaling: the alarm is the user's, its action the policy")
def test_an_alarm_of_the_users_runs_a_step_policy(user: CloudUser, endpoint: str) -> None:
    register(user, endpoint, 1, 4)
    steps = [
        {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 50.0, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 50.0, "ScalingAdjustment": 3},
    ]
    policy = scaling(user).put_scaling_policy(
        **named(
            endpoint,
            PolicyName="steps",
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": steps,
                "Cooldown": 120,
            },
        )
    )
    user.client("cloudwatch").put_metric_alarm(
        AlarmName=f"{endpoint}-busy",
        Namespace="Mine",
        MetricName="load",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=50.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[policy["PolicyARN"]],
    )

    seen = []
    for load in (60.0, 60.0, 110.0, 110.0):
        pass_minutes(user, endpoint, 1, load=load)
        seen.append(count(user, endpoint))
    described = scaling(user).describe_scaling_policies(**named(endpoint))["ScalingPolicies"]

    assert policy["Alarms"] == []
    assert seen == [2, 2, 4, 4]
    assert [alarm["AlarmName"] for alarm in described[0]["Alarms"]] == [f"{endpoint}-busy"]
    assert described[0]["StepScalingPolicyConfiguration"]["StepAdjustments"] == steps


@pytest.mark.source("AAS target tracking: customized metric; cooldowns; AAS scaling activities")
def test_a_customized_metric_is_tracked_and_told_of(user: CloudUser, endpoint: str) -> None:
    register(user, endpoint, 1, 3)
    track(user, endpoint, "cpu", 50.0)

    pass_minutes(user, endpoint, 3, cpu=90.0)
    (going,) = activities(user, endpoint)
    advance(user, 2)
    (done,) = activities(user, endpoint)
    out = count(user, endpoint)
    pass_minutes(user, endpoint, 15, cpu=5.0)
    advance(user, 3)

    assert (going["StatusCode"], done["StatusCode"]) == ("InProgress", "Successful")
    assert going["Description"] == "Setting desired instance count to 2."
    assert done["StatusMessage"] == (
        "Successfully set desired instance count to 2. Change successfully fulfilled by sagemaker."
    )
    assert "in state ALARM triggered policy track-cpu" in done["Cause"]
    assert done["EndTime"] >= done["StartTime"]
    assert (out, count(user, endpoint)) == (2, 1)


@pytest.mark.source("AAS target tracking, multiple policies")
def test_several_policies_of_a_target_are_reconciled(user: CloudUser, endpoint: str) -> None:
    register(user, endpoint, 1, 4)
    track(user, endpoint, "cpu", 50.0)
    track(user, endpoint, "memory", 50.0)

    pass_minutes(user, endpoint, 3, cpu=60.0, memory=140.0)
    advance(user, 3)
    most = count(user, endpoint)
    pass_minutes(user, endpoint, 16, cpu=5.0, memory=49.0)
    held = count(user, endpoint)
    pass_minutes(user, endpoint, 16, cpu=5.0, memory=5.0)

    assert (most, held) == (3, 3)
    assert count(user, endpoint) < 3


@pytest.mark.source("AAS scheduled scaling; issues quote the refusal; activities' texts")
def test_a_scheduled_action_moves_the_bounds_when_its_time_comes(
    user: CloudUser, endpoint: str
) -> None:
    register(user, endpoint, 1, 4)
    now = datetime_from_epoch(user.cloud.clock.now())
    soon = (now + timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%S")

    def put(name: str, schedule: str, **bounds: int) -> None:
        members = named(endpoint, ScheduledActionName=name, Schedule=schedule)
        scaling(user).put_scheduled_action(**members, ScalableTargetAction=bounds)

    with pytest.raises(ClientError, match="At least one of minimum capacity and maximum capacity"):
        put("nothing", "rate(1 day)")
    with pytest.raises(ClientError, match=r"is not at\(yyyy-mm-ddThh:mm:ss\), rate"):
        put("nothing", "tomorrow", MinCapacity=1)
    with pytest.raises(ClientError, match="is no time zone this machine knows"):
        scaling(user).put_scheduled_action(
            **named(endpoint, ScheduledActionName="far", Schedule="rate(1 day)"),
            Timezone="Mars/Olympus",
            ScalableTargetAction={"MinCapacity": 1},
        )
    put("up", f"at({soon})", MinCapacity=2)
    put("down", "rate(10 minutes)", MinCapacity=1, MaxCapacity=1)
    actions = scaling(user).describe_scheduled_actions(**named(endpoint))["ScheduledActions"]
    before = count(user, endpoint)
    advance(user, 125)
    up = count(user, endpoint)
    told = activities(user, endpoint)[:2]
    advance(user, 600)

    assert [action["ScheduledActionName"] for action in actions] == ["up", "down"]
    assert actions[0]["ScheduledActionARN"].endswith(
        f":resource/sagemaker/endpoint/{endpoint}/variant/main:scheduledActionName/up"
    )
    assert (before, up, count(user, endpoint)) == (1, 2, 1)
    assert [activity["Cause"] for activity in reversed(told)] == [
        "scheduled action name up was triggered",
        "minimum capacity was set to 2",
    ]
    assert told[1]["StatusMessage"] == "Successfully set min capacity to 2"


@pytest.mark.source("botocore RegisterScalableTarget SuspendedState; DeleteScheduledAction")
def test_suspended_scaling_and_deleted_actions_do_nothing(user: CloudUser, endpoint: str) -> None:
    suspended = {"ScheduledScalingSuspended": True, "DynamicScalingOutSuspended": True}
    register(user, endpoint, 1, 4, SuspendedState=suspended)
    track(user, endpoint, "cpu", 50.0)
    scheduled = named(endpoint, ScheduledActionName="a")
    scaling(user).put_scheduled_action(
        **scheduled, Schedule="rate(1 minute)", ScalableTargetAction={"MinCapacity": 3}
    )

    pass_minutes(user, endpoint, 4, cpu=90.0)
    (target,) = scaling(user).describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[f"endpoint/{endpoint}/variant/main"]
    )["ScalableTargets"]
    scaling(user).delete_scheduled_action(**scheduled)

    assert (count(user, endpoint), target["MinCapacity"]) == (1, 1)
    assert target["SuspendedState"] == {**suspended, "DynamicScalingInSuspended": False}
    with pytest.raises(scaling(user).exceptions.ObjectNotFoundException):
        scaling(user).delete_scheduled_action(**scheduled)


@pytest.mark.source("DG endpoint-scaling-update: blocked while updating; query-history texts")
def test_a_scaling_during_an_update_fails_and_is_tried_again(
    user: CloudUser, endpoint: str
) -> None:
    register(user, endpoint, 1, 3)
    track(user, endpoint, "cpu", 50.0)
    user.make_config(f"{endpoint}-2")
    blue_green = {
        "TrafficRoutingConfiguration": {
            "Type": "ALL_AT_ONCE",
            "WaitIntervalInSeconds": 0,
        },
        "TerminationWaitInSeconds": 300,
    }
    user.sagemaker.update_endpoint(
        EndpointName=endpoint,
        EndpointConfigName=f"{endpoint}-2",
        DeploymentConfig={"BlueGreenUpdatePolicy": blue_green},
    )

    pass_minutes(user, endpoint, 4, cpu=90.0)
    failed = activities(user, endpoint)[0]
    pass_minutes(user, endpoint, 4, cpu=90.0)
    advance(user, 2)

    assert failed["StatusCode"] == "Failed"
    assert failed["StatusMessage"].startswith(
        "Failed to set desired instance count to 2. Reason: Cannot update in-progress endpoint"
    )
    assert "(Service: AmazonSageMaker; Status Code: 400; Error Code: V" in failed["StatusMessage"]
    assert count(user, endpoint) == 2


@pytest.mark.source("AAS scaling activities, status codes: the target service can't fulfill")
def test_a_scaling_without_capacity_stays_unfulfilled(user: CloudUser, endpoint: str) -> None:
    register(user, endpoint, 1, 3)
    track(user, endpoint, "cpu", 50.0)
    fault = user.tell("faults", {"kind": "capacity", "instance_type": "ml.m5.large"})

    pass_minutes(user, endpoint, 3, cpu=90.0)
    advance(user, 30)
    (activity,) = activities(user, endpoint)
    requests.delete(f"{user.cloud.url}/rehearsal/faults", timeout=30).raise_for_status()

    assert fault.status_code == 200
    assert (activity["StatusCode"], count(user, endpoint)) == ("Unfulfilled", 1)
    assert activity["StatusMessage"].startswith("Failed to set desired instance count to 2.")
    pass_minutes(user, endpoint, 2, cpu=90.0)
    advance(user, 3)
    assert count(user, endpoint) == 2


@pytest.mark.source("DG endpoint-scaling-update: InitialInstanceCount, then up to the minimum")
def test_after_an_update_the_count_is_lifted_to_the_minimum(user: CloudUser, endpoint: str) -> None:
    register(user, endpoint, 2, 3)
    user.make_config(f"{endpoint}-2")

    before = count(user, endpoint)
    user.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-2")
    advance(user, 3)
    updated = count(user, endpoint)
    advance(user, 62)

    assert (before, updated, count(user, endpoint)) == (2, 1, 2)
    assert activities(user, endpoint)[0]["Cause"] == "minimum capacity was set to 2"


@pytest.mark.source("DG endpoint-auto-scaling-prerequisites: metrics with a value of zero")
def test_a_scaled_variant_without_traffic_sends_zeros(user: CloudUser, endpoint: str) -> None:
    register(user, endpoint, 1, 2)
    now = datetime_from_epoch(user.cloud.clock.now())

    advance(user, 121)

    for metric in ("Invocations", "InvocationsPerInstance"):
        answer = user.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[
                {"Name": "EndpointName", "Value": endpoint},
                {"Name": "VariantName", "Value": "main"},
            ],
            StartTime=now,
            EndTime=now + timedelta(minutes=2),
            Period=60,
            Statistics=["Sum", "SampleCount"],
        )
        assert [(p["Sum"], p["SampleCount"]) for p in answer["Datapoints"]] == [(0.0, 1.0)] * 2


@pytest.mark.source("AAS scaling activities, not scaled reasons")
def test_what_was_not_scaled_is_told_when_asked_for(user: CloudUser, endpoint: str) -> None:
    register(user, endpoint, 1, 1)
    track(user, endpoint, "cpu", 50.0)

    pass_minutes(user, endpoint, 5, cpu=90.0)
    plain = activities(user, endpoint)
    (told,) = activities(user, endpoint, IncludeNotScaledActivities=True)

    assert plain == []
    assert told["NotScaledReasons"] == [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 1}]
    assert (told["StatusCode"], told["Description"]) == (
        "Failed",
        "Attempting to scale due to alarm triggered",
    )


@pytest.mark.source("botocore TagResource, ListTagsForResource; DescribeScalableTargets pages")
def test_targets_are_tagged_and_listed_in_pages(user: CloudUser, endpoint: str) -> None:
    arn = register(user, endpoint, 1, 1, Tags={"team": "one"})
    tag = scaling(user)

    tag.tag_resource(ResourceARN=arn, Tags={"more": "two"})
    tag.untag_resource(ResourceARN=arn, TagKeys=["team"])

    assert tag.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"more": "two"}
    with pytest.raises(tag.exceptions.ResourceNotFoundException):
        tag.list_tags_for_resource(ResourceARN=f"{arn}0")
    with pytest.raises(tag.exceptions.TooManyTagsException):
        tag.tag_resource(ResourceARN=arn, Tags={str(number): "" for number in range(50)})
    for metric in ("a", "b", "c"):
        track(user, endpoint, metric, 1.0)
    pages = tag.get_paginator("describe_scaling_policies").paginate(
        **named(endpoint), PaginationConfig={"PageSize": 2}
    )
    assert [len(page["ScalingPolicies"]) for page in pages] == [2, 1]
