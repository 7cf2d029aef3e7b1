"""Builders for tests of what an instance runs: pipelines, multi-model containers, model data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.cloud.fleets.instance import Instance
from tests.support.cloud import ACCOUNT, BUCKET, REGION, ROLE_ARN, CloudUser, gzip_tar

SUPPORT = Path(__file__).parent
CONTEXTS = {"step": SUPPORT / "step_image", "multi": SUPPORT / "multi_model_image"}


def image_uri(repository: str) -> str:
    """Return the URI an image of these tests is known by."""
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}:1"


def add_images(user: CloudUser) -> None:
    """Make the images of these tests known."""
    for repository in CONTEXTS:
        user.client("ecr").create_repository(repositoryName=repository)
        add_image(user, repository)


def add_image(user: CloudUser, repository: str) -> None:
    """Make one image known, again if need be."""
    context = str(CONTEXTS[repository])
    answer = user.tell("images", {"image_uri": image_uri(repository), "context": context})
    answer.raise_for_status()


def a_step(name: str, **more: Any) -> dict[str, Any]:
    """Return a ContainerDefinition of a pipeline's step; environment goes in as ENVIRONMENT."""
    environment = {"STEP_NAME": name, **more.pop("ENVIRONMENT", {})}
    return {"Image": image_uri("step"), "Environment": environment, **more}


def make_config(
    user: CloudUser,
    name: str,
    containers: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    variant: Mapping[str, Any] | None = None,
    **model: Any,
) -> str:
    """Create a model and a config of the same name with one variant `main`."""
    form = "PrimaryContainer" if isinstance(containers, Mapping) else "Containers"
    user.sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=ROLE_ARN, **{form: containers}, **model
    )
    definition = {
        "VariantName": "main",
        "ModelName": name,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        **(variant or {}),
    }
    user.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[definition])
    return name


def put(user: CloudUser, key: str, body: bytes) -> str:
    """Put an object into the tests' bucket; return its URL."""
    user.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    return f"s3://{BUCKET}/{key}"


def put_model(user: CloudUser, key: str, name: str) -> str:
    """Put a model of the multi-model image; return its URL."""
    return put(user, key, gzip_tar({"name": name.encode()}))


def invoke(user: CloudUser, endpoint: str, body: bytes = b"x", **more: Any) -> tuple[str, Any]:
    """Return an answer's Content-Type and body; JSON is read."""
    answer = user.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, Body=body, **{"ContentType": "text/plain", **more}
    )
    data = answer["Body"].read()
    read = json.loads(data) if data.startswith(b"{") else data
    return answer["ContentType"], read


def log_streams(user: CloudUser, group: str) -> list[str]:
    """Return the names of a log group's streams."""
    found = user.client("logs").describe_log_streams(logGroupName=group)
    return sorted(stream["logStreamName"] for stream in found["logStreams"])


def remove(user: CloudUser, endpoint: str) -> None:
    """Begin to delete an endpoint, so that its processes don't stay until the module's end."""
    user.sagemaker.delete_endpoint(EndpointName=endpoint)


def instances_of(user: CloudUser, endpoint: str) -> list[Instance]:
    """Return an endpoint's live instances, as the cloud itself holds them."""
    fleets = user.cloud.engine.fleets
    return [each for each in fleets.processes() if each.spec.endpoint_name == endpoint]
