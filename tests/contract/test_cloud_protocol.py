"""The control plane on the wire: protocol, waiters, what Describe echoes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, WaiterError

from tests.support.cloud import BUCKET, ROLE_ARN, CloudUser, start_cloud

FAST = {"Delay": 0.05, "MaxAttempts": 400}


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60)
    started.prepare()
    yield started
    started.cloud.stop()


@pytest.fixture
def name() -> str:
    return f"n-{uuid.uuid4().hex[:12]}"


def post(user: CloudUser, operation: str, **members: Any) -> requests.Response:
    return requests.post(
        user.cloud.url,
        data=json.dumps(members),
        headers={
            "X-Amz-Target": f"SageMaker.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
        },
        timeout=30,
    )


@pytest.mark.source("botocore metadata: json 1.1, rest-json, X-Amz-Target; times; absent members")
def test_answers_are_json_with_epoch_times_and_without_what_is_unset(
    user: CloudUser, name: str
) -> None:
    user.make_config(name)

    good = post(user, "DescribeModel", ModelName=name)
    bad = post(user, "DescribeModel", ModelName="none")
    runtime = requests.post(f"{user.cloud.url}/endpoints/none/invocations", data=b"x", timeout=30)

    assert good.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert good.headers["x-amzn-RequestId"]
    assert isinstance(good.json()["CreationTime"], float)
    assert "null" not in good.text
    assert "VpcConfig" not in good.json()
    assert bad.status_code == 400
    assert bad.json()["__type"] == bad.headers["x-amzn-ErrorType"] == "ValidationException"
    assert runtime.headers["Content-Type"] == "application/json"
    assert runtime.headers["x-amzn-ErrorType"] == "ValidationError"


@pytest.mark.source("botocore waiters-2: endpoint_in_service, endpoint_deleted")
def test_boto3s_waiters_see_the_new_fleet_the_failure_and_the_end(
    user: CloudUser, name: str
) -> None:
    sagemaker = user.sagemaker
    in_service = sagemaker.get_waiter("endpoint_in_service")
    user.make_config(name)
    user.make_config(f"{name}-new")
    user.make_config(f"{name}-bad", environment={"TINY_EXIT": "1"})

    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    in_service.wait(EndpointName=name, WaiterConfig=FAST)
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-new")
    in_service.wait(EndpointName=name, WaiterConfig=FAST)
    updated = user.describe(name)["EndpointConfigName"]
    sagemaker.delete_endpoint(EndpointName=name)
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=FAST)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-bad")
    with pytest.raises(WaiterError, match="terminal failure state"):
        in_service.wait(EndpointName=name, WaiterConfig=FAST)

    assert updated == f"{name}-new"
    sagemaker.delete_endpoint(EndpointName=name)


@pytest.mark.source("botocore EndpointName: case-insensitive when created, exact when used")
def test_an_endpoints_name_is_taken_in_any_case_and_found_in_its_own(
    user: CloudUser, name: str
) -> None:
    user.make_config(name)
    user.sagemaker.create_endpoint(EndpointName=f"E-{name}", EndpointConfigName=name)

    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        user.sagemaker.create_endpoint(EndpointName=f"e-{name}", EndpointConfigName=name)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        user.describe(f"e-{name}")

    seen = user.wait(f"E-{name}")
    assert "ProductionVariants" in seen
    user.sagemaker.delete_endpoint(EndpointName=f"E-{name}")


@pytest.mark.assumed("whether ARNs carry names in lower case today is not known; as given here")
def test_an_arn_carries_the_name_as_it_was_given(user: CloudUser, name: str) -> None:
    user.make_config(f"Mixed-{name}")

    seen = user.sagemaker.describe_model(ModelName=f"Mixed-{name}")

    assert seen["ModelArn"].endswith(f":model/Mixed-{name}")


@pytest.mark.source("botocore DescribeEndpointConfigOutput: the rest is echoed; provider ForceNew")
def test_a_config_is_described_with_everything_it_was_sent(user: CloudUser, name: str) -> None:
    user.make_config(name)
    sent: dict[str, Any] = {
        "EndpointConfigName": f"{name}-all",
        "ProductionVariants": [
            {
                "VariantName": "main",
                "ModelName": name,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
                "InitialVariantWeight": 2.5,
                "VolumeSizeInGB": 20,
                "ModelDataDownloadTimeoutInSeconds": 600,
                "ContainerStartupHealthCheckTimeoutInSeconds": 300,
                "EnableSSMAccess": False,
                "CoreDumpConfig": {"DestinationS3Uri": f"s3://{BUCKET}/cores"},
                "RoutingConfig": {"RoutingStrategy": "RANDOM"},
                "InferenceAmiVersion": "al2-ami-sagemaker-inference-gpu-2",
            }
        ],
        "DataCaptureConfig": {
            "InitialSamplingPercentage": 10,
            "DestinationS3Uri": f"s3://{BUCKET}/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
        },
        "ExplainerConfig": {
            "ClarifyExplainerConfig": {
                "ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "1,2"}}
            }
        },
        "ExecutionRoleArn": ROLE_ARN,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "EnableNetworkIsolation": True,
        "MetricsConfig": {"EnableEnhancedMetrics": True},
    }

    user.sagemaker.create_endpoint_config(**sent)
    seen = user.sagemaker.describe_endpoint_config(EndpointConfigName=f"{name}-all")

    assert {key: seen[key] for key in sent} == sent


@pytest.mark.source("botocore operations: AddTags, ListTags, DeleteTags on every resource")
def test_models_configs_and_endpoints_are_tagged_alike(user: CloudUser, name: str) -> None:
    user.make_config(name)
    user.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    arns = [
        user.sagemaker.describe_model(ModelName=name)["ModelArn"],
        user.sagemaker.describe_endpoint_config(EndpointConfigName=name)["EndpointConfigArn"],
        user.describe(name)["EndpointArn"],
    ]

    for arn in arns:
        tags = [{"Key": "team", "Value": "trees"}, {"Key": "old", "Value": ""}]
        assert user.sagemaker.add_tags(ResourceArn=arn, Tags=tags)["Tags"] == tags
        user.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["old"])

    pages = user.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arns[2])
    assert [page["Tags"] for page in pages] == [[{"Key": "team", "Value": "trees"}]]
    user.wait(name)
    user.sagemaker.delete_endpoint(EndpointName=name)
