"""What SageMaker refuses because of a role, a bucket, a repository or a key; by boto3."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import (
    ACCOUNT,
    BUCKET,
    IMAGE_URI,
    REGION,
    CloudUser,
    start_cloud,
)
from tests.support.instances import add_images, image_uri

REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/tiny"
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:GetAuthorizationToken"]
READ = ["s3:GetObject", "s3:ListBucket"]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60)
    started.prepare()
    yield started
    started.cloud.stop()


@pytest.fixture
def name() -> str:
    return f"n-{uuid.uuid4().hex[:12]}"


def a_role(user: CloudUser, name: str, *actions: str, resource: Any = "*", **more: Any) -> str:
    """Make a role SageMaker may assume with one inline policy; return its ARN."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    arn: str = user.client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=document(
            {**trust, "Principal": {"Service": "sagemaker.amazonaws.com"}}
        ),
    )["Role"]["Arn"]
    if actions:
        grant(user, name, {"Action": list(actions), "Resource": resource, **more})
    return arn


def grant(user: CloudUser, role_name: str, statement: dict[str, Any]) -> None:
    user.client("iam").put_role_policy(
        RoleName=role_name,
        PolicyName="serve",
        PolicyDocument=document({"Effect": "Allow", **statement}),
    )


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def a_model(user: CloudUser, name: str, role: str, **container: Any) -> dict[str, Any]:
    primary = {"Image": IMAGE_URI, "ModelDataUrl": f"s3://{BUCKET}/{name}/m.tar.gz", **container}
    user.put_artifact(f"{name}/m.tar.gz")
    return {"ModelName": name, "ExecutionRoleArn": role, "PrimaryContainer": primary}


def refusal(call: Any, **arguments: Any) -> str:
    """Return the message of the ValidationException a call must meet."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    return str(error["Message"])


def model_refusal(user: CloudUser, *arguments: Any, **container: Any) -> str:
    return refusal(user.sagemaker.create_model, **a_model(user, *arguments, **container))


def data_refused(url: str, role: str) -> str:
    return (
        f'Could not access model data at {url}. Please ensure that the role "{role}" exists and '
        'that its trust relationship policy allows the action "sts:AssumeRole" for the service '
        'principal "sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" '
        f"permissions and that the object is located in {REGION}. If your Model uses multiple "
        'models or uncompressed models, please ensure that the role has "s3:ListBucket" permission.'
    )


@pytest.mark.source("philschmid/llm-sagemaker-sample#2, CreateModel")
def test_a_role_without_getobject_is_refused_the_model_data(user: CloudUser, name: str) -> None:
    role = a_role(user, name, *PULL)

    message = model_refusal(user, name, role)

    assert message == data_refused(f"s3://{BUCKET}/{name}/m.tar.gz", role)
    grant(user, name, {"Action": PULL + READ, "Resource": "*"})
    user.sagemaker.create_model(**a_model(user, name, role))


@pytest.mark.source("SageMaker Developer Guide, execution roles: AmazonSageMakerFullAccess")
def test_the_managed_policy_is_not_enough_for_a_bucket_of_another_name(
    user: CloudUser, name: str
) -> None:
    role = a_role(user, name)
    policy = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    user.client("iam").attach_role_policy(RoleName=name, PolicyArn=policy)
    bucket = f"sagemaker-{name}"
    location = {"LocationConstraint": REGION}
    user.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=location)
    user.client("s3").put_object(Bucket=bucket, Key="m.tar.gz", Body=b"x")

    assert model_refusal(user, name, role).startswith("Could not access model data at s3://art")
    model = a_model(user, name, role, ModelDataUrl=f"s3://{bucket}/m.tar.gz")
    user.sagemaker.create_model(**model)


@pytest.mark.source("philschmid/llm-sagemaker-sample#2, CreateModel")
def test_model_data_of_another_region_is_refused(user: CloudUser, name: str) -> None:
    role = a_role(user, name, *PULL, *READ)
    abroad = boto3.client("s3", endpoint_url=user.cloud.url, region_name="us-west-2")
    location: Any = {"LocationConstraint": "us-west-2"}
    abroad.create_bucket(Bucket=name, CreateBucketConfiguration=location)
    user.client("s3").put_object(Bucket=name, Key="m.tar.gz", Body=b"x")

    message = model_refusal(user, name, role, ModelDataUrl=f"s3://{name}/m.tar.gz")

    assert message == data_refused(f"s3://{name}/m.tar.gz", role)


@pytest.mark.assumed("S3 says 403 for a missing object to who may not list; SageMaker passes it on")
def test_a_missing_object_is_told_only_to_who_may_list(user: CloudUser, name: str) -> None:
    role = a_role(user, name, *PULL, "s3:GetObject")
    url = f"s3://{BUCKET}/none.tar.gz"

    assert model_refusal(user, name, role, ModelDataUrl=url) == data_refused(url, role)
    grant(user, name, {"Action": PULL + READ, "Resource": "*"})
    assert model_refusal(user, name, role, ModelDataUrl=url) == (
        f"Could not find model data at {url}."
    )


@pytest.mark.source("philschmid/llm-sagemaker-sample#2: multiple models need s3:ListBucket")
def test_many_models_need_the_right_to_list(user: CloudUser, name: str) -> None:
    role = a_role(user, name, *PULL, "s3:GetObject")
    add_images(user)
    many = {
        "Mode": "MultiModel",
        "ModelDataUrl": f"s3://{BUCKET}/{name}/",
        "Image": image_uri("multi"),
    }

    assert "s3:ListBucket" in model_refusal(user, name, role, **many)
    grant(user, name, {"Action": PULL + READ, "Resource": "*"})
    user.sagemaker.create_model(**a_model(user, name, role, **many))


@pytest.mark.source("field report 2026, CreateModel checks: image")
def test_a_role_that_may_not_pull_is_refused(user: CloudUser, name: str) -> None:
    other = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/other"
    role = a_role(user, name, *PULL, *READ, resource=[other, "arn:aws:s3:::*"])

    assert model_refusal(user, name, role) == (
        f"Role {role} cannot pull {IMAGE_URI}. Ensure that the role exists and the image was "
        "granted pull permission."
    )


@pytest.mark.source("easy-amazon-sagemaker-deployments#4, amazon-sagemaker-examples#2534")
def test_a_missing_image_and_a_missing_repository_are_told_apart(
    user: CloudUser, name: str
) -> None:
    role = a_role(user, name, *PULL, *READ)
    absent = f"{REPOSITORY}@sha256:{'0' * 64}"

    assert model_refusal(user, name, role, Image=absent) == f"Requested image {absent} not found."
    nowhere = REPOSITORY.replace("tiny", "nowhere")
    assert model_refusal(user, name, role, Image=nowhere).startswith(
        f"Cannot find repository: nowhere in registry ID: {ACCOUNT} Please check if your ECR"
    )


@pytest.mark.source("sagemaker-python-sdk#4700, CreateModel")
def test_an_image_outside_ecr_is_refused(user: CloudUser, name: str) -> None:
    role = a_role(user, name, *PULL, *READ)

    assert model_refusal(user, name, role, Image="docker.io/library/nginx:1") == (
        'Using non-ECR image "docker.io/library/nginx:1" without Vpc repository access mode is '
        "not supported."
    )


@pytest.mark.source("sagemaker-python-sdk#2002 and #1835, FailureReason")
def test_a_permission_taken_away_after_create_model_fails_the_endpoint(
    user: CloudUser, name: str
) -> None:
    role = a_role(user, name, *PULL, *READ)
    user.sagemaker.create_model(**a_model(user, name, role))
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large"}
    user.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
    )

    def failure(endpoint: str, *actions: str) -> str:
        grant(user, name, {"Action": list(actions), "Resource": "*"})
        user.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=name)
        failed = user.wait(endpoint)
        assert failed["EndpointStatus"] == "Failed"
        return str(failed["FailureReason"])

    assert failure(f"{name}-pull", *READ) == (
        f"The role '{role}' does not have BatchGetImage permission for the image: '{IMAGE_URI}'."
    )
    assert failure(f"{name}-read", *PULL).startswith("Failed to download model data for container")
    user.client("iam").delete_role_policy(RoleName=name, PolicyName="serve")
    user.client("iam").delete_role(RoleName=name)
    user.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert user.wait(name)["FailureReason"].startswith(
        f'The execution role ARN "{role}" is invalid.'
    )


@pytest.mark.assumed("no source says at which call a missing kms:Decrypt shows itself")
def test_an_encrypted_artifact_without_its_key_fails_the_endpoint(
    user: CloudUser, name: str
) -> None:
    role = a_role(user, name, *PULL, *READ)
    key = user.client("kms").create_key()["KeyMetadata"]["Arn"]
    model = a_model(user, name, role)
    user.client("s3").put_object(
        Bucket=BUCKET,
        Key=f"{name}/m.tar.gz",
        Body=b"x",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=key,
    )
    user.sagemaker.create_model(**model)
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large"}
    user.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
    )

    user.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    assert user.wait(name)["FailureReason"].startswith("Failed to download model data")


@pytest.mark.assumed("which call refuses an unknown KMS key, and its text, are not known")
def test_a_config_with_a_key_that_is_not_there_is_refused(user: CloudUser, name: str) -> None:
    user.make_config(name)
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large"}
    sent = {
        "EndpointConfigName": f"{name}-2",
        "ProductionVariants": [{**variant, "InitialInstanceCount": 1}],
    }
    create = user.sagemaker.create_endpoint_config

    message = refusal(create, KmsKeyId="alias/none", **sent)

    assert message == "KMS key alias/none does not exist or is not enabled."
    create(KmsKeyId=user.client("kms").create_key()["KeyMetadata"]["KeyId"], **sent)


@pytest.mark.assumed("DG asks for cloudwatch:DescribeAlarms; what happens without it isn't said")
def test_rollback_alarms_the_role_may_not_look_at_are_refused(user: CloudUser, name: str) -> None:
    role = a_role(user, name, *PULL, *READ)
    user.sagemaker.create_model(**a_model(user, name, role))
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large"}
    user.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
    )
    user.make_endpoint(name, name)
    user.put_error_alarm(f"errors-{name}", name)
    update = {
        "EndpointName": name,
        "EndpointConfigName": name,
        "DeploymentConfig": {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
            },
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": f"errors-{name}"}]},
        },
    }

    message = refusal(user.sagemaker.update_endpoint, **update)

    assert message.startswith(f"Role {role} cannot describe CloudWatch alarm errors-{name}.")
    alarms = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:errors-*"
    grant(user, name, {"Action": "cloudwatch:DescribeAlarms", "Resource": alarms})
    assert user.describe(name)["EndpointStatus"] == "InService"
    grant(user, name, {"Action": [*PULL, *READ, "cloudwatch:DescribeAlarms"], "Resource": "*"})
    user.sagemaker.update_endpoint(**update)
    assert user.wait(name)["EndpointStatus"] == "InService"


def test_the_caller_is_told_the_rehearsals_account(user: CloudUser) -> None:
    assert user.client("sts").get_caller_identity()["Account"] == ACCOUNT
