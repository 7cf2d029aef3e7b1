"""ECR's images: digests, tags and manifests, and what SageMaker takes of them; by boto3."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import (
    ACCOUNT,
    BUCKET,
    REGION,
    ROLE_ARN,
    TINY_IMAGE,
    CloudUser,
    start_cloud,
)

REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/tiny"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60)
    started.prepare()
    yield started
    started.cloud.stop()


@pytest.fixture
def name() -> str:
    return f"n-{uuid.uuid4().hex[:12]}"


def a_model(user: CloudUser, name: str, **container: Any) -> dict[str, Any]:
    user.put_artifact(f"{name}/m.tar.gz")
    primary = {"ModelDataUrl": f"s3://{BUCKET}/{name}/m.tar.gz", **container}
    return {"ModelName": name, "ExecutionRoleArn": ROLE_ARN, "PrimaryContainer": primary}


def model_refusal(user: CloudUser, name: str, **container: Any) -> str:
    """Return the message of the ValidationException that CreateModel must answer."""
    with pytest.raises(ClientError) as caught:
        user.sagemaker.create_model(**a_model(user, name, **container))
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    return str(error["Message"])


def manifest(layer: str) -> str:
    digest = hashlib.sha256(layer.encode()).hexdigest()
    layers = [{"mediaType": "x", "size": len(layer), "digest": f"sha256:{digest}"}]
    return json.dumps({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "layers": layers})


@pytest.mark.source("amazon-sagemaker-feedback#180, mlflow#13834")
def test_an_oci_image_is_refused_at_create_model(user: CloudUser, name: str) -> None:
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
    user.client("ecr").put_image(repositoryName="tiny", imageManifest=index, imageTag=name)

    assert model_refusal(user, name, Image=f"{REPOSITORY}:{name}") == (
        f"Unsupported manifest media type {OCI_INDEX} for image {REPOSITORY}:{name}. Ensure that "
        "valid manifest media type is used for specified image."
    )


@pytest.mark.source("Amazon ECR API Reference, PutImage and BatchGetImage")
def test_an_image_is_known_by_the_digest_of_its_manifest(user: CloudUser, name: str) -> None:
    ecr = user.client("ecr")
    first, second = manifest(f"{name}1"), manifest(f"{name}2")
    put = {"repositoryName": "tiny", "imageTag": name}

    ids = [ecr.put_image(imageManifest=it, **put)["image"]["imageId"] for it in (first, second)]

    digests = [f"sha256:{hashlib.sha256(it.encode()).hexdigest()}" for it in (first, second)]
    assert [it["imageDigest"] for it in ids] == digests
    # The tag moved on; the image it was taken from stays under its digest.
    seen = ecr.batch_get_image(
        repositoryName="tiny", imageIds=[{"imageDigest": digests[0]}, {"imageTag": name}]
    )["images"]
    assert [it["imageManifest"] for it in seen] == [first, second]
    described = ecr.describe_images(repositoryName="tiny", imageIds=[{"imageTag": name}])
    assert described["imageDetails"][0]["imageDigest"] == digests[1]
    assert described["imageDetails"][0]["imageSizeInBytes"] == len(f"{name}2")


@pytest.mark.source("botocore DeployedImage; Amazon ECR API Reference, PutImage")
def test_a_model_pinned_by_digest_outlives_the_move_of_its_tag(user: CloudUser, name: str) -> None:
    user.client("ecr").create_repository(repositoryName=name)
    repository = REPOSITORY.replace("tiny", name)
    added = {"image_uri": f"{repository}:1", "context": str(TINY_IMAGE)}
    digest = user.tell("images", added).json()["digest"]
    put = {"repositoryName": name, "imageTag": "1", "imageManifest": manifest(name)}
    user.client("ecr").put_image(**put)

    pinned = a_model(user, name, Image=f"{repository}@{digest}")
    user.sagemaker.create_model(**pinned)

    assert "whose build context" in model_refusal(user, f"{name}-2", Image=f"{repository}:1")
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large"}
    user.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
    )
    user.make_endpoint(name, name)
    image = user.describe(name)["ProductionVariants"][0]["DeployedImages"][0]
    assert image["SpecifiedImage"] == image["ResolvedImage"] == f"{repository}@{digest}"


@pytest.mark.source("Amazon ECR API Reference, PutImage: errors")
@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"repositoryName": "none"}, "RepositoryNotFoundException"),
        ({"imageDigest": f"sha256:{'0' * 64}"}, "ImageDigestDoesNotMatchException"),
        ({"imageManifest": "not json"}, "InvalidParameterException"),
        ({"imageManifest": "{}"}, "InvalidParameterException"),
    ],
)
def test_an_image_that_cannot_be_is_refused(
    user: CloudUser, changed: dict[str, str], code: str
) -> None:
    sent = {"repositoryName": "tiny", "imageManifest": manifest("x"), "imageTag": "x", **changed}

    with pytest.raises(ClientError) as caught:
        user.client("ecr").put_image(**sent)

    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.source("Amazon ECR API Reference, PutImage: errors")
def test_the_same_image_and_tag_again_and_an_immutable_tag_are_refused(
    user: CloudUser, name: str
) -> None:
    ecr = user.client("ecr")
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    put = {"repositoryName": name, "imageTag": "1"}
    ecr.put_image(imageManifest=manifest("a"), **put)

    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(imageManifest=manifest("a"), **put)
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException):
        ecr.put_image(imageManifest=manifest("b"), **put)
