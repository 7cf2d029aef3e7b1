"""From a model's members to what an instance runs: its containers and their data, pure.

Source: SageMaker API Reference, ContainerDefinition, S3ModelDataSource; read 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

PRIMARY = "primary"
MULTI_MODEL = "MultiModel"
# Source: the AWS provider's documentation of sagemaker.Model, channelName.
ADDITIONAL_DATA_ROOT = "/opt/ml/additional-model-data-sources"


class DataForm(StrEnum):
    """How model data lies in S3."""

    ARCHIVE = "archive"
    OBJECT = "object"
    PREFIX = "prefix"


@dataclass(frozen=True, kw_only=True)
class ModelData:
    """Where model data lies and how it becomes files.

    Args:
        url: an s3:// URL; of a prefix, with the slash at its end
    """

    url: str
    form: DataForm = DataForm.ARCHIVE


@dataclass(frozen=True, kw_only=True)
class ContainerPlan:
    """One container as an instance starts it.

    Args:
        hostname: what requests, logs and metrics call it; `primary` where there is one only
        data: what lies in its model directory; None for nothing, and for a multi-model container
        additional_data: further directories by their path in the container
        model_prefix: of a multi-model container, the S3 prefix of its models; else None
        caches_models: whether a loaded model stays loaded until memory is needed
    """

    hostname: str
    image_uri: str
    environment: Mapping[str, str]
    data: ModelData | None
    additional_data: tuple[tuple[str, ModelData], ...] = ()
    model_prefix: str | None = None
    caches_models: bool = True


def container_plans(model: Mapping[str, Any] | None) -> tuple[ContainerPlan, ...]:
    """Return a model's containers in order; a model deleted meanwhile has none."""
    definitions = definitions_of(model)
    if len(definitions) == 1:
        return (_plan(definitions[0], PRIMARY),)
    return tuple(
        _plan(definition, definition.get("ContainerHostname", f"container-{number}"))
        for number, definition in enumerate(definitions, start=1)
    )


def definitions_of(model: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], ...]:
    """Return the ContainerDefinitions of a model, in order."""
    if model is None:
        return ()
    if "PrimaryContainer" in model:
        return (model["PrimaryContainer"],)
    return tuple(model.get("Containers", ()))


def model_data_of(definition: Mapping[str, Any]) -> ModelData | None:
    """Return a single-model container's data, or None when it names none."""
    if definition.get("Mode") == MULTI_MODEL:
        return None
    if "ModelDataUrl" in definition:
        return ModelData(url=definition["ModelDataUrl"])
    source = definition.get("ModelDataSource", {}).get("S3DataSource")
    return None if source is None else data_from_source(source)


def data_from_source(source: Mapping[str, Any]) -> ModelData:
    """Return the data an S3ModelDataSource means."""
    if source.get("S3DataType") == "S3Prefix":
        return ModelData(url=source["S3Uri"], form=DataForm.PREFIX)
    if source.get("CompressionType") == "None":
        return ModelData(url=source["S3Uri"], form=DataForm.OBJECT)
    return ModelData(url=source["S3Uri"])


def _plan(definition: Mapping[str, Any], hostname: str) -> ContainerPlan:
    multi_model = definition.get("Mode") == MULTI_MODEL
    environment = dict(definition.get("Environment", {}))
    if multi_model:
        environment["SAGEMAKER_MULTI_MODEL"] = "true"
    caching = definition.get("MultiModelConfig", {}).get("ModelCacheSetting", "Enabled")
    return ContainerPlan(
        hostname=hostname,
        image_uri=definition.get("Image", ""),
        environment=environment,
        data=model_data_of(definition),
        additional_data=tuple(
            (
                f"{ADDITIONAL_DATA_ROOT}/{source['ChannelName']}",
                data_from_source(source["S3DataSource"]),
            )
            for source in definition.get("AdditionalModelDataSources", ())
        ),
        model_prefix=definition.get("ModelDataUrl") if multi_model else None,
        caches_models=caching == "Enabled",
    )
