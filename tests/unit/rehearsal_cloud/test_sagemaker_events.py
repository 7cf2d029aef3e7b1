"""SageMaker's events have the shape of the guide's samples."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.events.sagemaker import (
    deployment_change,
    endpoint_change,
    transform_change,
    upper_snake,
)

ARN = "arn:aws:sagemaker:us-west-2:111122223333:endpoint/sample"
VARIANT = {
    "VariantName": "AllTraffic",
    "CurrentWeight": 1,
    "DesiredWeight": 1,
    "CurrentInstanceCount": 3,
    "DesiredInstanceCount": 3,
}


def described(**more: Any) -> dict[str, Any]:
    return {
        "EndpointName": "sample",
        "EndpointArn": ARN,
        "EndpointConfigName": "one",
        "EndpointStatus": "Updating",
        "CreationTime": 1635195148.181,
        "LastModifiedTime": 1635195148.181,
        "ProductionVariants": [{**VARIANT, "DeployedImages": []}],
        **more,
    }


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("InService", "IN_SERVICE"),
        ("Updating", "UPDATING"),
        ("RollingBack", "ROLLING_BACK"),
        ("UpdateRollbackFailed", "UPDATE_ROLLBACK_FAILED"),
    ],
)
def test_a_status_is_told_in_upper_snake_case(status: str, said: str) -> None:
    assert upper_snake(status) == said


def test_an_endpoints_event_has_the_guides_members() -> None:
    event = endpoint_change(described(EndpointStatus="InService"), {"team": "iris"})

    assert (event.detail_type, event.resource_arn) == ("SageMaker Endpoint State Change", ARN)
    assert event.detail == {
        "EndpointName": "sample",
        "EndpointArn": ARN,
        "EndpointConfigName": "one",
        "ProductionVariants": [VARIANT],
        "EndpointStatus": "IN_SERVICE",
        "CreationTime": 1635195148181,
        "LastModifiedTime": 1635195148181,
        "Tags": {"team": "iris"},
    }


def test_a_deployments_event_is_the_guides_canary_sample() -> None:
    baking = {
        "Status": "Baking",
        "StatusMessage": "Baking for 600 seconds (TerminationWaitInSeconds) with traffic enabled "
        "on canary capacity of 1 instance(s).",
        "StartTime": 1635195269.181,
    }
    pending = {**VARIANT, "CurrentInstanceCount": 1, "VariantStatus": [baking]}
    summary = {
        "EndpointConfigName": "two",
        "StartTime": 1635195200.0,
        "ProductionVariants": [{**pending, "InstanceType": "ml.m5.large"}],
    }

    event = deployment_change(described(PendingDeploymentSummary=summary), {})

    assert event.detail_type == "SageMaker Endpoint Deployment State Change"
    assert event.detail["EndpointStatus"] == "UPDATING"
    assert event.detail["PendingDeploymentSummary"] == {
        "EndpointConfigName": "two",
        "StartTime": 1635195200000,
        "ProductionVariants": [
            {**pending, "VariantStatus": [{**baking, "StartTime": 1635195269181}]}
        ],
    }


def test_a_scale_shows_its_status_on_the_live_variant() -> None:
    updating = {"Status": "Updating", "StatusMessage": "Scaling out.", "StartTime": 1.5}

    event = deployment_change(
        described(ProductionVariants=[{**VARIANT, "VariantStatus": [updating]}]), {}
    )

    assert event.detail["ProductionVariants"][0]["VariantStatus"] == [
        {**updating, "StartTime": 1500}
    ]
    assert "PendingDeploymentSummary" not in event.detail


def test_a_transform_jobs_event_tells_its_failure_and_its_times() -> None:
    job = {
        "TransformJobName": "job",
        "TransformJobArn": "arn:job",
        "TransformJobStatus": "Failed",
        "FailureReason": "no such model",
        "CreationTime": 12.25,
    }

    event = transform_change(job, {"team": "iris"})

    assert event.detail == {**job, "CreationTime": 12250, "Tags": {"team": "iris"}}
