"""How a swap moves traffic: settings to `DeploymentConfig`, and how long a swap may take.

Pure: bounds are AWS's own and are checked here, before anything is created. Nothing here talks to
    AWS.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# Source: botocore 1.44.5, BlueGreenUpdatePolicy, RollingUpdatePolicy, TrafficRoutingConfig.
MAXIMUM_WAIT_SECONDS = 3600
MINIMUM_EXECUTION_TIMEOUT_SECONDS = 600
MAXIMUM_EXECUTION_TIMEOUT_SECONDS = 28800
# The Pulumi AWS provider's own schema stops earlier; it only matters to `swap: plain`.
# Source: hashicorp/terraform-provider-aws, internal/service/sagemaker/endpoint.go.
MAXIMUM_PLAIN_EXECUTION_TIMEOUT_SECONDS = 14400

_LARGEST_SHARE_PERCENT = 50
_SMALLEST_LINEAR_PERCENT = 10
_SMALLEST_BATCH_PERCENT = 5

# Assumed: AWS publishes no bound on provisioning. A container may take up to 3600 s to download its
# model and 3600 s to pass its health check only when those timeouts are raised; ours keep AWS's
# defaults, and field reports of real launches stay under half an hour.
_LAUNCH_ALLOWANCE_SECONDS = 1800
_ROLLBACK_ALLOWANCE_SECONDS = 1800


class RolloutMode(StrEnum):
    """SageMaker's ways to move traffic; `ROLLING` replaces instances in batches instead of a "
    "second fleet."""

    ALL_AT_ONCE = "ALL_AT_ONCE"
    CANARY = "CANARY"
    LINEAR = "LINEAR"
    ROLLING = "ROLLING"


class CapacityUnit(StrEnum):
    """What a capacity size counts."""

    INSTANCE_COUNT = "INSTANCE_COUNT"
    CAPACITY_PERCENT = "CAPACITY_PERCENT"


@dataclass(frozen=True, kw_only=True)
class CapacitySize:
    """A part of a variant: so many instances, or so many percent of them."""

    unit: CapacityUnit
    value: int

    def share_percent(self, instance_count: int) -> float:
        """The part in percent of a fleet of that many instances."""
        if self.unit is CapacityUnit.CAPACITY_PERCENT:
            return float(self.value)
        return 100.0 * self.value / instance_count


@dataclass(frozen=True, kw_only=True)
class DeploymentSettings:
    """How one swap proceeds.

    Args:
        mode: the way traffic moves.
        canary_size: the first portion; only with `CANARY`.
        linear_step_size: each portion; only with `LINEAR`.
        maximum_batch_size: instances replaced together; only with `ROLLING`.
        bake_seconds: watching before the next portion; not with `ALL_AT_ONCE`.
        termination_wait_seconds: watching before the blue fleet goes; not with `ROLLING`.
        maximum_execution_timeout_seconds: SageMaker rolls back after this; left out, SageMaker's
            own limit.
    """

    mode: RolloutMode = RolloutMode.ALL_AT_ONCE
    canary_size: CapacitySize | None = None
    linear_step_size: CapacitySize | None = None
    maximum_batch_size: CapacitySize | None = None
    bake_seconds: int = 0
    termination_wait_seconds: int = 0
    maximum_execution_timeout_seconds: int | None = None


# Each mode's portion: setting, attribute, the least share SageMaker takes of a variant, in percent.
_PORTION = {
    RolloutMode.CANARY: ("canarySize", "canary_size", 0),
    RolloutMode.LINEAR: ("linearStepSize", "linear_step_size", _SMALLEST_LINEAR_PERCENT),
    RolloutMode.ROLLING: ("maximumBatchSize", "maximum_batch_size", _SMALLEST_BATCH_PERCENT),
}


def deployment_problems(
    deployment: DeploymentSettings, smallest_instance_count: int, *, is_plain: bool = False
) -> list[str]:
    """What SageMaker would refuse about a rollout, as sentences that start with the setting's name.

    Args:
        smallest_instance_count: the fewest instances the swap may meet.
        is_plain: whether Pulumi's own endpoint resource does the update.
    Source: SageMaker API, BlueGreenUpdatePolicy and RollingUpdatePolicy (botocore 1.44.5);
        Developer Guide, "Canary traffic shifting", "Linear traffic shifting", "Rolling
        deployments".
    """
    problems = _portion_problems(deployment, smallest_instance_count)
    if deployment.mode is RolloutMode.ALL_AT_ONCE and deployment.bake_seconds > 0:
        problems.append(
            f"bakeSeconds {deployment.bake_seconds} has no effect with mode ALL_AT_ONCE, which "
            "only watches during terminationWaitSeconds; set that instead"
        )
    if deployment.mode is RolloutMode.ROLLING and deployment.termination_wait_seconds > 0:
        problems.append(
            f"terminationWaitSeconds {deployment.termination_wait_seconds} does not exist with "
            "mode ROLLING, which removes each batch after bakeSeconds; leave it out"
        )
    return problems + _timeout_problems(deployment, smallest_instance_count, is_plain=is_plain)


def _portion_problems(deployment: DeploymentSettings, smallest_instance_count: int) -> list[str]:
    problems = []
    for mode, (setting, attribute, least) in _PORTION.items():
        size: CapacitySize | None = getattr(deployment, attribute)
        if mode is not deployment.mode:
            if size is not None:
                problems.append(
                    f"{setting} only goes with mode {mode}, and mode is {deployment.mode}; "
                    "leave it out or change the mode"
                )
            continue
        if size is None:
            problems.append(
                f"{setting} is missing; mode {mode} needs one, such as "
                "{type: INSTANCE_COUNT, value: 1}"
            )
            continue
        if smallest_instance_count < 2:
            problems.append(
                f"mode {mode} needs at least 2 instances, and the variant may have "
                f"{smallest_instance_count}; raise initialInstanceCount (and minCapacity), "
                "or take mode ALL_AT_ONCE"
            )
            continue
        share = size.share_percent(smallest_instance_count)
        if not least <= share <= _LARGEST_SHARE_PERCENT:
            allowed = f"{least} to 50 percent" if least > 0 else "at most half"
            problems.append(
                f"{setting} {size.value} {size.unit} is {share:g} percent of "
                f"{smallest_instance_count} instances; SageMaker allows {allowed} of the variant"
            )
    return problems


def _timeout_problems(
    deployment: DeploymentSettings, instance_count: int, *, is_plain: bool
) -> list[str]:
    timeout = deployment.maximum_execution_timeout_seconds
    if timeout is None:
        return []
    problems = []
    if is_plain and timeout > MAXIMUM_PLAIN_EXECUTION_TIMEOUT_SECONDS:
        problems.append(
            f"maximumExecutionTimeoutSeconds {timeout} is above "
            f"{MAXIMUM_PLAIN_EXECUTION_TIMEOUT_SECONDS}, the most that swap plain can pass on"
        )
    waits = waiting_seconds(deployment, instance_count)
    if timeout <= waits:
        problems.append(
            f"maximumExecutionTimeoutSeconds {timeout} is not above the {waits} seconds that the "
            "rollout only waits, so it could never finish; raise it or wait less"
        )
    return problems


def shift_step_count(deployment: DeploymentSettings, instance_count: int) -> int:
    """In how many portions the traffic moves."""
    if deployment.mode is RolloutMode.ALL_AT_ONCE:
        return 1
    if deployment.mode is RolloutMode.CANARY:
        return 2
    size: CapacitySize | None = getattr(deployment, _PORTION[deployment.mode][1])
    if size is None:
        return 1
    share = min(100.0, max(1.0, size.share_percent(max(1, instance_count))))
    return math.ceil(100 / share)


def waiting_seconds(deployment: DeploymentSettings, instance_count: int) -> int:
    """How long the rollout waits by its own policy, without launching anything, in seconds."""
    steps = shift_step_count(deployment, instance_count)
    bakes = steps if deployment.mode is RolloutMode.ROLLING else steps - 1
    return bakes * deployment.bake_seconds + deployment.termination_wait_seconds


def swap_deadline_seconds(deployment: DeploymentSettings, instance_count: int) -> int:
    """How long to watch a swap before calling it inconclusive, in seconds.

    SageMaker's own timeout, when set, bounds the move; undoing it takes a while longer. Left out,
    the policy's waits and a launch per batch (per fleet unless rolling) bound it.
    """
    if deployment.maximum_execution_timeout_seconds is not None:
        return deployment.maximum_execution_timeout_seconds + _ROLLBACK_ALLOWANCE_SECONDS
    launches = (
        shift_step_count(deployment, instance_count)
        if deployment.mode is RolloutMode.ROLLING
        else 1
    )
    return (
        waiting_seconds(deployment, instance_count)
        + launches * _LAUNCH_ALLOWANCE_SECONDS
        + _ROLLBACK_ALLOWANCE_SECONDS
    )


def deployment_config(
    deployment: DeploymentSettings, rollback_alarm_names: Sequence[str]
) -> dict[str, Any]:
    """The rollout as `UpdateEndpoint` takes it.

    Args:
        rollback_alarm_names: alarms that undo the update when they fire; none means that only
            health checks do.
    """
    config: dict[str, Any] = (
        {"RollingUpdatePolicy": _rolling_policy(deployment)}
        if deployment.mode is RolloutMode.ROLLING
        else {"BlueGreenUpdatePolicy": _blue_green_policy(deployment)}
    )
    if rollback_alarm_names:
        config["AutoRollbackConfiguration"] = {
            "Alarms": [{"AlarmName": name} for name in rollback_alarm_names]
        }
    return config


def _blue_green_policy(deployment: DeploymentSettings) -> dict[str, Any]:
    # The API requires WaitIntervalInSeconds even where it means nothing (ALL_AT_ONCE).
    routing: dict[str, Any] = {
        "Type": deployment.mode.value,
        "WaitIntervalInSeconds": deployment.bake_seconds,
    }
    if deployment.canary_size is not None:
        routing["CanarySize"] = _capacity_size(deployment.canary_size)
    if deployment.linear_step_size is not None:
        routing["LinearStepSize"] = _capacity_size(deployment.linear_step_size)
    policy: dict[str, Any] = {
        "TrafficRoutingConfiguration": routing,
        "TerminationWaitInSeconds": deployment.termination_wait_seconds,
    }
    return _with_timeout(policy, deployment)


def _rolling_policy(deployment: DeploymentSettings) -> dict[str, Any]:
    policy: dict[str, Any] = {"WaitIntervalInSeconds": deployment.bake_seconds}
    if deployment.maximum_batch_size is not None:
        policy["MaximumBatchSize"] = _capacity_size(deployment.maximum_batch_size)
    return _with_timeout(policy, deployment)


def _with_timeout(policy: dict[str, Any], deployment: DeploymentSettings) -> dict[str, Any]:
    timeout = deployment.maximum_execution_timeout_seconds
    if timeout is None:
        return policy
    return {**policy, "MaximumExecutionTimeoutInSeconds": timeout}


def _capacity_size(size: CapacitySize) -> dict[str, Any]:
    return {"Type": size.unit.value, "Value": size.value}
