"""Application Auto Scaling of a variant, acting on real instances."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import CloudUser, start_cloud, wait_for

SPEED = 240.0
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=SPEED)
    started.prepare()
    yield started
    started.cloud.stop()


@pytest.fixture
def endpoint(user: CloudUser, request: pytest.FixtureRequest) -> str:
    name = request.node.name[5:30].strip("-_").replace("_", "-")
    user.make_config(name)
    user.make_endpoint(name, name)
    return str(name)


def named(endpoint: str, **more: Any) -> dict[str, Any]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/main",
        "ScalableDimension": DIMENSION,
        **more,
    }


def a_policy(endpoint: str, target: float) -> dict[str, Any]:
    return named(
        endpoint,
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": target,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
            "ScaleInCooldown": 60,
            "ScaleOutCooldown": 60,
        },
    )


def count(user: CloudUser, endpoint: str) -> int:
    return int(user.describe(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"])


@pytest.mark.source("botocore RegisterScalableTarget: capacity outside the bounds is brought in")
def test_registering_brings_the_capacity_into_the_bounds(user: CloudUser, endpoint: str) -> None:
    scaling = user.client("application-autoscaling")

    scaling.register_scalable_target(**named(endpoint, MinCapacity=2, MaxCapacity=4))
    wait_for(lambda: count(user, endpoint) == 2, "two instances")
    seen = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]

    mine = next(t for t in seen if t["ResourceId"] == f"endpoint/{endpoint}/variant/main")
    assert (mine["MinCapacity"], mine["MaxCapacity"]) == (2, 4)
    assert mine["RoleARN"].endswith("AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint")
    assert mine["SuspendedState"] == {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }


@pytest.mark.assumed("the texts of refused registrations are not documented")
def test_targets_that_cannot_be_are_refused(user: CloudUser, endpoint: str) -> None:
    register = user.client("application-autoscaling").register_scalable_target

    with pytest.raises(ClientError, match="Could not find variant main of endpoint nobody"):
        register(**named("nobody", MinCapacity=1, MaxCapacity=2))
    with pytest.raises(ClientError, match="Maximum capacity cannot be less than minimum"):
        register(**named(endpoint, MinCapacity=3, MaxCapacity=2))
    with pytest.raises(ClientError, match="Minimum capacity 0 is below 1, the least of this"):
        register(**named(endpoint, MinCapacity=0, MaxCapacity=2))
    with pytest.raises(ClientError, match="MinCapacity and MaxCapacity are required"):
        register(**named(endpoint, MinCapacity=1))
    with pytest.raises(ClientError, match="does not scale sagemaker:inference-component"):
        register(
            **{
                **named(endpoint),
                "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
            }
        )


@pytest.mark.source("issues: the t2 family can't be scaled")
def test_a_burstable_instance_type_cannot_be_scaled(user: CloudUser) -> None:
    user.make_config("burst", variant={"InstanceType": "ml.t2.medium"})
    user.sagemaker.create_endpoint(EndpointName="burst", EndpointConfigName="burst")

    with pytest.raises(ClientError, match=r"ml\.t2\.medium does not support automatic scaling"):
        user.client("application-autoscaling").register_scalable_target(
            **named("burst", MinCapacity=1, MaxCapacity=2)
        )


@pytest.mark.source("AAS quotas: 50 policies and 200 scheduled actions per target")
def test_a_target_has_so_many_scheduled_actions_and_no_more(user: CloudUser, endpoint: str) -> None:
    scaling = user.client("application-autoscaling")
    scaling.register_scalable_target(**named(endpoint, MinCapacity=1, MaxCapacity=1))

    def put(number: int) -> None:
        members = named(endpoint, ScheduledActionName=f"a{number}", Schedule="rate(100 days)")
        scaling.put_scheduled_action(**members, ScalableTargetAction={"MinCapacity": 1})

    for number in range(200):
        put(number)
    put(199)

    with pytest.raises(scaling.exceptions.LimitExceededException):
        put(200)


@pytest.mark.source("botocore ObjectNotFoundException; DeregisterScalableTarget")
def test_what_is_not_registered_is_not_found(user: CloudUser, endpoint: str) -> None:
    scaling = user.client("application-autoscaling")

    with pytest.raises(scaling.exceptions.ObjectNotFoundException) as caught:
        scaling.deregister_scalable_target(**named(endpoint))
    assert str(caught.value).endswith(
        "No scalable target found for service namespace: sagemaker, resource ID: "
        f"endpoint/{endpoint}/variant/main, scalable dimension: {DIMENSION}"
    )
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.put_scaling_policy(**a_policy(endpoint, 10))


@pytest.mark.source("botocore PolicyType; issues quote the text on predefined metrics")
def test_policies_sagemaker_has_not_are_refused(user: CloudUser, endpoint: str) -> None:
    scaling = user.client("application-autoscaling")
    scaling.register_scalable_target(**named(endpoint, MinCapacity=1, MaxCapacity=2))
    other = a_policy(endpoint, 1)
    specification = {"PredefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"}
    other["TargetTrackingScalingPolicyConfiguration"] = {
        "TargetValue": 1.0,
        "PredefinedMetricSpecification": specification,
    }

    with pytest.raises(ClientError, match="does not do PredictiveScaling policies"):
        scaling.put_scaling_policy(**{**a_policy(endpoint, 1), "PolicyType": "PredictiveScaling"})
    with pytest.raises(ClientError, match="only supports the following predefined metric types"):
        scaling.put_scaling_policy(**other)
    scaling.put_scaling_policy(**a_policy(endpoint, 1))
    with pytest.raises(ClientError, match="Only one TargetTrackingScaling policy for a given"):
        scaling.put_scaling_policy(**{**a_policy(endpoint, 2), "PolicyName": "twin"})


@pytest.mark.source("AAS target tracking, alarms; DeregisterScalableTarget deletes policies")
def test_a_policy_owns_two_alarms_that_go_with_its_target(user: CloudUser, endpoint: str) -> None:
    scaling = user.client("application-autoscaling")
    cloudwatch = user.client("cloudwatch")
    scaling.register_scalable_target(**named(endpoint, MinCapacity=1, MaxCapacity=2))

    first = scaling.put_scaling_policy(**a_policy(endpoint, 100))
    second = scaling.put_scaling_policy(**a_policy(endpoint, 200))
    names = [alarm["AlarmName"] for alarm in second["Alarms"]]
    alarms = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    scaling.deregister_scalable_target(**named(endpoint))

    assert first["PolicyARN"] == second["PolicyARN"]
    for alarm, kind in zip(
        sorted(alarms, key=lambda a: a["AlarmName"]), ("High", "Low"), strict=True
    ):
        stem = f"TargetTracking-endpoint/{endpoint}/variant/main-Alarm{kind}-"
        assert alarm["AlarmName"].startswith(stem)
        (action,) = alarm["AlarmActions"]
        assert action.startswith(f"{second['PolicyARN']}:createdBy/")
        assert alarm["AlarmDescription"] == (
            f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}."
        )
        assert (alarm["Statistic"], alarm["TreatMissingData"]) == ("Sum", "missing")
    rules = {(a["ComparisonOperator"], a["Threshold"], a["EvaluationPeriods"]) for a in alarms}
    assert rules == {("GreaterThanThreshold", 200.0, 3), ("LessThanThreshold", 180.0, 15)}
    assert cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"] == []
    policies = scaling.describe_scaling_policies(**{"ServiceNamespace": "sagemaker"})
    assert [p for p in policies["ScalingPolicies"] if endpoint in p["ResourceId"]] == []


@pytest.mark.source("AAS target tracking: proportional scale out, scale in to the minimum")
def test_load_scales_out_and_silence_scales_in(user: CloudUser, endpoint: str) -> None:
    scaling = user.client("application-autoscaling")
    scaling.register_scalable_target(**named(endpoint, MinCapacity=1, MaxCapacity=3))
    # More than two requests in a quarter of a second, which every machine can do.
    scaling.put_scaling_policy(**a_policy(endpoint, 1))
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            user.invoke(endpoint)
            stop.wait(0.005)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        wait_for(lambda: count(user, endpoint) == 3, "a scale out to three")
    finally:
        stop.set()
        thread.join()
    wait_for(lambda: count(user, endpoint) == 1, "a scale in to one", seconds=60)

    scalings = [
        (event["previous_instance_count"], event["desired_instance_count"])
        for event in user.control("record")["events"]
        if event["kind"] == "scaling" and event["endpoint_name"] == endpoint
    ]
    assert scalings[0][0] == 1
    assert max(after for _, after in scalings) == 3
    assert scalings[-1][1] == 1


@pytest.mark.source("DG endpoint-scaling-update")
def test_an_update_may_not_change_the_instance_type_of_a_target(
    user: CloudUser, endpoint: str
) -> None:
    scaling = user.client("application-autoscaling")
    scaling.register_scalable_target(**named(endpoint, MinCapacity=1, MaxCapacity=2))
    user.make_config(f"{endpoint}-x", variant={"InstanceType": "ml.c5.large"})

    with pytest.raises(ClientError, match="deregister the scalable targets first"):
        user.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-x")
    scaling.deregister_scalable_target(**named(endpoint))
    user.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-x")

    assert user.wait(endpoint)["EndpointConfigName"] == f"{endpoint}-x"


@pytest.mark.source("field report stable-diffusion-aws-extension#161: DeleteEndpoint deregisters")
def test_deleting_an_endpoint_deregisters_its_targets(user: CloudUser, endpoint: str) -> None:
    scaling = user.client("application-autoscaling")
    scaling.register_scalable_target(**named(endpoint, MinCapacity=1, MaxCapacity=2))

    user.sagemaker.delete_endpoint(EndpointName=endpoint)
    wait_for(
        lambda: not user.sagemaker.list_endpoints(NameContains=endpoint)["Endpoints"],
        "the endpoint to go",
    )

    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.deregister_scalable_target(**named(endpoint))
