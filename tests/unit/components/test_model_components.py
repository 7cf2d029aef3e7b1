"""What a model's components register: exact types, names, parents and inputs.

Does not prove that providers accept them, nor the order of real operations; rehearsals do.
"""

from typing import Any

import pulumi
import pytest

from components.endpoint_autoscaling import EndpointAutoscaling, EndpointAutoscalingArgs
from components.endpoint_monitoring import EndpointMonitoring, EndpointMonitoringArgs
from components.inference_endpoint import InferenceEndpoint, InferenceEndpointArgs
from components.settings import ModelSettings, parse_settings
from tests.support.pulumi_mocks import Recording, record

DIGEST = "ab" * 32
TAGS = {"Project": "greenlight", "Stack": "dev-wine", "Model": "wine", "CostCenter": "ml"}
SWAP = "pulumi-python:dynamic/components:EndpointSwap"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
CANARY = {
    "mode": "CANARY",
    "canarySize": {"type": "INSTANCE_COUNT", "value": 1},
    "bakeSeconds": 120,
    "terminationWaitSeconds": 30,
    "maximumExecutionTimeoutSeconds": 1800,
}


def a_model(**changes: Any) -> ModelSettings:
    values: dict[str, Any] = {
        "stage": "dev",
        "model": "wine",
        "artifact": "build/models/wine",
        "instanceType": "ml.m5.large",
        "initialInstanceCount": 2,
        "deployment": CANARY,
    }
    settings = parse_settings(values | changes).model
    assert settings is not None
    return settings


def served(settings: ModelSettings) -> Recording:
    def program() -> Any:
        endpoint = InferenceEndpoint(
            "wine-dev",
            InferenceEndpointArgs(
                model_name="wine-dev-model-1a2b3c4",
                artifact_digest=DIGEST,
                settings=settings,
                region=pulumi.Output.from_input("eu-west-1"),
                kms_key_arn=None,
                tags=TAGS,
            ),
        )
        return {
            "endpointName": endpoint.endpoint_name,
            "endpointConfigName": endpoint.endpoint_config_name,
            "rollbackAlarmNames": endpoint.rollback_alarm_names,
            "swapVerdict": endpoint.swap_verdict,
        }

    return record(program)


def test_managed_endpoint_has_config_endpoint_alarms_and_swap() -> None:
    recording = served(a_model())

    assert recording.tree() == {
        ("greenlight:components:InferenceEndpoint", "wine-dev", ""),
        (
            "aws:sagemaker/endpointConfiguration:EndpointConfiguration",
            "wine-dev-endpoint-config",
            "wine-dev",
        ),
        ("aws:sagemaker/endpoint:Endpoint", "wine-dev-endpoint", "wine-dev"),
        ("greenlight:components:RollbackAlarms", "wine-dev", "wine-dev"),
        (ALARM, "wine-dev-rollback-5xx-errors", "wine-dev"),
        (ALARM, "wine-dev-rollback-model-latency", "wine-dev"),
        (SWAP, "wine-dev-swap", "wine-dev"),
    }


def test_config_has_one_variant_and_is_named_by_pulumi() -> None:
    config = served(a_model()).only("aws:sagemaker/endpointConfiguration:EndpointConfiguration")

    assert config.inputs == {
        "productionVariants": [
            {
                "variantName": "AllTraffic",
                "modelName": "wine-dev-model-1a2b3c4",
                "instanceType": "ml.m5.large",
                "initialInstanceCount": 2,
                "initialVariantWeight": 1.0,
            }
        ],
        "tags": TAGS,
    }


def test_endpoint_ignores_the_config_that_the_swap_moves() -> None:
    endpoint = served(a_model()).only("aws:sagemaker/endpoint:Endpoint")

    assert endpoint.ignore_changes == ("endpointConfigName", "deploymentConfig")
    assert endpoint.inputs == {
        "endpointConfigName": "wine-dev-endpoint-config-1a2b3c4",
        "tags": TAGS,
    }


def test_rollback_alarms_see_the_new_config_alone() -> None:
    errors, latency = sorted(served(a_model()).all(ALARM), key=lambda entry: entry.name)

    for alarm in (errors, latency):
        assert alarm.inputs["dimensions"] == {
            "EndpointName": "wine-dev-endpoint-1a2b3c4",
            "VariantName": "AllTraffic",
            "EndpointConfigName": "wine-dev-endpoint-config-1a2b3c4",
        }
        assert alarm.inputs["period"] == 60
        assert alarm.inputs["evaluationPeriods"] == 1
        assert alarm.inputs["treatMissingData"] == "notBreaching"
        assert "alarmActions" not in alarm.inputs
    assert (errors.inputs["metricName"], errors.inputs["statistic"]) == (
        "Invocation5XXErrors",
        "Sum",
    )
    assert latency.inputs["metricName"] == "ModelLatency"
    assert latency.inputs["threshold"] == 1_000_000


def test_swap_knows_target_rollout_and_evidence_and_waits_for_the_alarms() -> None:
    recording = served(a_model())

    swap = recording.only(SWAP)
    alarms = [
        {"AlarmName": "wine-dev-rollback-5xx-errors-1a2b3c4"},
        {"AlarmName": "wine-dev-rollback-model-latency-1a2b3c4"},
    ]
    assert swap.inputs.pop("__provider")
    assert swap.inputs == {
        "region": "eu-west-1",
        "endpoint_name": "wine-dev-endpoint-1a2b3c4",
        "endpoint_config_name": "wine-dev-endpoint-config-1a2b3c4",
        "deployment_config": {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {
                    "Type": "CANARY",
                    "WaitIntervalInSeconds": 120,
                    "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
                },
                "TerminationWaitInSeconds": 30,
                "MaximumExecutionTimeoutInSeconds": 1800,
            },
            "AutoRollbackConfiguration": {"Alarms": alarms},
        },
        "deadline_seconds": 3600,
        "is_autoscaled": False,
        "artifact_digest": DIGEST,
        "owner_tags": {"Project": "greenlight", "Stack": "dev-wine", "Model": "wine"},
    }
    assert swap.depends_on >= {
        "wine-dev-endpoint",
        "wine-dev-endpoint-config",
        "wine-dev-rollback-5xx-errors",
        "wine-dev-rollback-model-latency",
    }
    assert recording.exports["swapVerdict"] == "promoted"


def test_swap_without_alarms_rolls_back_on_health_checks_alone() -> None:
    recording = served(a_model(rollbackAlarms={"enabled": False}))

    assert recording.all(ALARM) == []
    assert recording.exports["rollbackAlarmNames"] == []
    assert "AutoRollbackConfiguration" not in recording.only(SWAP).inputs["deployment_config"]


def test_autoscaled_endpoint_tells_its_swap() -> None:
    settings = a_model(minCapacity=2, maxCapacity=5)

    assert served(settings).only(SWAP).inputs["is_autoscaled"] is True


def test_plain_endpoint_has_no_swap_and_the_same_rollout() -> None:
    recording = served(a_model(swap="plain"))

    endpoint = recording.only("aws:sagemaker/endpoint:Endpoint")
    assert recording.all(SWAP) == []
    assert endpoint.ignore_changes == ()
    assert endpoint.inputs == {
        "name": "wine-dev-endpoint",
        "endpointConfigName": "wine-dev-endpoint-config-1a2b3c4",
        "deploymentConfig": {
            "blueGreenUpdatePolicy": {
                "trafficRoutingConfiguration": {
                    "type": "CANARY",
                    "waitIntervalInSeconds": 120,
                    "canarySize": {"type": "INSTANCE_COUNT", "value": 1},
                },
                "terminationWaitInSeconds": 30,
                "maximumExecutionTimeoutInSeconds": 1800,
            },
            "autoRollbackConfiguration": {
                "alarms": [
                    {"alarmName": "wine-dev-rollback-5xx-errors-1a2b3c4"},
                    {"alarmName": "wine-dev-rollback-model-latency-1a2b3c4"},
                ]
            },
        },
        "tags": TAGS,
    }
    assert recording.exports["swapVerdict"] is None


@pytest.mark.parametrize(
    ("deployment", "policy"),
    [
        (
            {"mode": "LINEAR", "linearStepSize": {"type": "CAPACITY_PERCENT", "value": 50}},
            "blueGreenUpdatePolicy",
        ),
        (
            {"mode": "ROLLING", "maximumBatchSize": {"type": "CAPACITY_PERCENT", "value": 50}},
            "rollingUpdatePolicy",
        ),
    ],
)
def test_plain_endpoint_takes_every_mode(deployment: dict[str, Any], policy: str) -> None:
    recording = served(a_model(swap="plain", deployment=deployment))

    config = recording.only("aws:sagemaker/endpoint:Endpoint").inputs["deploymentConfig"]
    assert set(config) == {policy, "autoRollbackConfiguration"}


def test_autoscaling_registers_the_variant_and_tracks_invocations() -> None:
    scaling = a_model(
        minCapacity=2, maxCapacity=5, targetInvocationsPerInstance=70, scaleInCooldownSeconds=120
    ).scaling
    assert scaling is not None

    recording = record(
        lambda: (
            EndpointAutoscaling(
                "wine-dev",
                EndpointAutoscalingArgs(
                    endpoint_name="e",
                    variant_name="AllTraffic",
                    scaling=scaling,
                    after=pulumi.ComponentResource("greenlight:test:Before", "before"),
                ),
            )
            and None
        )
    )

    where = {
        "serviceNamespace": "sagemaker",
        "scalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "resourceId": "endpoint/e/variant/AllTraffic",
    }
    target = recording.only("aws:appautoscaling/target:Target")
    assert (target.name, target.parent) == ("wine-dev-scalable-target", "wine-dev")
    assert target.inputs == {**where, "minCapacity": 2, "maxCapacity": 5}
    policy = recording.only("aws:appautoscaling/policy:Policy")
    assert (policy.name, policy.parent) == ("wine-dev-scaling-policy", "wine-dev")
    assert policy.inputs == {
        **where,
        "policyType": "TargetTrackingScaling",
        "targetTrackingScalingPolicyConfiguration": {
            "targetValue": 70.0,
            "predefinedMetricSpecification": {
                "predefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
            "scaleInCooldown": 120,
            "scaleOutCooldown": 60,
        },
    }


def test_monitoring_tells_people_about_the_whole_endpoint() -> None:
    recording = record(
        lambda: (
            EndpointMonitoring(
                "wine-dev",
                EndpointMonitoringArgs(
                    endpoint_name=pulumi.Output.from_input("e"),
                    variant_name="AllTraffic",
                    region=pulumi.Output.from_input("eu-west-1"),
                    alert_topic_arn="arn:topic",
                    settings=a_model().rollback_alarms,
                    tags=TAGS,
                ),
            )
            and None
        )
    )

    alerts = recording.all(ALARM)
    assert {alert.name for alert in alerts} == {
        "wine-dev-alert-5xx-errors",
        "wine-dev-alert-model-latency",
    }
    for alert in alerts:
        assert alert.inputs["dimensions"] == {"EndpointName": "e", "VariantName": "AllTraffic"}
        assert alert.inputs["alarmActions"] == ["arn:topic"]
        assert alert.inputs["evaluationPeriods"] == 3
    dashboard = recording.only("aws:cloudwatch/dashboard:Dashboard")
    assert dashboard.inputs["dashboardName"] == "e"
    assert '"EndpointName", "e"' in dashboard.inputs["dashboardBody"]
