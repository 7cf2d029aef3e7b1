"""From a model's members to the containers an instance runs."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.fleets.definition import (
    DataForm,
    ModelData,
    container_plans,
)

IMAGE = {"Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tiny:1"}


def test_a_model_deleted_meanwhile_has_no_containers() -> None:
    assert container_plans(None) == ()


@pytest.mark.source(
    "botocore ContainerDefinition ContainerHostname: ignored for a PrimaryContainer"
)
@pytest.mark.parametrize(
    "members",
    [
        {"PrimaryContainer": IMAGE},
        {"PrimaryContainer": {**IMAGE, "ContainerHostname": "named"}},
        {"Containers": [IMAGE]},
    ],
)
def test_a_single_container_is_the_primary_one(members: dict[str, Any]) -> None:
    assert [plan.hostname for plan in container_plans(members)] == ["primary"]


@pytest.mark.source("botocore ContainerDefinition.ContainerHostname: generated names")
def test_containers_of_a_pipeline_get_names_when_they_have_none() -> None:
    named = [{**IMAGE, "ContainerHostname": "clean"}, {**IMAGE, "ContainerHostname": "rank"}]

    generated = container_plans({"Containers": [IMAGE, IMAGE, IMAGE]})

    assert [plan.hostname for plan in generated] == ["container-1", "container-2", "container-3"]
    assert [plan.hostname for plan in container_plans({"Containers": named})] == ["clean", "rank"]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({}, None),
        ({"ModelDataUrl": "s3://b/k"}, ModelData(url="s3://b/k")),
        (
            {
                "ModelDataSource": {
                    "S3DataSource": {
                        "S3Uri": "s3://b/k/",
                        "S3DataType": "S3Prefix",
                        "CompressionType": "None",
                    }
                }
            },
            ModelData(url="s3://b/k/", form=DataForm.PREFIX),
        ),
        (
            {
                "ModelDataSource": {
                    "S3DataSource": {
                        "S3Uri": "s3://b/k",
                        "S3DataType": "S3Object",
                        "CompressionType": "None",
                    }
                }
            },
            ModelData(url="s3://b/k", form=DataForm.OBJECT),
        ),
        (
            {
                "ModelDataSource": {
                    "S3DataSource": {
                        "S3Uri": "s3://b/k",
                        "S3DataType": "S3Object",
                        "CompressionType": "Gzip",
                    }
                }
            },
            ModelData(url="s3://b/k"),
        ),
    ],
)
@pytest.mark.source("API S3ModelDataSource: S3DataType, CompressionType")
def test_model_data_comes_in_three_forms(
    definition: dict[str, Any], expected: ModelData | None
) -> None:
    (plan,) = container_plans({"PrimaryContainer": {**IMAGE, **definition}})

    assert plan.data == expected
    assert plan.model_prefix is None


@pytest.mark.source("AWS provider, sagemaker.Model channelName: additional-model-data-sources")
def test_additional_data_lies_below_its_channel() -> None:
    source = {"S3Uri": "s3://b/x/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    definition = {
        **IMAGE,
        "AdditionalModelDataSources": [{"ChannelName": "draft", "S3DataSource": source}],
    }

    (plan,) = container_plans({"PrimaryContainer": definition})

    assert plan.additional_data == (
        (
            "/opt/ml/additional-model-data-sources/draft",
            ModelData(url="s3://b/x/", form=DataForm.PREFIX),
        ),
    )


@pytest.mark.source("DG build-multi-model-build-container: SAGEMAKER_MULTI_MODEL")
def test_a_multi_model_container_is_told_so_and_has_a_prefix_and_no_data() -> None:
    definition = {**IMAGE, "Mode": "MultiModel", "ModelDataUrl": "s3://b/models/"}
    uncached = {**definition, "MultiModelConfig": {"ModelCacheSetting": "Disabled"}}

    (plan,) = container_plans({"PrimaryContainer": definition})

    assert plan.environment["SAGEMAKER_MULTI_MODEL"] == "true"
    assert (plan.data, plan.model_prefix, plan.caches_models) == (None, "s3://b/models/", True)
    assert not container_plans({"PrimaryContainer": uncached})[0].caches_models
