"""Cross-field rules of deployments and of changes of capacity: pure checks that refuse.

Source: botocore sagemaker 2017-07-24, DeploymentConfig and DesiredWeightAndCapacity; SageMaker
Developer Guide, "Deployment guardrails" (exclusions). How the service words most of it is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.cloud.errors import validation_exception
from rehearsal.cloud.hosting.config_rules import check_serverless_sizes
from rehearsal.cloud.hosting.rollout import Policy
from rehearsal.cloud.hosting.state import Endpoint, Fleet, Variant
from rehearsal.cloud.hosting.variants import wanted_variant

MAXIMUM_PERCENT = 50
MINIMUM_LINEAR_PERCENT = 10
MINIMUM_ROLLING_PERCENT = 5


def check_deployment_config(config: Mapping[str, Any] | None) -> None:
    """Refuse a DeploymentConfig whose fields contradict each other."""
    if config is None:
        return
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


def check_rollout(policy: Policy, *, before: Fleet, after: Fleet) -> None:
    """Refuse a traffic shift the two fleets can't do."""
    if "serverless" in (before.kind, after.kind):
        if policy.mode != "ALL_AT_ONCE" or policy.alarm_names or policy.termination_wait_seconds:
            raise validation_exception(
                "Deployment guardrails are not supported for serverless endpoints; leave "
                "DeploymentConfig out."
            )
        return
    if policy.mode == "ALL_AT_ONCE":
        return
    old, new = before.production_counts, after.production_counts
    if set(old) != set(new):
        raise validation_exception(
            f"Deployments of type {policy.mode} need the same variant names in both endpoint "
            f"configurations, given {sorted(old)} and {sorted(new)}."
        )
    if policy.mode == "ROLLING":
        if len(after.variants) != 1 or len(before.variants) != 1:
            raise validation_exception("RollingUpdatePolicy supports one production variant only.")
        _check_sizes("MaximumBatchSize", policy.batch_size, new, MINIMUM_ROLLING_PERCENT)
        return
    name = "CanarySize" if policy.mode == "CANARY" else "LinearStepSize"
    least = MINIMUM_LINEAR_PERCENT if policy.mode == "LINEAR" else 1
    _check_sizes(name, policy.first_size, new, least)


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


def check_scale(endpoint: Endpoint, fleet: Fleet, entries: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a change of weights and capacities that its variants can't take."""
    _check_names(endpoint, fleet, [entry["VariantName"] for entry in entries])
    for entry in entries:
        variant = fleet.variant(entry["VariantName"])
        if variant.desired_serverless is None:
            _check_instances(fleet, variant, entry)
        else:
            _check_serverless(variant, entry)


def _check_names(endpoint: Endpoint, fleet: Fleet, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise validation_exception(
                f'The variant name "{name}" was non-unique within the request.'
            )
    unknown = [name for name in names if name not in fleet.desired_counts]
    if unknown:
        raise validation_exception(
            f'The variant name(s) "{", ".join(unknown)}" is/are not present within endpoint '
            f'configuration "{endpoint.config_name}".'
        )


def _check_instances(fleet: Fleet, variant: Variant, entry: Mapping[str, Any]) -> None:
    if "ServerlessUpdateConfig" in entry:
        raise validation_exception(
            f"ServerlessUpdateConfig is not supported for variant {variant.name}, which runs on "
            "instances."
        )
    # Only asynchronous endpoints (and inference components, not hosted here) scale to zero.
    if entry.get("DesiredInstanceCount") == 0 and fleet.kind != "async":
        raise validation_exception(
            f"DesiredInstanceCount 0 of variant {variant.name} is only supported for asynchronous "
            "endpoints; give at least 1."
        )


def _check_serverless(variant: Variant, entry: Mapping[str, Any]) -> None:
    if "DesiredInstanceCount" in entry:
        raise validation_exception(
            f"DesiredInstanceCount is not supported for variant {variant.name}, which is "
            "serverless."
        )
    wanted = wanted_variant(variant, entry).desired_serverless
    assert wanted is not None
    check_serverless_sizes(variant.name, wanted)
