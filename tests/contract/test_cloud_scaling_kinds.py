"""Scaling of what is no plain variant: asynchronous to zero and back, provisioned concurrency."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import CloudUser, start_cloud, wait_for
from tests.support.work import add_work_image, invoke_later, make_async_config, put, wait_read

SPEED = 240.0
COUNT = "sagemaker:variant:DesiredInstanceCount"
CONCURRENCY = "sagemaker:variant:DesiredProvisionedConcurrency"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=SPEED)
    started.prepare()
    yield started
    started.cloud.stop()


def named(endpoint: str, dimension: str, **more: Any) -> dict[str, Any]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/main",
        "ScalableDimension": dimension,
        **more,
    }


def variant(user: CloudUser, endpoint: str) -> dict[str, Any]:
    members: dict[str, Any] = user.describe(endpoint)["ProductionVariants"][0]
    return members


@pytest.mark.source(
    "DG async-inference-autoscale: MinCapacity 0, backlog, HasBacklogWithoutCapacity"
)
def test_an_asynchronous_endpoint_scales_to_zero_and_back(user: CloudUser) -> None:
    add_work_image(user)
    make_async_config(user, "idle")
    user.make_endpoint("idle", "idle")
    scaling, dimensions = (
        user.client("application-autoscaling"),
        [{"Name": "EndpointName", "Value": "idle"}],
    )
    scaling.register_scalable_target(**named("idle", COUNT, MinCapacity=0, MaxCapacity=1))
    backlog = {
        "MetricName": "ApproximateBacklogSizePerInstance",
        "Namespace": "AWS/SageMaker",
        "Dimensions": dimensions,
        "Statistic": "Average",
    }
    scaling.put_scaling_policy(
        **named("idle", COUNT, PolicyName="backlog", PolicyType="TargetTrackingScaling"),
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 5.0,
            "CustomizedMetricSpecification": backlog,
        },
    )
    step = {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}
    policy = scaling.put_scaling_policy(
        **named("idle", COUNT, PolicyName="wake", PolicyType="StepScaling"),
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [step],
        },
    )
    user.client("cloudwatch").put_metric_alarm(
        AlarmName="idle-wake",
        Namespace="AWS/SageMaker",
        MetricName="HasBacklogWithoutCapacity",
        Dimensions=dimensions,
        Statistic="Average",
        Period=60,
        EvaluationPeriods=2,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="missing",
        AlarmActions=[policy["PolicyARN"]],
    )

    wait_for(lambda: variant(user, "idle")["CurrentInstanceCount"] == 0, "zero instances")
    url = put(user, "in/late.csv", b"1,2,3")
    answer = invoke_later(user, "idle", InputLocation=url, ContentType="text/csv")

    assert wait_read(user, answer["OutputLocation"])
    causes = [
        activity["Cause"]
        for activity in scaling.describe_scaling_activities(**named("idle", COUNT))[
            "ScalingActivities"
        ]
    ]
    assert any("triggered policy backlog" in cause for cause in causes)
    assert any("idle-wake in state ALARM triggered policy wake" in cause for cause in causes)


@pytest.mark.source("DG serverless-endpoints-autoscale; serverless-endpoints-monitoring")
def test_provisioned_concurrency_follows_its_utilization(user: CloudUser) -> None:
    user.make_config("warm", environment={"TINY_DELAY": "0.05"})
    sizes = {"MemorySizeInMB": 2048, "MaxConcurrency": 3, "ProvisionedConcurrency": 1}
    user.sagemaker.create_endpoint_config(
        EndpointConfigName="warm-serverless",
        ProductionVariants=[
            {"VariantName": "main", "ModelName": "warm", "ServerlessConfig": sizes}
        ],
    )
    user.make_endpoint("warm", "warm-serverless")
    scaling = user.client("application-autoscaling")
    with pytest.raises(ClientError, match="is serverless; use sagemaker:variant:DesiredProv"):
        scaling.register_scalable_target(**named("warm", COUNT, MinCapacity=1, MaxCapacity=2))
    scaling.register_scalable_target(**named("warm", CONCURRENCY, MinCapacity=1, MaxCapacity=2))
    metric = "SageMakerVariantProvisionedConcurrencyUtilization"
    scaling.put_scaling_policy(
        **named("warm", CONCURRENCY, PolicyName="track", PolicyType="TargetTrackingScaling"),
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 0.7,
            "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
        },
    )
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            user.invoke("warm")

    thread = threading.Thread(target=load)
    thread.start()
    try:
        wait_for(
            lambda: variant(user, "warm")["CurrentServerlessConfig"]["ProvisionedConcurrency"] == 2,
            "two provisioned",
        )
    finally:
        stop.set()
        thread.join()

    metrics = user.client("cloudwatch").list_metrics(
        Namespace="AWS/SageMaker", Dimensions=[{"Name": "EndpointName", "Value": "warm"}]
    )["Metrics"]
    sent = {metric["MetricName"] for metric in metrics}
    assert {
        "Invocations",
        "ServerlessConcurrentExecutionsUtilization",
        "ServerlessProvisionedConcurrencyExecutions",
    } <= sent
    assert not {"InvocationsPerInstance", "InvocationModelErrors"} & sent
    (activity,) = scaling.describe_scaling_activities(**named("warm", CONCURRENCY))[
        "ScalingActivities"
    ][:1]
    assert activity["Description"] == "Setting desired provisioned concurrency to 2."
