"""Cross-field rules of models that botocore's shapes don't state: pure checks that refuse.

Source: botocore sagemaker 2017-07-24, ContainerDefinition; SageMaker Developer Guide,
"Deploying uncompressed models", read 2026. What the texts say where no source has them is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.cloud.errors import validation_exception
from rehearsal.cloud.fleets.definition import MULTI_MODEL, definitions_of
from rehearsal.cloud.hosting import messages
from rehearsal.cloud.hosting.config_rules import check_frequency

MAXIMUM_ENVIRONMENT_BYTES = 32 * 1024
# Of an S3DataSource: echoed by Describe, refused when a model is to run.
UNREHEARSED_SOURCE = {
    "ManifestS3Uri": "manifests of model data",
    "ManifestEtag": "manifests of model data",
    "ETag": "versions of model data",
    "HubAccessConfig": "model hubs",
}


def check_model(members: Mapping[str, Any]) -> None:
    """Refuse a model whose members contradict each other, or with too much environment."""
    if ("PrimaryContainer" in members) == bool(members.get("Containers")):
        raise validation_exception(
            "Exactly one of PrimaryContainer and Containers must be specified."
        )
    containers = definitions_of(members)
    total = sum(
        len((key + value).encode())
        for container in containers
        for key, value in container.get("Environment", {}).items()
    )
    if total > MAXIMUM_ENVIRONMENT_BYTES:
        raise validation_exception(
            f"Environment of {total} bytes is above the limit of {MAXIMUM_ENVIRONMENT_BYTES} bytes."
        )
    for container in containers:
        _check_definition(container)
    if "Containers" in members:
        _check_hostnames(containers)


def _check_hostnames(containers: Sequence[Mapping[str, Any]]) -> None:
    names = [c["ContainerHostname"] for c in containers if "ContainerHostname" in c]
    if names and len(names) != len(containers):
        raise validation_exception(
            "ContainerHostname must be specified for all of the Containers or for none, given "
            f"{len(names)} for {len(containers)} containers."
        )
    if len(set(names)) != len(names):
        raise validation_exception(
            f"ContainerHostname must be unique among the Containers, given {', '.join(names)}."
        )


def _check_definition(container: Mapping[str, Any]) -> None:
    if "Image" not in container and "ModelPackageName" not in container:
        raise validation_exception("A container must specify Image or ModelPackageName.")
    if "Image" in container and "ModelPackageName" in container:
        raise validation_exception(
            "Only one of Image and ModelPackageName may be specified for a container."
        )
    if "ModelDataUrl" in container and "ModelDataSource" in container:
        raise validation_exception(
            "Only one of ModelDataUrl and ModelDataSource may be specified for a container."
        )
    for endpoint in container.get("ContainerMetricsConfig", {}).get("MetricsEndpoints", ()):
        check_frequency(endpoint, "containerMetricsConfig.metricsEndpoints.1.member")
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    if container.get("Mode") == MULTI_MODEL:
        if source:
            raise validation_exception(
                "ModelDataSource is not supported for a container with Mode MultiModel."
            )
        if "ModelDataUrl" not in container:
            raise validation_exception(
                "A container with Mode MultiModel must specify ModelDataUrl, the S3 prefix of its "
                "models."
            )
    if source.get("S3DataType") == "S3Prefix" and not source["S3Uri"].endswith("/"):
        raise validation_exception(
            f"S3Uri {source['S3Uri']} must end with a forward slash when S3DataType is S3Prefix."
        )


def check_container(container: Mapping[str, Any]) -> None:
    """Refuse to run a container form this rehearsal would only pretend to run."""
    if "ModelPackageName" in container:
        raise messages.not_rehearsed("model packages", "give Image and ModelDataUrl")
    sources = [
        container.get("ModelDataSource", {}),
        *container.get("AdditionalModelDataSources", ()),
    ]
    for source in sources:
        for member, words in UNREHEARSED_SOURCE.items():
            if member in source.get("S3DataSource", {}):
                raise messages.not_rehearsed(words, f"leave {member} out of S3DataSource")
