"""What a packaged model registers: its artifact, and the SageMaker model with the right image."""

from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.artifact import Artifact
from components.foundation import FoundationOutputs
from components.model_package import ModelPackage, ModelPackageArgs, with_sklearn
from components.settings import ModelRuntime
from tests.support.pulumi_mocks import Recording, record

DIGEST = "ab" * 32
TAGS = {"Project": "greenlight", "Stack": "dev-wine", "Model": "wine", "CostCenter": "ml"}


def a_foundation(sklearn_image_uri: str | None = None) -> FoundationOutputs:
    def known(value: str | None) -> Any:
        return pulumi.Output.from_input(value)

    return FoundationOutputs(
        bucket_name=known("artifacts"),
        bucket_arn=known("arn:aws:s3:::artifacts"),
        repository_url=known("registry/server"),
        image_uri=known("registry/server:1"),
        sklearn_image_uri=known(sklearn_image_uri),
        role_arn=known("arn:aws:iam::123456789012:role/serving"),
        alert_topic_arn=known("arn:aws:sns:eu-west-1:123456789012:alerts"),
        kms_key_arn=known(None),
    )


def packaged(
    artifact: Artifact, runtime: ModelRuntime = ModelRuntime.ONNX, image: str | None = None
) -> Recording:
    def program() -> Any:
        package = ModelPackage(
            "wine-dev",
            ModelPackageArgs(
                model="wine",
                artifact=artifact,
                foundation=a_foundation(image),
                runtime=runtime,
                environment={"LOG_LEVEL": "info"},
                tags=TAGS,
            ),
        )
        return {"artifactUri": package.artifact_uri, "modelName": package.model_name}

    return record(program)


def test_artifact_is_uploaded_under_its_digest_and_kept_for_reverts() -> None:
    recording = packaged(Artifact(path=Path("build/model.tar.gz"), uri=None, digest=DIGEST))

    stored = recording.only("aws:s3/bucketObjectv2:BucketObjectv2")
    assert stored.name == "wine-dev-artifact"
    assert stored.parent == "wine-dev"
    assert stored.is_retained
    assert stored.inputs["bucket"] == "artifacts"
    assert stored.inputs["key"] == f"models/v1/wine/{DIGEST}/model.tar.gz"
    assert stored.inputs["source"].path == "build/model.tar.gz"


def test_model_serves_the_uploaded_artifact_with_the_foundations_image_and_role() -> None:
    recording = packaged(Artifact(path=Path("build/model.tar.gz"), uri=None, digest=DIGEST))

    uri = f"s3://artifacts/models/v1/wine/{DIGEST}/model.tar.gz"
    model = recording.only("aws:sagemaker/model:Model")
    assert (model.name, model.parent) == ("wine-dev-model", "wine-dev")
    assert model.inputs == {
        "executionRoleArn": "arn:aws:iam::123456789012:role/serving",
        "primaryContainer": {
            "image": "registry/server:1",
            "mode": "SingleModel",
            "modelDataUrl": uri,
            "environment": {"LOG_LEVEL": "info"},
        },
        "tags": TAGS,
    }
    assert "wine-dev-artifact" in model.depends_on
    assert recording.exports == {"artifactUri": uri, "modelName": "wine-dev-model-1a2b3c4"}


def test_artifact_in_s3_is_served_from_where_it_is() -> None:
    recording = packaged(Artifact(path=None, uri="s3://other/model.tar.gz", digest=None))

    assert recording.all("aws:s3/bucketObjectv2:BucketObjectv2") == []
    container = recording.only("aws:sagemaker/model:Model").inputs["primaryContainer"]
    assert container["modelDataUrl"] == "s3://other/model.tar.gz"


IN_S3 = Artifact(path=None, uri="s3://other/model.tar.gz", digest=None)


def test_a_model_of_scikit_learn_is_served_by_the_image_that_holds_it() -> None:
    recording = packaged(IN_S3, ModelRuntime.SKLEARN, "registry/server:1-sklearn")

    container = recording.only("aws:sagemaker/model:Model").inputs["primaryContainer"]
    assert container["image"] == "registry/server:1-sklearn"


def test_a_model_of_onnx_stays_with_its_image_where_there_are_two() -> None:
    recording = packaged(IN_S3, ModelRuntime.ONNX, "registry/server:1-sklearn")

    container = recording.only("aws:sagemaker/model:Model").inputs["primaryContainer"]
    assert container["image"] == "registry/server:1"


def test_a_foundation_without_an_image_for_scikit_learn_is_named() -> None:
    with pytest.raises(pulumi.RunError, match=r"'wine' runs on .* set greenlight:sklearnImage to"):
        with_sklearn(None, "wine")
