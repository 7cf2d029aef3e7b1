"""An asynchronous endpoint's queue: without instances, over updates, after its time, at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cloud import BUCKET, CloudUser, start_cloud, wait_for
from tests.support.work import (
    Inbox,
    add_work_image,
    invoke_later,
    make_async_config,
    metric,
    read,
    wait_read,
)

MONITOR = "DG async-inference-monitor"
# A quarter of an hour without requests, which scaling to zero waits for, is three seconds.
SPEED = 300.0


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=SPEED)
    started.prepare()
    add_work_image(started)
    yield started
    started.cloud.stop()


def scale(user: CloudUser, endpoint: str, count: int) -> None:
    user.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": count}],
    )
    assert user.wait(endpoint)["EndpointStatus"] == "InService"


@pytest.mark.source(MONITOR + "; DG async-inference-autoscale: HasBacklogWithoutCapacity")
def test_a_queue_without_instances_is_seen_in_the_metrics(user: CloudUser) -> None:
    make_async_config(user, "zero")
    user.make_endpoint("zero", "zero")
    scale(user, "zero", 0)
    before = metric(user, "zero", "HasBacklogWithoutCapacity", "Maximum", variant=False)

    for _ in range(3):
        invoke_later(user, "zero", Body=b"1", ContentType="text/csv")
    # A sample taken between two requests has seen fewer of them.
    wait_for(
        lambda: metric(user, "zero", "ApproximateBacklogSize", "Maximum", variant=False) == 3,
        "a sample of the whole backlog",
    )

    assert not before
    assert user.control("status")["queues"]["zero"] == 3
    assert metric(user, "zero", "ApproximateBacklogSizePerInstance", "Maximum", variant=False) == 3
    assert metric(user, "zero", "HasBacklogWithoutCapacity", "Maximum", variant=False) == 1
    assert user.cloud.engine.invoker.routes["zero"].variants[0].lanes[0].instances == ()


@pytest.mark.source("DG async-inference-autoscale: requests wait while there are no instances")
def test_requests_wait_while_there_is_no_instance_and_survive_an_update(user: CloudUser) -> None:
    make_async_config(user, "away")
    make_async_config(user, "away-2", model="away")
    user.make_endpoint("away", "away")
    scale(user, "away", 0)

    answer = invoke_later(user, "away", Body=b"1,2", ContentType="text/csv")
    user.sagemaker.update_endpoint(EndpointName="away", EndpointConfigName="away-2")

    assert wait_read(user, answer["OutputLocation"]) == b"3"
    assert answer["OutputLocation"].startswith(f"s3://{BUCKET}/away/out/")
    assert user.wait("away")["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"] == (
        f"s3://{BUCKET}/away-2/out"
    )


@pytest.mark.source("botocore InvokeEndpointAsyncInput$RequestTTLSeconds; " + MONITOR)
def test_a_request_expires_in_the_queue_after_its_time(user: CloudUser) -> None:
    inbox = Inbox(user, "ends")
    make_async_config(user, "stale", notification={"ErrorTopic": inbox.topic_arn})
    user.make_endpoint("stale", "stale")
    scale(user, "stale", 0)

    answer = invoke_later(user, "stale", Body=b"1,2", ContentType="text/csv", RequestTTLSeconds=60)
    told = inbox.wait(inferenceId=answer["InferenceId"])

    assert told["invocationStatus"] == "Failed"
    assert "expired after 60 seconds" in told["failureReason"]


@pytest.mark.assumed("what becomes of a queue when its endpoint is deleted")
def test_a_queue_is_dropped_with_its_endpoint(user: CloudUser) -> None:
    make_async_config(user, "gone")
    user.make_endpoint("gone", "gone")
    scale(user, "gone", 0)
    answer = invoke_later(user, "gone", Body=b"1", ContentType="text/csv")

    user.sagemaker.delete_endpoint(EndpointName="gone")
    wait_for(lambda: "gone" not in user.cloud.engine.endpoints, "the endpoint to go")
    user.make_endpoint("gone", "gone")
    second = invoke_later(user, "gone", Body=b"2", ContentType="text/csv")

    assert wait_read(user, second["OutputLocation"]) == b"2"
    assert read(user, answer["OutputLocation"]) is None
    assert read(user, answer["FailureLocation"]) is None


@pytest.mark.source("DG async-inference-autoscale")
def test_an_async_endpoint_scales_to_zero_and_back(user: CloudUser) -> None:
    make_async_config(user, "sleepy")
    user.make_endpoint("sleepy", "sleepy")
    scale_by_backlog(user, "sleepy")

    def instances() -> int:
        variant = user.describe("sleepy")["ProductionVariants"][0]
        return int(variant["CurrentInstanceCount"])

    wait_for(lambda: instances() == 0, "the silent endpoint to scale to zero")
    answer = invoke_later(user, "sleepy", Body=b"1,2", ContentType="text/csv")

    assert wait_read(user, answer["OutputLocation"]) == b"3"
    scalings = [
        (event["previous_instance_count"], event["desired_instance_count"])
        for event in user.control("record")["events"]
        if event["kind"] == "scaling" and event["endpoint_name"] == "sleepy"
    ]
    # A quarter of an hour is three seconds here: it may have gone back to sleep already.
    assert scalings[:2] == [(1, 0), (0, 1)]


def scale_by_backlog(user: CloudUser, endpoint: str) -> None:
    """Do what the guide says: track the backlog per instance, and step out from zero."""
    scaling = user.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/main",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    by_name = [{"Name": "EndpointName", "Value": endpoint}]
    scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=2)
    scaling.put_scaling_policy(
        **target,
        PolicyName="backlog",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 5.0,
            "CustomizedMetricSpecification": {
                "MetricName": "ApproximateBacklogSizePerInstance",
                "Namespace": "AWS/SageMaker",
                "Dimensions": by_name,
                "Statistic": "Average",
            },
            "ScaleInCooldown": 60,
            "ScaleOutCooldown": 60,
        },
    )
    step = scaling.put_scaling_policy(
        **target,
        PolicyName="from-zero",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Average",
            "Cooldown": 60,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
        },
    )
    user.client("cloudwatch").put_metric_alarm(
        AlarmName=f"{endpoint}-backlog-without-capacity",
        Namespace="AWS/SageMaker",
        MetricName="HasBacklogWithoutCapacity",
        Dimensions=by_name,
        Statistic="Average",
        Period=60,
        EvaluationPeriods=2,
        DatapointsToAlarm=2,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="missing",
        AlarmActions=[step["PolicyARN"]],
    )
