import json
from pathlib import Path
from typing import Any

import pytest

from components.foundation import (
    Foundation,
    FoundationArgs,
    foundation_exports,
    foundation_from_stack,
    lifecycle_policy,
)
from components.settings import FoundationSettings
from tests.support.pulumi_mocks import ACCOUNT, Recording, record

TAGS = {"Project": "greenlight", "Stack": "dev"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "container").mkdir()
    (tmp_path / "container/Dockerfile").write_text("FROM scratch\n")
    return tmp_path


def a_foundation(project: Path, **changes: Any) -> Recording:
    def program() -> Any:
        foundation = Foundation(
            "greenlight-dev",
            FoundationArgs(
                settings=FoundationSettings(**changes), project_directory=project, tags=TAGS
            ),
        )
        return foundation_exports(foundation.outputs)

    return record(program)


def test_foundation_declares_these_resources_under_itself(project: Path) -> None:
    recording = a_foundation(project)

    assert recording.tree() == {
        ("greenlight:components:Foundation", "greenlight-dev", ""),
        *(
            (token, f"greenlight-dev-{suffix}", "greenlight-dev")
            for token, suffix in [
                ("aws:s3/bucket:Bucket", "artifacts"),
                ("aws:s3/bucketVersioning:BucketVersioning", "artifacts-versioning"),
                (
                    "aws:s3/bucketServerSideEncryptionConfiguration:"
                    "BucketServerSideEncryptionConfiguration",
                    "artifacts-encryption",
                ),
                (
                    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
                    "artifacts-public-access-block",
                ),
                ("aws:ecr/repository:Repository", "server"),
                ("aws:ecr/lifecyclePolicy:LifecyclePolicy", "server-lifecycle"),
                ("docker:index/image:Image", "server-image"),
                ("aws:iam/role:Role", "execution-role"),
                ("aws:iam/rolePolicy:RolePolicy", "execution-policy"),
                ("aws:sns/topic:Topic", "alerts"),
            ]
        ),
    }


def test_bucket_is_versioned_encrypted_and_closed_to_the_public(project: Path) -> None:
    recording = a_foundation(project)

    bucket = "greenlight-dev-artifacts-1a2b3c4"
    assert recording.only("aws:s3/bucket:Bucket").inputs == {"forceDestroy": False, "tags": TAGS}
    assert recording.only("aws:s3/bucketVersioning:BucketVersioning").inputs == {
        "bucket": bucket,
        "versioningConfiguration": {"status": "Enabled"},
    }
    assert recording.only(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    ).inputs == {
        "bucket": bucket,
        "rules": [
            {
                "applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"},
                "bucketKeyEnabled": False,
            }
        ],
    }
    assert recording.only("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs == {
        "bucket": bucket,
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }


def test_key_of_ours_rotates_and_encrypts_the_bucket(project: Path) -> None:
    recording = a_foundation(project, customer_managed_key=True)

    key = "arn:aws:mock:::greenlight-dev-key-1a2b3c4"
    assert recording.only("aws:kms/key:Key").inputs["enableKeyRotation"] is True
    encryption = recording.only(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    )
    assert encryption.inputs["rules"] == [
        {
            "applyServerSideEncryptionByDefault": {
                "sseAlgorithm": "aws:kms",
                "kmsMasterKeyId": key,
            },
            "bucketKeyEnabled": True,
        }
    ]
    assert recording.exports["kmsKeyArn"] == key


def test_repository_is_immutable_and_scans_what_is_pushed(project: Path) -> None:
    inputs = a_foundation(project).only("aws:ecr/repository:Repository").inputs

    assert inputs == {
        "forceDelete": False,
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "tags": TAGS,
    }


def test_destroy_may_be_allowed_to_delete_what_is_kept(project: Path) -> None:
    recording = a_foundation(project, force_destroy=True)

    assert recording.only("aws:s3/bucket:Bucket").inputs["forceDestroy"] is True
    assert recording.only("aws:ecr/repository:Repository").inputs["forceDelete"] is True


def test_image_is_built_from_the_container_folder_and_tagged_by_its_content(
    project: Path,
) -> None:
    first = a_foundation(project).only("docker:index/image:Image").inputs
    (project / "container/Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    second = a_foundation(project).only("docker:index/image:Image").inputs

    assert first["build"] == {
        "context": "container",
        "dockerfile": "container/Dockerfile",
        "platform": "linux/amd64",
    }
    repository = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/greenlight-dev-server-1a2b3c4"
    assert first["imageName"].startswith(f"{repository}:")
    assert first["imageName"] != second["imageName"]
    # The sign-in is short-lived and secret, and Pulumi wraps it so.
    assert first["registry"]["value"]["username"] == "AWS"


def test_a_second_image_holds_scikit_learn_where_it_is_asked_for(project: Path) -> None:
    recording = a_foundation(project, sklearn_image=True)

    plain, sklearn = (image.inputs for image in recording.all("docker:index/image:Image"))
    assert [image.name for image in recording.all("docker:index/image:Image")] == [
        "greenlight-dev-server-image",
        "greenlight-dev-server-sklearn-image",
    ]
    assert sklearn["build"] == plain["build"] | {
        "args": {"REQUIREMENTS": "requirements-sklearn.lock"}
    }
    # Tags are immutable: one that did not tell the arguments would be taken by the other image.
    assert sklearn["imageName"] == f"{plain['imageName']}-sklearn"
    assert recording.exports["imageUri"] == plain["imageName"]
    assert recording.exports["sklearnImageUri"] == sklearn["imageName"]


def test_without_being_asked_there_is_no_image_with_scikit_learn(project: Path) -> None:
    assert a_foundation(project).exports["sklearnImageUri"] is None


def test_given_image_and_role_are_not_made(project: Path) -> None:
    role = "arn:aws:iam::123456789012:role/serving"

    recording = a_foundation(project, image_uri="registry/server:1", role_arn=role)

    assert recording.all("docker:index/image:Image") == []
    assert recording.all("aws:iam/role:Role") == []
    assert recording.exports["imageUri"] == "registry/server:1"
    assert recording.exports["sklearnImageUri"] == "registry/server:1"
    assert recording.exports["roleArn"] == role


def test_role_is_sagemakers_and_limited_to_the_foundation(project: Path) -> None:
    recording = a_foundation(project)

    role = recording.only("aws:iam/role:Role").inputs
    assert "sagemaker.amazonaws.com" in role["assumeRolePolicy"]
    policy = recording.only("aws:iam/rolePolicy:RolePolicy").inputs
    assert policy["role"] == "greenlight-dev-execution-role-1a2b3c4"
    resources = {
        entry["Sid"]: entry["Resource"] for entry in json.loads(policy["policy"])["Statement"]
    }
    assert resources["ListArtifacts"] == "arn:aws:mock:::greenlight-dev-artifacts-1a2b3c4"
    assert resources["PullServerImage"] == "arn:aws:mock:::greenlight-dev-server-1a2b3c4"


def test_per_model_stack_reads_what_its_base_stack_exports(project: Path) -> None:
    exported = a_foundation(project).exports

    recording = record(
        lambda: foundation_exports(
            foundation_from_stack("organization/greenlight/dev", FoundationSettings())
        ),
        stack_name="dev-wine",
        stack_outputs=exported,
    )

    assert recording.exports == exported
    assert recording.registrations == ()


def test_per_model_stack_may_have_an_image_and_a_role_of_its_own(project: Path) -> None:
    settings = FoundationSettings(image_uri="registry/server:2", role_arn="arn:aws:iam::1:role/x")

    recording = record(
        lambda: foundation_exports(foundation_from_stack("organization/greenlight/dev", settings)),
        stack_outputs=a_foundation(project).exports,
    )

    assert recording.exports["imageUri"] == "registry/server:2"
    assert recording.exports["sklearnImageUri"] == "registry/server:2"
    assert recording.exports["roleArn"] == "arn:aws:iam::1:role/x"


def test_base_stack_of_an_earlier_release_has_no_image_with_scikit_learn(project: Path) -> None:
    exported = dict(a_foundation(project).exports)
    del exported["sklearnImageUri"]

    recording = record(
        lambda: foundation_exports(
            foundation_from_stack("organization/greenlight/dev", FoundationSettings())
        ),
        stack_outputs=exported,
    )

    assert recording.exports["sklearnImageUri"] is None


def test_registry_keeps_images_for_reverts() -> None:
    rules = json.loads(lifecycle_policy())["rules"]

    assert [rule["selection"]["countType"] for rule in rules] == [
        "sinceImagePushed",
        "imageCountMoreThan",
    ]
