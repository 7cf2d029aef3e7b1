"""Cross-field rules botocore's shapes don't state: pure checks that raise the server's refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rehearsal.cloud.errors import validation_exception
from rehearsal.cloud.hosting import messages
from rehearsal.cloud.hosting.rollout import Counts, Policy

MAXIMUM_PERCENT = 50
MINIMUM_LINEAR_PERCENT = 10
MINIMUM_ROLLING_PERCENT = 5
MAXIMUM_ENVIRONMENT_BYTES = 32 * 1024
# Declared in an endpoint config and echoed by Describe, but refused when an endpoint is to run it.
UNREHEARSED_CONFIG = {
    "AsyncInferenceConfig": "asynchronous inference",
    "ShadowProductionVariants": "shadow variants",
    "DataCaptureConfig": "data capture",
    "ExplainerConfig": "explanations",
    "CrossRegionTrafficConfig": "cross-region traffic",
}
UNREHEARSED_VARIANT = {
    "ServerlessConfig": "serverless variants",
    "InstancePools": "instance pools",
    "ManagedInstanceScaling": "managed instance scaling",
}

# What every variant is routed by here.
REHEARSED_ROUTING = "LEAST_OUTSTANDING_REQUESTS"


def check_model(members: Mapping[str, Any]) -> None:
    """Refuse a model with both or neither container form, or too much environment."""
    has_primary = "PrimaryContainer" in members
    containers = members.get("Containers", [])
    if has_primary == bool(containers):
        raise validation_exception(
            "Exactly one of PrimaryContainer and Containers must be specified."
        )
    every = [members["PrimaryContainer"]] if has_primary else containers
    total = sum(
        len(key) + len(value)
        for container in every
        for key, value in container.get("Environment", {}).items()
    )
    if total > MAXIMUM_ENVIRONMENT_BYTES:
        raise validation_exception(
            f"Environment of {total} bytes is above the limit of {MAXIMUM_ENVIRONMENT_BYTES} bytes."
        )


def check_config(members: Mapping[str, Any]) -> None:
    """Refuse variants that share a name or say neither or both of instances and serverless."""
    variants = members["ProductionVariants"]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) != len(names):
        raise validation_exception(
            f"Variant names must be unique within an endpoint configuration, given {names}."
        )
    for variant in variants:
        _check_variant(variant)
    if members.get("ShadowProductionVariants") and (
        len(variants) != 1 or len(members["ShadowProductionVariants"]) != 1
    ):
        raise validation_exception(
            "Shadow variants need exactly one production variant and one shadow variant."
        )


def _check_variant(variant: Mapping[str, Any]) -> None:
    name = variant["VariantName"]
    if "ManagedInstanceScaling" in variant and "ModelName" in variant:
        raise validation_exception(
            "ManagedInstanceScaling is only supported for inference component endpoints."
        )
    serverless = variant.get("ServerlessConfig")
    if serverless is not None:
        if "InstanceType" in variant or "InitialInstanceCount" in variant:
            raise validation_exception(
                f"Variant {name} has ServerlessConfig, so InstanceType and InitialInstanceCount "
                "must not be specified."
            )
        return
    if "InstancePools" not in variant and (
        "InstanceType" not in variant or "InitialInstanceCount" not in variant
    ):
        raise validation_exception(
            f"Variant {name} must specify InstanceType and InitialInstanceCount, or "
            "ServerlessConfig."
        )


def check_rehearsed(config: Mapping[str, Any]) -> None:
    """Refuse to run what this rehearsal would only pretend to do."""
    for member, words in UNREHEARSED_CONFIG.items():
        if config.get(member):
            raise messages.not_rehearsed(words, f"leave {member} out of the endpoint config")
    for variant in config["ProductionVariants"]:
        for member, words in UNREHEARSED_VARIANT.items():
            if member in variant:
                raise messages.not_rehearsed(words, f"leave {member} out of the variant")
        strategy = variant.get("RoutingConfig", {}).get("RoutingStrategy", REHEARSED_ROUTING)
        if strategy != REHEARSED_ROUTING:
            raise messages.not_rehearsed(
                f"RoutingStrategy {strategy}", f"use {REHEARSED_ROUTING} or leave RoutingConfig out"
            )
        if "ModelName" not in variant:
            raise messages.not_rehearsed("inference components", "give the variant a ModelName")


def check_container(container: Mapping[str, Any]) -> None:
    """Refuse to run a container form this rehearsal would only pretend to run."""
    if container.get("Mode") == "MultiModel":
        raise messages.not_rehearsed("multi-model containers", "use Mode SingleModel")
    if "ModelPackageName" in container:
        raise messages.not_rehearsed("model packages", "give Image and ModelDataUrl")
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    if source and source.get("CompressionType") != "Gzip":
        raise messages.not_rehearsed("uncompressed model data", "use CompressionType Gzip")


def check_deployment_config(config: Mapping[str, Any] | None) -> None:
    """Refuse a DeploymentConfig whose fields contradict each other."""
    if config is None:
        return
    if "RollbackMaximumBatchSize" in config.get("RollingUpdatePolicy", {}):
        raise messages.not_rehearsed(
            "a rolling rollback by batches",
            "leave RollbackMaximumBatchSize out: the whole old fleet comes back at once",
        )
    blue_green = config.get("BlueGreenUpdatePolicy")
    if blue_green is not None and "RollingUpdatePolicy" in config:
        raise validation_exception(
            "Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy may be specified."
        )
    if blue_green is None:
        return
    routing = blue_green["TrafficRoutingConfiguration"]
    wanted = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}.get(routing["Type"])
    if wanted is not None and wanted not in routing:
        raise validation_exception(
            f"TrafficRoutingConfiguration of Type {routing['Type']} must specify {wanted}."
        )
    for member in ("CanarySize", "LinearStepSize"):
        if member in routing and member != wanted:
            raise validation_exception(
                f"TrafficRoutingConfiguration of Type {routing['Type']} must not specify {member}."
            )
    limit = blue_green.get("MaximumExecutionTimeoutInSeconds")
    waits = routing["WaitIntervalInSeconds"] + blue_green.get("TerminationWaitInSeconds", 0)
    if limit is not None and waits >= limit:
        raise validation_exception(
            f"MaximumExecutionTimeoutInSeconds {limit} must be above the waits of {waits} seconds."
        )


def check_rollout(policy: Policy, *, before: Counts, after: Counts) -> None:
    """Refuse a traffic shift the two fleets can't do."""
    if policy.mode == "ALL_AT_ONCE":
        return
    if set(before) != set(after):
        raise validation_exception(
            f"Deployments of type {policy.mode} need the same variant names in both endpoint "
            f"configurations, given {sorted(before)} and {sorted(after)}."
        )
    if policy.mode == "ROLLING":
        if len(after) != 1:
            raise validation_exception("RollingUpdatePolicy supports one production variant only.")
        _check_sizes("MaximumBatchSize", policy.batch_size, after, MINIMUM_ROLLING_PERCENT)
        return
    name = "CanarySize" if policy.mode == "CANARY" else "LinearStepSize"
    least = MINIMUM_LINEAR_PERCENT if policy.mode == "LINEAR" else 1
    _check_sizes(name, policy.first_size, after, least)


def _check_sizes(
    name: str, size: Mapping[str, Any] | None, counts: Mapping[str, int], least: int
) -> None:
    if size is None:
        return
    value = size["Value"]
    for variant, count in counts.items():
        percent = value if size["Type"] == "CAPACITY_PERCENT" else 100 * value / max(count, 1)
        shown = f"{value} {'percent' if size['Type'] == 'CAPACITY_PERCENT' else 'instance(s)'}"
        if percent > MAXIMUM_PERCENT or percent < least or count < 2:
            raise validation_exception(
                f"{name} of {shown} is not between {least} and {MAXIMUM_PERCENT} percent of the "
                f"{count} instance(s) of variant {variant}."
            )


def unique_names(entries: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a variant named twice in one UpdateEndpointWeightsAndCapacities."""
    seen: set[str] = set()
    for entry in entries:
        name = entry["VariantName"]
        if name in seen:
            raise validation_exception(
                f'The variant name "{name}" was non-unique within the request.'
            )
        seen.add(name)
