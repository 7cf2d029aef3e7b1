"""Cross-field rules of models."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.hosting.model_rules import check_container, check_model

IMAGE = {"Image": "image"}
PREFIX = {"S3DataType": "S3Prefix", "CompressionType": "None", "S3Uri": "s3://bucket/model"}


@pytest.mark.source("botocore ContainerDefinition Environment: 32 KB in all")
def test_too_much_environment_is_refused() -> None:
    halves = [
        {**IMAGE, "Environment": {f"K{index}": "x" * 1_000 for index in range(20)}}
        for _ in range(2)
    ]

    check_model({"Containers": halves[:1]})
    with pytest.raises(ApiError, match="above the limit of 32768 bytes"):
        check_model({"Containers": halves})


@pytest.mark.source("botocore ContainerDefinition ContainerHostname: all or none")
def test_hostnames_of_a_pipeline_are_given_for_all_containers_or_for_none() -> None:
    named = {**IMAGE, "ContainerHostname": "first"}

    check_model({"Containers": [named, {**IMAGE, "ContainerHostname": "second"}]})
    check_model({"Containers": [IMAGE, IMAGE]})
    with pytest.raises(ApiError, match="for all of the Containers or for none, given 1 for 2"):
        check_model({"Containers": [named, IMAGE]})
    with pytest.raises(ApiError, match="must be unique"):
        check_model({"Containers": [named, named]})


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({}, "must specify Image"),
        ({**IMAGE, "ModelPackageName": "package"}, "Only one of Image and ModelPackageName"),
        ({**IMAGE, "Mode": "MultiModel"}, "must specify ModelDataUrl"),
        (
            {**IMAGE, "ModelDataUrl": "s3://b/k", "ModelDataSource": {"S3DataSource": PREFIX}},
            "Only one of ModelDataUrl and ModelDataSource",
        ),
        (
            {**IMAGE, "Mode": "MultiModel", "ModelDataSource": {"S3DataSource": PREFIX}},
            "not supported for a container with Mode MultiModel",
        ),
        (
            {**IMAGE, "ModelDataSource": {"S3DataSource": PREFIX}},
            "s3://bucket/model must end with a forward slash",
        ),
    ],
)
@pytest.mark.source("DG large-model-inference-uncompressed; botocore ContainerDefinition")
def test_a_container_that_contradicts_itself_is_refused(
    container: dict[str, Any], words: str
) -> None:
    with pytest.raises(ApiError, match=words):
        check_model({"PrimaryContainer": container})


def test_a_model_package_is_refused_when_it_is_to_run() -> None:
    check_model({"PrimaryContainer": {"ModelPackageName": "package"}})

    with pytest.raises(ApiError, match="does not do model packages; give Image"):
        check_container({"ModelPackageName": "package"})


@pytest.mark.parametrize("member", ["ManifestS3Uri", "ManifestEtag", "ETag", "HubAccessConfig"])
def test_a_source_of_model_data_that_would_be_ignored_is_refused_when_it_is_to_run(
    member: str,
) -> None:
    source = {"S3DataSource": {**PREFIX, member: "any"}}

    for container in (
        {**IMAGE, "ModelDataSource": source},
        {**IMAGE, "AdditionalModelDataSources": [{"ChannelName": "more", **source}]},
    ):
        with pytest.raises(ApiError, match=f"leave {member} out of S3DataSource"):
            check_container(container)
