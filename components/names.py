"""Logical names of every resource: one stem per stack and fixed suffixes.

A logical name is a resource's identity in Pulumi's state. A change here replaces the resource
unless it comes with an alias; ADRs say when that is worth it. Physical names are Pulumi's (the
logical name and seven random characters), because a fixed physical name collides while an old one
is pending deletion.
"""

import re

PROJECT = "greenlight"

# SageMaker allows 63 characters: a model's name, "-prod", "-endpoint-config", and a dash with
# Pulumi's seven characters.
# Source: CreateEndpointConfig, EndpointConfigName (botocore 1.44.5).
MAXIMUM_MODEL_NAME_LENGTH = 32
MODEL_NAME_PATTERN = re.compile(r"(?=.{1,32}$)[a-z](?:-?[a-z0-9])*")

BUCKET = "artifacts"
BUCKET_VERSIONING = "artifacts-versioning"
BUCKET_ENCRYPTION = "artifacts-encryption"
BUCKET_PUBLIC_ACCESS_BLOCK = "artifacts-public-access-block"
REPOSITORY = "server"
REPOSITORY_LIFECYCLE = "server-lifecycle"
IMAGE = "server-image"
SKLEARN_IMAGE = "server-sklearn-image"
ROLE = "execution-role"
ROLE_POLICY = "execution-policy"
ALERT_TOPIC = "alerts"
KEY = "key"

ARTIFACT = "artifact"
MODEL = "model"
ENDPOINT_CONFIG = "endpoint-config"
ENDPOINT = "endpoint"
ENDPOINT_SWAP = "swap"
SCALABLE_TARGET = "scalable-target"
SCALING_POLICY = "scaling-policy"
ERROR_ROLLBACK_ALARM = "rollback-5xx-errors"
LATENCY_ROLLBACK_ALARM = "rollback-model-latency"
ERROR_ALERT = "alert-5xx-errors"
LATENCY_ALERT = "alert-model-latency"
DASHBOARD = "dashboard"


def foundation_stem(stage: str) -> str:
    """The stem of everything the models of a stage share."""
    return f"{PROJECT}-{stage}"


def model_stem(model: str, stage: str) -> str:
    """The stem of everything that belongs to one model in one stage."""
    return f"{model}-{stage}"


def child_name(stem: str, suffix: str) -> str:
    """The logical name of one resource."""
    return f"{stem}-{suffix}"


def artifact_key(model: str, artifact_digest: str) -> str:
    """The S3 key of an artifact: by content, so no two artifacts share one.

    Args:
        model: the model's name.
        artifact_digest: SHA-256 of `model.tar.gz`, in hexadecimal.
    """
    return f"models/v1/{model}/{artifact_digest}/model.tar.gz"
