"""Cross-field rules of endpoint configs that botocore's shapes don't state: pure checks.

Source: SageMaker Developer Guide, "Serverless inference" (feature exclusions), "Shadow tests"
(exclusions), "Asynchronous inference"; botocore sagemaker 2017-07-24; provider PR 45926 for
ManagedInstanceScaling. The guide says what is refused; how the service words it is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.cloud.errors import validation_exception
from rehearsal.cloud.fleets.definition import definitions_of
from rehearsal.cloud.hosting import messages
from rehearsal.cloud.hosting.catalog import Entry
from rehearsal.cloud.hosting.variants import all_variants, is_multi_model

MEMORY_STEP_MB = 1024
# Of an endpoint's metrics and of those scraped from a container; in words only in the API's model.
PUBLISH_FREQUENCIES_SECONDS = (10, 30, 60, 120, 180, 240, 300)
# Declared in an endpoint config and echoed by Describe, but refused when an endpoint is to run it.
UNREHEARSED_CONFIG = {
    "ExplainerConfig": "explanations",
    "CrossRegionTrafficConfig": "cross-region traffic",
}
UNREHEARSED_VARIANT = {
    "InstancePools": "instance pools",
    "ManagedInstanceScaling": "managed instance scaling",
    "AcceleratorType": "Elastic Inference, which AWS has retired",
    "CapacityReservationConfig": "capacity reservations",
    "AcceleratorPartitionLayouts": "partitioned accelerators",
}
REHEARSED_ROUTING = ("RANDOM", "LEAST_OUTSTANDING_REQUESTS", "PREFIX_AWARE")
PREFIX_ROUTING = "PREFIX_AWARE"
# Instance families shadow tests exclude.
UNSHADOWED_FAMILIES = ("ml.inf1.",)
SERVERLESS_EXCLUDES_VARIANT = (
    "InstanceType",
    "InitialInstanceCount",
    "InstancePools",
    "AcceleratorType",
    "VolumeSizeInGB",
    "RoutingConfig",
)
SERVERLESS_EXCLUDES_CONFIG = (
    "DataCaptureConfig",
    "AsyncInferenceConfig",
    "ShadowProductionVariants",
    "ExplainerConfig",
    "CrossRegionTrafficConfig",
)


def check_config(members: Mapping[str, Any], models: Mapping[str, Entry]) -> None:
    """Refuse variants that contradict themselves, each other or the models they name."""
    variants = all_variants(members)
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) != len(names):
        raise validation_exception(
            f"Variant names must be unique within an endpoint configuration, given {names}."
        )
    for variant in variants:
        _check_variant(variant)
        if "ModelName" not in variant and "ExecutionRoleArn" not in members:
            raise validation_exception(
                f"Variant {variant['VariantName']} has no ModelName, so ExecutionRoleArn must be "
                "specified for the inference components of the endpoint."
            )
    check_frequency(members.get("MetricsConfig", {}), "metricsConfig")
    if any("ServerlessConfig" in variant for variant in variants):
        _check_serverless(members, models)
    if members.get("ShadowProductionVariants"):
        _check_shadows(members, models)
    if members.get("CrossRegionTrafficConfig") and members.get("AsyncInferenceConfig"):
        raise validation_exception(
            "CrossRegionTrafficConfig is not supported with AsyncInferenceConfig."
        )


def check_frequency(members: Mapping[str, Any], path: str) -> None:
    """Refuse metrics that are to be published in any other interval than SageMaker's seven."""
    given = members.get("MetricPublishFrequencyInSeconds")
    if given is not None and given not in PUBLISH_FREQUENCIES_SECONDS:
        allowed = ", ".join(str(each) for each in PUBLISH_FREQUENCIES_SECONDS)
        raise validation_exception(
            f"1 validation error detected: Value '{given}' at "
            f"'{path}.metricPublishFrequencyInSeconds' failed to satisfy constraint: Member must "
            f"satisfy enum value set: [{allowed}]"
        )


def _check_variant(variant: Mapping[str, Any]) -> None:
    name = variant["VariantName"]
    if "ManagedInstanceScaling" in variant and "ModelName" in variant:
        raise validation_exception(messages.MANAGED_SCALING_REFUSED)
    _check_routing(variant)
    serverless = variant.get("ServerlessConfig")
    if serverless is not None:
        for member in SERVERLESS_EXCLUDES_VARIANT:
            if member in variant:
                raise validation_exception(
                    f"Variant {name} has ServerlessConfig, so {member} must not be specified."
                )
        check_serverless_sizes(name, serverless)
        return
    if "InstancePools" in variant and "InstanceType" in variant:
        raise validation_exception(
            f"Variant {name} must specify only one of InstanceType and InstancePools."
        )
    if "InstancePools" not in variant and (
        "InstanceType" not in variant or "InitialInstanceCount" not in variant
    ):
        raise validation_exception(
            f"Variant {name} must specify InstanceType and InitialInstanceCount, or "
            "ServerlessConfig."
        )


def check_serverless_sizes(name: str, serverless: Mapping[str, int]) -> None:
    """Refuse memory between two steps and more provisioned concurrency than the maximum."""
    memory = serverless["MemorySizeInMB"]
    if memory % MEMORY_STEP_MB:
        raise validation_exception(
            f"MemorySizeInMB {memory} of variant {name} must be a multiple of {MEMORY_STEP_MB}."
        )
    provisioned = serverless.get("ProvisionedConcurrency", 0)
    if provisioned > serverless["MaxConcurrency"]:
        raise validation_exception(
            f"ProvisionedConcurrency {provisioned} of variant {name} must be less than or equal to "
            f"MaxConcurrency {serverless['MaxConcurrency']}."
        )


def _check_routing(variant: Mapping[str, Any]) -> None:
    routing = variant.get("RoutingConfig")
    if routing is None:
        return
    strategy = routing["RoutingStrategy"]
    if (strategy == PREFIX_ROUTING) != ("PrefixAwareRoutingConfig" in routing):
        raise validation_exception(
            "PrefixAwareRoutingConfig must be specified for RoutingStrategy "
            f"{PREFIX_ROUTING} and for no other, given {strategy}."
        )


def _check_serverless(members: Mapping[str, Any], models: Mapping[str, Entry]) -> None:
    if len(members["ProductionVariants"]) > 1:
        raise validation_exception(
            "An endpoint configuration with ServerlessConfig must have one production variant, "
            f"given {len(members['ProductionVariants'])}."
        )
    for member in SERVERLESS_EXCLUDES_CONFIG:
        if members.get(member):
            raise validation_exception(f"{member} is not supported with ServerlessConfig.")
    for variant in members["ProductionVariants"]:
        model = models.get(variant.get("ModelName", ""))
        for words in _unserved(model.members if model is not None else {}):
            raise validation_exception(
                f"{words} is not supported with ServerlessConfig, but model "
                f"{variant['ModelName']} has it."
            )


def _unserved(model: Mapping[str, Any]) -> list[str]:
    """Return what of a model serverless inference excludes."""
    containers = definitions_of(model)
    found = [member for member in ("VpcConfig", "EnableNetworkIsolation") if model.get(member)]
    if len(containers) > 1:
        found.append("An inference pipeline")
    if is_multi_model(model):
        found.append("Mode MultiModel")
    if any("ModelDataSource" in container for container in containers):
        found.append("ModelDataSource")
    if any("RepositoryAuthConfig" in container.get("ImageConfig", {}) for container in containers):
        found.append("A private docker registry")
    return found


def _check_shadows(members: Mapping[str, Any], models: Mapping[str, Entry]) -> None:
    shadows = members["ShadowProductionVariants"]
    if len(members["ProductionVariants"]) != 1 or len(shadows) != 1:
        raise validation_exception(
            "Shadow variants need exactly one production variant and one shadow variant, given "
            f"{len(members['ProductionVariants'])} and {len(shadows)}."
        )
    if members.get("AsyncInferenceConfig"):
        raise validation_exception(
            "ShadowProductionVariants is not supported with AsyncInferenceConfig."
        )
    for variant in all_variants(members):
        model = models.get(variant.get("ModelName", ""))
        for words in _unshadowed(variant, model.members if model is not None else {}):
            raise validation_exception(
                f"{words} is not supported with ShadowProductionVariants, but variant "
                f"{variant['VariantName']} has it."
            )


def _unshadowed(variant: Mapping[str, Any], model: Mapping[str, Any]) -> list[str]:
    """Return what of a variant shadow tests exclude."""
    found = [member for member in ("ServerlessConfig", "AcceleratorType") if member in variant]
    instance_type = variant.get("InstanceType", "")
    if instance_type.startswith(UNSHADOWED_FAMILIES):
        found.append(f"InstanceType {instance_type}")
    if len(definitions_of(model)) > 1:
        found.append("A model of several containers")
    if is_multi_model(model):
        found.append("Mode MultiModel")
    return found


def check_rehearsed(config: Mapping[str, Any]) -> None:
    """Refuse to run what this rehearsal would only pretend to do."""
    for member, words in UNREHEARSED_CONFIG.items():
        if config.get(member):
            raise messages.not_rehearsed(words, f"leave {member} out of the endpoint config")
    for variant in all_variants(config):
        for member, words in UNREHEARSED_VARIANT.items():
            if member in variant:
                raise messages.not_rehearsed(words, f"leave {member} out of the variant")
        strategy = variant.get("RoutingConfig", {}).get("RoutingStrategy", REHEARSED_ROUTING[0])
        if strategy not in REHEARSED_ROUTING:
            raise messages.not_rehearsed(
                f"RoutingStrategy {strategy}",
                f"use {' or '.join(REHEARSED_ROUTING)} or leave RoutingConfig out",
            )
        if "ModelName" not in variant:
            raise messages.not_rehearsed("inference components", "give the variant a ModelName")
