"""Endpoints of a server that does what each request tells it to (`runtime_image`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import ACCOUNT, REGION, ROLE_ARN, CloudUser

RUNTIME_IMAGE = Path(__file__).parent / "runtime_image"
RUNTIME_IMAGE_URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/runtime:1"


def add_runtime_image(user: CloudUser) -> None:
    """Make the image known, in a repository of its own."""
    user.client("ecr").create_repository(repositoryName="runtime")
    members = {"image_uri": RUNTIME_IMAGE_URI, "context": str(RUNTIME_IMAGE)}
    user.tell("images", members).raise_for_status()


def a_container(name: str, gate: Path, **more: Any) -> dict[str, Any]:
    """Return a container definition; `gate` is the file its slow answers wait for."""
    environment = {"NAME": name, "GATE": str(gate)}
    return {"Image": RUNTIME_IMAGE_URI, "Environment": environment, **more}


def make_runtime_endpoint(
    user: CloudUser,
    name: str,
    gate: Path,
    *,
    instance_count: int = 1,
    variant: Mapping[str, Any] | None = None,
    containers: Sequence[Mapping[str, Any]] | None = None,
    mode: str = "Serial",
    **config: Any,
) -> None:
    """Create model, config and endpoint of one name and one variant `main`."""
    model: dict[str, Any] = {"PrimaryContainer": a_container(name, gate)}
    if containers is not None:
        model = {"Containers": containers, "InferenceExecutionConfig": {"Mode": mode}}
    user.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE_ARN, **model)
    definition = {
        "VariantName": "main",
        "ModelName": name,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": instance_count,
        **(variant or {}),
    }
    user.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[definition], **config
    )
    user.make_endpoint(name, name)


def invoke(user: CloudUser, name: str, do: str, body: bytes = b"x", **more: Any) -> dict[str, Any]:
    """Tell the server behind an endpoint what to do; return boto3's answer, its body read."""
    answer: dict[str, Any] = user.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, Body=body, CustomAttributes=do, **more
    )
    return {**answer, "Body": answer["Body"].read()}


def refusal(user: CloudUser, name: str, do: str, **more: Any) -> dict[str, Any]:
    """Return the error an invocation ends with."""
    with pytest.raises(ClientError) as caught:
        invoke(user, name, do, **more)
    return dict(caught.value.response)
