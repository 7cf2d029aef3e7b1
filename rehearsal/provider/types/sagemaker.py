"""SageMaker models and endpoint configurations: immutable but for their tags.

Source: hashicorp/terraform-provider-aws internal/service/sagemaker/{model,
endpoint_configuration}.go.
"""

from __future__ import annotations

import secrets

from botocore.model import Shape

from rehearsal.provider.aws import Aws, AwsError
from rehearsal.provider.convert import Renames, members_from_values, values_from_members
from rehearsal.provider.entry import Autoname, Change, ProviderError, ResourceType, Rule
from rehearsal.provider.enumeration import shape_named
from rehearsal.provider.schema import SchemaSource, read_schema
from rehearsal.provider.tags import SAGEMAKER, read_tags, tag_list, update_tags
from rehearsal.provider.value import Values

PACKAGE = "pulumi_aws.sagemaker"
# The real provider repeats CreateModel on any ValidationException for two minutes (IAM's delay).
MODEL_RETRY_SECONDS = 120
MODEL_DELETE_SECONDS = 5 * 60
VALIDATION = "ValidationException"
CONFIGURATION_MISSING = "Could not find endpoint configuration"
NAME = Rule(minimum=1, maximum=63, pattern=r"[0-9A-Za-z](-*[0-9A-Za-z])*")
SECONDS = Rule(minimum=60, maximum=3600)
MEMORY_SIZES_MB = (1024, 2048, 3072, 4096, 5120, 6144)
# The real provider's own pattern, which lets anything follow the first character.
S3_PATH = Rule(minimum=1, maximum=512, pattern=r"(https|s3)://([^/])/?(.*)")

MODEL_SCHEMA = SchemaSource(package=PACKAGE, resource="Model", arguments="ModelArgs")
CONFIGURATION_SCHEMA = SchemaSource(
    package=PACKAGE, resource="EndpointConfiguration", arguments="EndpointConfigurationArgs"
)
MODEL_RENAMES: Renames = {
    "name": "ModelName",
    "containers": "Containers",
    "additionalModelDataSources": "AdditionalModelDataSources",
    "subnets": "Subnets",
}
CONFIGURATION_RENAMES: Renames = {
    "name": "EndpointConfigName",
    "kmsKeyArn": "KmsKeyId",
    "routingConfigs": "RoutingConfig",
    "includeInferenceResponseIns": "IncludeInferenceResponseIn",
}


def without_empty(values: Values) -> Values:
    """Inputs as Terraform sends them: empty blocks, empty texts and the provider's own left out."""
    return {
        name: value
        for name, value in values.items()
        if value not in ("", None, [], {}) and name not in ("tags", "region", "namePrefix")
    }


class ModelOperations:
    """A model; creating one is retried, deleting a missing one is success."""

    def create(self, aws: Aws, values: Values) -> str:
        shape: Shape = shape_named("sagemaker", "CreateModelInput")
        members = members_from_values(without_empty(values), shape, MODEL_RENAMES)
        try:
            aws.retry(
                MODEL_RETRY_SECONDS,
                lambda: aws.call(
                    "sagemaker", "CreateModel", **members, Tags=tag_list(values.get("tags"))
                ),
                lambda err: err.code == VALIDATION,
            )
        except AwsError as err:
            raise ProviderError(f"creating SageMaker AI model: {err}") from err
        return str(values["name"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            found = aws.call("sagemaker", "DescribeModel", ModelName=identifier)
        except AwsError as err:
            # The real provider takes any ValidationException for the model being gone.
            if VALIDATION in err.code:
                return None
            raise
        values = values_from_members(found, read_schema(MODEL_SCHEMA).inputs, MODEL_RENAMES)
        arn = found["ModelArn"]
        return {**values, "arn": arn, **read_tags(aws, SAGEMAKER, arn)}

    def update(self, aws: Aws, change: Change) -> None:
        update_tags(aws, SAGEMAKER, change.old["arn"], change)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        try:
            aws.retry(
                MODEL_DELETE_SECONDS,
                lambda: aws.call("sagemaker", "DeleteModel", ModelName=identifier),
                lambda err: err.code == "ResourceNotFound",
            )
        except AwsError as err:
            if err.code != VALIDATION or "Could not find model" not in err.message:
                raise ProviderError(f"deleting sagemaker model: {err}") from err


class ConfigurationOperations:
    """An endpoint configuration; it can be deleted while an endpoint still uses it."""

    def create(self, aws: Aws, values: Values) -> str:
        shape: Shape = shape_named("sagemaker", "CreateEndpointConfigInput")
        members = members_from_values(without_empty(values), shape, CONFIGURATION_RENAMES)
        for group in ("ProductionVariants", "ShadowProductionVariants"):
            for variant in members.get(group, []):
                # Terraform's `id.UniqueId`; SageMaker itself requires the name.
                variant.setdefault("VariantName", f"terraform-{secrets.token_hex(13)}")
                if "ModelName" in variant:
                    # Terraform can't tell false from nothing, and always says it.
                    variant.setdefault("EnableSSMAccess", False)
        members["Tags"] = tag_list(values.get("tags"))
        try:
            aws.call("sagemaker", "CreateEndpointConfig", **members)
        except AwsError as err:
            raise ProviderError(
                f"creating SageMaker AI Endpoint Configuration ({values['name']}): {err}"
            ) from err
        return str(values["name"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            found = aws.call("sagemaker", "DescribeEndpointConfig", EndpointConfigName=identifier)
        except AwsError as err:
            if err.code == VALIDATION and CONFIGURATION_MISSING in err.message:
                return None
            raise
        inputs = read_schema(CONFIGURATION_SCHEMA).inputs
        values = values_from_members(found, inputs, CONFIGURATION_RENAMES)
        arn = found["EndpointConfigArn"]
        return {**values, "arn": arn, **read_tags(aws, SAGEMAKER, arn)}

    def update(self, aws: Aws, change: Change) -> None:
        update_tags(aws, SAGEMAKER, change.old["arn"], change)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        try:
            aws.call("sagemaker", "DeleteEndpointConfig", EndpointConfigName=identifier)
        except AwsError as err:
            if err.code != VALIDATION or CONFIGURATION_MISSING not in err.message:
                raise


def _variant_rules(group: str) -> dict[str, Rule]:
    return {
        f"{group}.acceleratorType": Rule(shape=("sagemaker", "ProductionVariantAcceleratorType")),
        f"{group}.coreDumpConfig.destinationS3Uri": S3_PATH,
        f"{group}.inferenceAmiVersion": Rule(
            shape=("sagemaker", "ProductionVariantInferenceAmiVersion")
        ),
        f"{group}.containerStartupHealthCheckTimeoutInSeconds": SECONDS,
        f"{group}.initialInstanceCount": Rule(minimum=1),
        f"{group}.initialVariantWeight": Rule(minimum=0),
        f"{group}.instanceType": Rule(shape=("sagemaker", "ProductionVariantInstanceType")),
        f"{group}.modelDataDownloadTimeoutInSeconds": SECONDS,
        f"{group}.serverlessConfig.maxConcurrency": Rule(minimum=1, maximum=200),
        f"{group}.managedInstanceScaling.maxInstanceCount": Rule(minimum=1),
        f"{group}.managedInstanceScaling.minInstanceCount": Rule(minimum=0),
        f"{group}.managedInstanceScaling.status": Rule(
            shape=("sagemaker", "ManagedInstanceScalingStatus")
        ),
        f"{group}.routingConfigs.routingStrategy": Rule(shape=("sagemaker", "RoutingStrategy")),
        f"{group}.serverlessConfig.provisionedConcurrency": Rule(minimum=1, maximum=200),
        f"{group}.serverlessConfig.memorySizeInMb": Rule(choices=MEMORY_SIZES_MB),
        f"{group}.volumeSizeInGb": Rule(minimum=1, maximum=512),
    }


TYPES = (
    ResourceType(
        token="aws:sagemaker/model:Model",
        title="SageMaker AI Model",
        source="terraform-provider-aws internal/service/sagemaker/model.go",
        schema=MODEL_SCHEMA,
        operations=ModelOperations(),
        autoname=Autoname(),
        replaces=frozenset({"*"}),
        updates=frozenset({"tags"}),
        defaults={"containers.mode": "SingleModel", "primaryContainer.mode": "SingleModel"},
        computed=frozenset({"inferenceExecutionConfig"}),
        rules={
            "name": NAME,
            "primaryContainer.mode": Rule(shape=("sagemaker", "ContainerMode")),
            "primaryContainer.image": Rule(minimum=1, maximum=255, pattern=r"\S+"),
            "primaryContainer.modelDataUrl": Rule(maximum=1024, pattern=r"(https|s3)://.+"),
            "containers.modelDataUrl": Rule(maximum=1024, pattern=r"(https|s3)://.+"),
            "executionRoleArn": Rule(pattern=r"arn:[^:]+:iam::\d{12}:role/.+"),
        },
        sets=frozenset({"vpcConfig.subnets", "vpcConfig.securityGroupIds"}),
    ),
    ResourceType(
        token="aws:sagemaker/endpointConfiguration:EndpointConfiguration",
        title="SageMaker AI Endpoint Configuration",
        source="terraform-provider-aws internal/service/sagemaker/endpoint_configuration.go",
        schema=CONFIGURATION_SCHEMA,
        operations=ConfigurationOperations(),
        autoname=Autoname(),
        replaces=frozenset({"*"}),
        updates=frozenset({"tags"}),
        defaults={
            "productionVariants.initialVariantWeight": 1,
            "shadowProductionVariants.initialVariantWeight": 1,
        },
        rules={
            "name": NAME,
            "productionVariants": Rule(minimum=1, maximum=10),
            **_variant_rules("productionVariants"),
            **_variant_rules("shadowProductionVariants"),
            "dataCaptureConfig.initialSamplingPercentage": Rule(minimum=0, maximum=100),
            "dataCaptureConfig.captureOptions": Rule(minimum=1, maximum=2),
            "dataCaptureConfig.captureOptions.captureMode": Rule(
                shape=("sagemaker", "CaptureMode")
            ),
            "dataCaptureConfig.destinationS3Uri": S3_PATH,
            "asyncInferenceConfig.clientConfig.maxConcurrentInvocationsPerInstance": Rule(
                minimum=1, maximum=1000
            ),
            "asyncInferenceConfig.outputConfig.s3FailurePath": S3_PATH,
            "asyncInferenceConfig.outputConfig.s3OutputPath": S3_PATH,
        },
        sets=frozenset(
            {
                "asyncInferenceConfig.outputConfig.notificationConfig.includeInferenceResponseIns",
                "dataCaptureConfig.captureContentTypeHeader.csvContentTypes",
                "dataCaptureConfig.captureContentTypeHeader.jsonContentTypes",
            }
        ),
        unsupported={"namePrefix": "give the configuration a name, or none for an automatic one"},
    ),
)
