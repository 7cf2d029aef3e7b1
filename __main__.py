"""One stack of greenlight: the Foundation of a stage, and (or) one model behind an endpoint."""

from pathlib import Path

import pulumi
import pulumi_aws as aws

from components import names
from components.artifact import Artifact, ArtifactError, find_artifact
from components.endpoint_autoscaling import EndpointAutoscaling, EndpointAutoscalingArgs
from components.endpoint_monitoring import EndpointMonitoring, EndpointMonitoringArgs
from components.foundation import (
    Foundation,
    FoundationArgs,
    FoundationOutputs,
    foundation_exports,
    foundation_from_stack,
)
from components.inference_endpoint import InferenceEndpoint, InferenceEndpointArgs
from components.model_package import ModelPackage, ModelPackageArgs
from components.program import configured_values
from components.settings import (
    ModelSettings,
    Settings,
    SettingsError,
    parse_settings,
    resource_tags,
)

PROJECT_DIRECTORY = Path(__file__).parent


def main() -> None:
    """Read the settings, declare the components, export what others build on."""
    try:
        settings = parse_settings(configured_values())
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error
    tags = resource_tags(settings, pulumi.get_stack())
    foundation = declare_foundation(settings, tags)
    for name, value in foundation_exports(foundation).items():
        pulumi.export(name, value)
    if settings.model is not None:
        declare_model(settings.model, settings.stage.value, foundation, tags)


def declare_foundation(settings: Settings, tags: dict[str, str]) -> FoundationOutputs:
    """This stack's own Foundation, or its base stack's."""
    if settings.foundation_stack is not None:
        return foundation_from_stack(settings.foundation_stack, settings.foundation)
    foundation = Foundation(
        names.foundation_stem(settings.stage.value),
        FoundationArgs(
            settings=settings.foundation, project_directory=PROJECT_DIRECTORY, tags=tags
        ),
    )
    return foundation.outputs


def artifact_of(settings: ModelSettings) -> Artifact:
    """The archive the settings name."""
    try:
        return find_artifact(settings.artifact, settings.artifact_digest, PROJECT_DIRECTORY)
    except ArtifactError as error:
        raise pulumi.RunError(str(error)) from error


def declare_model(
    settings: ModelSettings, stage: str, foundation: FoundationOutputs, tags: dict[str, str]
) -> None:
    """The model, its endpoint, and what scales and watches it."""
    artifact = artifact_of(settings)
    stem = names.model_stem(settings.name, stage)
    region = aws.get_region_output().region
    package = ModelPackage(
        stem,
        ModelPackageArgs(
            model=settings.name,
            artifact=artifact,
            foundation=foundation,
            runtime=settings.runtime,
            environment=settings.environment,
            tags=tags,
        ),
    )
    endpoint = InferenceEndpoint(
        stem,
        InferenceEndpointArgs(
            model_name=package.model_name,
            artifact_digest=artifact.digest,
            settings=settings,
            region=region,
            kms_key_arn=foundation.kms_key_arn,
            tags=tags,
        ),
    )
    if settings.scaling is not None:
        EndpointAutoscaling(
            stem,
            EndpointAutoscalingArgs(
                endpoint_name=endpoint.endpoint_name,
                variant_name=settings.variant_name,
                scaling=settings.scaling,
                after=endpoint.ready,
            ),
        )
    EndpointMonitoring(
        stem,
        EndpointMonitoringArgs(
            endpoint_name=endpoint.endpoint_name,
            variant_name=settings.variant_name,
            region=region,
            alert_topic_arn=foundation.alert_topic_arn,
            settings=settings.rollback_alarms,
            tags=tags,
        ),
    )
    pulumi.export("endpointName", endpoint.endpoint_name)
    pulumi.export("endpointConfigName", endpoint.endpoint_config_name)
    pulumi.export("modelName", package.model_name)
    pulumi.export("variantName", settings.variant_name)
    pulumi.export("artifactUri", package.artifact_uri)
    pulumi.export("artifactDigest", artifact.digest)
    pulumi.export("rollbackAlarmNames", endpoint.rollback_alarm_names)
    pulumi.export("swapVerdict", endpoint.swap_verdict)


if __name__ == "__main__":
    main()
