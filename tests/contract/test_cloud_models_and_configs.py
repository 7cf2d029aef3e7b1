"""Models, endpoint configs and tags, by boto3 over the wire."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import ACCOUNT, IMAGE_URI, REGION, ROLE_ARN, CloudUser, start_cloud

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60)
    started.prepare()
    yield started
    started.cloud.stop()


@pytest.fixture
def name() -> str:
    return f"n-{uuid.uuid4().hex[:12]}"


def refusal(call: Any, **arguments: Any) -> str:
    """Return code and message of the refusal a call must meet."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return f"{error['Code']}: {error['Message']}"


def a_model(user: CloudUser, name: str, **container: Any) -> dict[str, Any]:
    return {
        "ModelName": name,
        "ExecutionRoleArn": ROLE_ARN,
        "PrimaryContainer": {
            "Image": IMAGE_URI,
            "ModelDataUrl": user.put_artifact(f"{name}.tar.gz"),
            **container,
        },
    }


@pytest.mark.source("botocore DescribeModelOutput; provider ForceNew fields")
def test_a_model_is_described_exactly_as_it_was_sent(user: CloudUser, name: str) -> None:
    sent = a_model(user, name, Mode="SingleModel", Environment={"A": "1"})

    arn = user.sagemaker.create_model(**sent)["ModelArn"]
    seen = user.sagemaker.describe_model(ModelName=name)

    assert arn == f"{ARN}:model/{name}"
    assert {key: seen[key] for key in sent} == sent
    assert "Containers" not in seen
    assert "VpcConfig" not in seen


@pytest.mark.source("field reports; message table")
def test_taken_and_missing_names_are_refused_in_sagemakers_words(
    user: CloudUser, name: str
) -> None:
    sagemaker = user.sagemaker
    user.make_config(name)

    assert refusal(sagemaker.create_model, **a_model(user, name)) == (
        f'ValidationException: Cannot create already existing model "{ARN}:model/{name}".'
    )
    variants = [
        {
            "VariantName": "main",
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
    ]
    assert refusal(
        sagemaker.create_endpoint_config, EndpointConfigName=name, ProductionVariants=variants
    ) == (
        "ValidationException: Cannot create already existing endpoint configuration "
        f'"{ARN}:endpoint-config/{name}".'
    )
    assert refusal(sagemaker.describe_model, ModelName="none") == (
        f'ValidationException: Could not find model "{ARN}:model/none".'
    )
    assert refusal(sagemaker.delete_endpoint_config, EndpointConfigName="none") == (
        f'ValidationException: Could not find endpoint configuration "{ARN}:endpoint-config/none".'
    )
    assert refusal(sagemaker.describe_endpoint, EndpointName="none") == (
        f'ValidationException: Could not find endpoint "{ARN}:endpoint/none".'
    )
    assert refusal(
        sagemaker.create_endpoint, EndpointName="new", EndpointConfigName="none"
    ).startswith("ValidationException: Could not find endpoint configuration")


@pytest.mark.source("field reports, CreateModel checks")
def test_create_model_looks_at_role_image_and_artifact(user: CloudUser, name: str) -> None:
    model = a_model(user, name)
    container = model["PrimaryContainer"]

    role = {**model, "ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}
    image = {**model, "PrimaryContainer": {**container, "Image": IMAGE_URI + "0"}}
    data = {**model, "PrimaryContainer": {**container, "ModelDataUrl": "s3://artifacts/no"}}

    create = user.sagemaker.create_model
    assert "Could not assume role" in refusal(create, **role)
    assert f"Requested image {IMAGE_URI}0 not found." in refusal(create, **image)
    assert refusal(create, **data).endswith("Could not find model data at s3://artifacts/no.")


@pytest.mark.source("field report amazon-sagemaker-examples#2236, constraint messages")
def test_constraints_are_refused_by_path_and_rule(user: CloudUser, name: str) -> None:
    variant = {"VariantName": "v", "ModelName": "ENTER NAME", "InstanceType": "ml.none"}

    message = refusal(
        user.sagemaker.create_endpoint_config,
        EndpointConfigName=name,
        ProductionVariants=[{**variant, "InitialInstanceCount": 1}],
    )

    assert message.startswith("ValidationException: 2 validation errors detected: Value '")
    assert "'ENTER NAME' at 'productionVariants.1.member.modelName'" in message
    assert "Member must satisfy regular expression pattern: " in message
    assert "Value 'ml.none' at 'productionVariants.1.member.instanceType'" in message
    assert "Member must satisfy enum value set: [ml." in message


def test_an_unknown_member_is_refused_by_name(user: CloudUser) -> None:
    import requests

    answer = requests.post(
        user.cloud.url,
        data='{"ModelName": "m", "Colour": "red"}',
        headers={"X-Amz-Target": "SageMaker.CreateModel"},
        timeout=10,
    )

    assert answer.status_code == 400
    assert answer.json()["__type"] == "SerializationException"
    assert "unknown member colour" in answer.json()["message"]


@pytest.mark.parametrize("target", ["SageMaker.AddTags", "AnyScaleFrontendService.TagResource"])
@pytest.mark.parametrize("body", ["{", "[]"])
def test_a_body_that_is_no_json_object_is_refused_before_it_is_routed(
    user: CloudUser, target: str, body: str
) -> None:
    import requests

    answer = requests.post(user.cloud.url, data=body, headers={"X-Amz-Target": target}, timeout=10)

    assert (answer.status_code, answer.json()["__type"]) == (400, "SerializationException")


@pytest.mark.assumed("the service's text for both or neither container form is not known")
def test_a_model_needs_exactly_one_container_form(user: CloudUser, name: str) -> None:
    message = refusal(user.sagemaker.create_model, ModelName=name, ExecutionRoleArn=ROLE_ARN)

    assert "Exactly one of PrimaryContainer and Containers" in message


@pytest.mark.source("botocore InitialVariantWeight, default 1.0")
def test_a_config_is_echoed_with_its_default_weight(user: CloudUser, name: str) -> None:
    routing = {"RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"}}

    user.make_config(name, variant=routing)
    seen = user.sagemaker.describe_endpoint_config(EndpointConfigName=name)

    assert seen["ProductionVariants"] == [
        {
            "VariantName": "main",
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
            "InitialVariantWeight": 1.0,
            **routing,
        }
    ]
    assert "DataCaptureConfig" not in seen


@pytest.mark.source("field report mlflow#6486; DG serverless-endpoints-create")
def test_variants_that_contradict_themselves_are_refused(user: CloudUser, name: str) -> None:
    user.make_config(name)
    create = user.sagemaker.create_endpoint_config
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large"}
    whole = {**variant, "InitialInstanceCount": 1}

    twice = refusal(create, EndpointConfigName="x", ProductionVariants=[whole, whole])
    half = refusal(create, EndpointConfigName="x", ProductionVariants=[variant])

    assert "Variant names must be unique" in twice
    assert "must specify InstanceType and InitialInstanceCount" in half


@pytest.mark.source("botocore ListModelsInput, SortOrder and MaxResults")
def test_lists_are_newest_first_filtered_and_paged(user: CloudUser, name: str) -> None:
    names = [f"{name}-{index}" for index in range(3)]
    for each in names:
        user.make_config(each)

    first = user.sagemaker.list_models(NameContains=name, MaxResults=2)
    second = user.sagemaker.list_models(
        NameContains=name, MaxResults=2, NextToken=first["NextToken"]
    )
    by_name = user.sagemaker.list_endpoint_configs(
        NameContains=name, SortBy="Name", SortOrder="Ascending"
    )

    assert [model["ModelName"] for model in first["Models"]] == [names[2], names[1]]
    assert [model["ModelName"] for model in second["Models"]] == [names[0]]
    assert "NextToken" not in second
    assert [c["EndpointConfigName"] for c in by_name["EndpointConfigs"]] == names


def test_tags_are_added_listed_and_deleted(user: CloudUser, name: str) -> None:
    user.sagemaker.create_model(**a_model(user, name), Tags=[{"Key": "a", "Value": "1"}])
    arn = f"{ARN}:model/{name}"

    user.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    user.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"])

    assert user.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]


def test_what_the_rehearsal_does_not_do_is_refused_by_name(user: CloudUser, name: str) -> None:
    user.make_config(name, variant={"RoutingConfig": {"RoutingStrategy": "KV_AWARE"}})

    message = refusal(user.sagemaker.create_endpoint, EndpointName=name, EndpointConfigName=name)

    assert "does not do RoutingStrategy KV_AWARE" in message
    assert "UnknownOperationException" in refusal(
        user.sagemaker.create_inference_component,
        InferenceComponentName="c",
        EndpointName="e",
        Specification={},
    )


def test_files_of_an_image_lie_where_its_dockerfile_puts_them(user: CloudUser) -> None:
    directory: Path = user.cloud.settings.directory

    assert list(directory.glob("images/*/app/server.py"))
