"""Every type and invoke, by package and token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rehearsal.provider.entry import Invocation, ResourceType
from rehearsal.provider.schema import SchemaSource
from rehearsal.provider.types import (
    appautoscaling,
    cloudwatch,
    docker_image,
    ecr,
    iam,
    invocation,
    kms,
    s3,
    s3_object,
    sagemaker,
    sagemaker_endpoint,
    sns,
)


@dataclass(frozen=True, kw_only=True)
class Package:
    """One provider plugin that is stood in for.

    Args:
        version: of the Pulumi package whose schema is used
        configuration: where its configuration's schema is
        configurable: configuration keys taken; the others of the schema are refused by name
    """

    name: str
    version: str
    types: Mapping[str, ResourceType]
    invocations: Mapping[str, Invocation]
    configuration: SchemaSource
    configurable: frozenset[str]


AWS = Package(
    name="aws",
    version="7.51.1",
    types={
        entry.token: entry
        for module in (
            appautoscaling,
            cloudwatch,
            ecr,
            iam,
            kms,
            s3,
            s3_object,
            sagemaker,
            sagemaker_endpoint,
            sns,
        )
        for entry in module.TYPES
    },
    invocations={item.token: item for item in invocation.INVOCATIONS},
    configuration=SchemaSource(package="pulumi_aws", resource=None, arguments="ProviderArgs"),
    configurable=frozenset(
        {
            "accessKey",
            "allowedAccountIds",
            "defaultTags",
            "endpoints",
            "ignoreTags",
            "maxRetries",
            "region",
            "s3UsePathStyle",
            "secretKey",
            "skipCredentialsValidation",
            "skipMetadataApiCheck",
            "skipRegionValidation",
            "skipRequestingAccountId",
            "token",
        }
    ),
)
DOCKER = Package(
    name="docker",
    version="5.2.0",
    types={entry.token: entry for entry in docker_image.TYPES},
    invocations={},
    configuration=SchemaSource(package="pulumi_docker", resource=None, arguments="ProviderArgs"),
    configurable=frozenset({"host"}),
)
