"""The image of a stack is asked of ECR, and refused where SageMaker would refuse it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from automation.errors import ImageError, exit_code_for
from automation.image_manifest import (
    Answer,
    EcrReference,
    Outcome,
    PlannedImage,
    answer_from,
    ask_ecr,
    check,
    planned_image,
    reference_from,
)

REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
SERVER = f"{REGISTRY}/team/server"
URI = f"{SERVER}:0123456789abcdef"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("ecr", region_name="eu-west-1")
        client.create_repository(repositoryName="team/server")
        yield client


def pushed(registry: Any, media_type: str, tag: str = "0123456789abcdef") -> str:
    manifest = {"schemaVersion": 2, "mediaType": media_type, "layers": []}
    answer = registry.put_image(
        repositoryName="team/server",
        imageManifest=json.dumps(manifest),
        imageManifestMediaType=media_type,
        imageTag=tag,
    )
    return str(answer["image"]["imageId"]["imageDigest"])


def answering(outcome: Outcome, detail: str) -> Any:
    def ask(reference: EcrReference) -> Answer:
        return Answer(outcome=outcome, detail=detail)

    return ask


def nobody(reference: EcrReference) -> Answer:
    raise AssertionError(f"{reference} was asked for")


def planned(config: dict[str, object], outputs: dict[str, Any], *, is_base: bool) -> Any:
    return planned_image(
        {f"greenlight:{key}": value for key, value in config.items()},
        outputs,
        is_base=is_base,
        context_tag=lambda: "0123456789abcdef",
    )


def test_an_image_with_dockers_manifest_is_taken(registry: Any) -> None:
    pushed(registry, DOCKER)

    assert check(PlannedImage(uri=URI), ask_ecr) == ()


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX, DOCKER_LIST])
def test_any_other_manifest_is_refused_with_what_mends_it(registry: Any, media_type: str) -> None:
    pushed(registry, media_type)

    with pytest.raises(ImageError) as refused:
        check(PlannedImage(uri=URI), ask_ecr)

    said = str(refused.value)
    assert URI in said
    assert f"media type {media_type}, which SageMaker refuses" in said
    assert f"takes Docker's own, {DOCKER}" in said
    assert "--provenance=false" in said
    assert f"oci-mediatypes=false -t {SERVER}:NEW_TAG container\n" in said
    assert exit_code_for(refused.value) == 4


def test_an_image_is_found_by_its_digest(registry: Any) -> None:
    digest = pushed(registry, OCI_INDEX, tag="other")

    with pytest.raises(ImageError, match="media type"):
        check(PlannedImage(uri=f"{SERVER}@{digest}"), ask_ecr)


def test_a_tag_that_is_not_there_is_refused(registry: Any) -> None:
    with pytest.raises(ImageError, match=r"is not there: ECR says ImageNotFound.*imageUri"):
        check(PlannedImage(uri=URI), ask_ecr)


def test_a_repository_that_is_not_there_is_refused(registry: Any) -> None:
    with pytest.raises(ImageError, match="RepositoryNotFoundException"):
        check(PlannedImage(uri=f"{REGISTRY}/nobody:1"), ask_ecr)


def test_a_missing_image_that_the_update_may_build_is_only_told_of(registry: Any) -> None:
    (note,) = check(PlannedImage(uri=URI, is_built_here=True), ask_ecr)

    assert note.startswith(f"image {URI} is missing unless this update builds it")


def test_who_may_not_ask_is_told_that_nothing_was_checked() -> None:
    ask = answering(Outcome.UNKNOWN, "AccessDeniedException: not authorized")

    (note,) = check(PlannedImage(uri=URI), ask)

    assert "was not checked" in note
    assert "AccessDeniedException" in note


def test_an_ecr_that_cannot_be_reached_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    (note,) = check(PlannedImage(uri=URI), ask_ecr)

    assert "was not checked" in note
    assert "127.0.0.1:9" in note


@pytest.mark.parametrize("uri", ["docker.io/team/server:1", "public.ecr.aws/team/server:1"])
def test_another_registry_is_not_asked(uri: str) -> None:
    (note,) = check(PlannedImage(uri=uri), nobody)

    assert note.startswith(f"image {uri} was not checked")


def test_where_no_image_is_known_nothing_is_asked() -> None:
    assert check(None, nobody) == ()


def test_a_uri_is_taken_apart() -> None:
    digest = f"sha256:{'0' * 64}"

    tagged, pinned, bare = map(reference_from, (URI, f"{URI}@{digest}", SERVER))

    assert tagged is not None
    assert (tagged.account, tagged.region) == ("123456789012", "eu-west-1")
    assert tagged.repository == "team/server"
    assert tagged.image_id == {"imageTag": "0123456789abcdef"}
    assert pinned is not None
    assert pinned.image_id == {"imageDigest": digest}
    assert bare is not None
    assert bare.image_id == {"imageTag": "latest"}


def test_a_failure_that_says_nothing_of_the_image_is_unknown() -> None:
    failure = {"failureCode": "KmsError", "failureReason": "key is disabled"}

    answer = answer_from({"images": [], "failures": [failure]})

    assert answer == Answer(outcome=Outcome.UNKNOWN, detail="ECR says KmsError: key is disabled")


def test_a_media_type_that_only_the_manifest_names_is_read_there() -> None:
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX})

    answer = answer_from({"images": [{"imageManifest": manifest}]})

    assert answer == Answer(outcome=Outcome.FOUND, detail=OCI_INDEX)


def test_the_settings_image_goes_before_the_foundations() -> None:
    outputs = {"imageUri": URI}

    for is_base in (True, False):
        found = planned({"imageUri": "team/other:1"}, outputs, is_base=is_base)
        assert found == PlannedImage(uri="team/other:1")


def test_each_runtime_has_its_image() -> None:
    outputs = {"imageUri": URI, "sklearnImageUri": f"{URI}-sklearn"}

    onnx = planned({}, outputs, is_base=False)
    sklearn = planned({"runtime": "sklearn"}, outputs, is_base=False)

    assert onnx == PlannedImage(uri=URI)
    assert sklearn == PlannedImage(uri=f"{URI}-sklearn")


@pytest.mark.parametrize("is_base", [True, False])
def test_before_the_first_update_no_image_is_known(is_base: bool) -> None:
    assert planned({}, {}, is_base=is_base) is None


def test_a_foundation_without_a_scikit_learn_image_has_none_to_ask_for() -> None:
    outputs = {"imageUri": URI, "sklearnImageUri": None}

    assert planned({"runtime": "sklearn"}, outputs, is_base=False) is None


def test_a_base_stack_whose_server_changed_builds_another_image() -> None:
    older = f"{SERVER}:fedcba9876543210"

    assert planned({}, {"imageUri": older}, is_base=True) is None
    assert planned({}, {"imageUri": older}, is_base=False) == PlannedImage(uri=older)


@pytest.mark.parametrize("runtime", ["onnx", "sklearn"])
def test_a_base_stack_whose_server_is_the_same_keeps_its_image(runtime: str) -> None:
    outputs = {"imageUri": URI, "sklearnImageUri": f"{URI}-sklearn"}

    found = planned({"runtime": runtime}, outputs, is_base=True)

    assert found is not None
    assert found.is_built_here


def test_an_encrypted_setting_is_nobodys_to_read() -> None:
    secret: dict[str, object] = {"imageUri": {"secure": "v1:abc"}}

    assert planned(secret, {"imageUri": URI}, is_base=False) is None
