"""What DescribeEndpoint says of a state: pure.

Source: botocore sagemaker 2017-07-24 DescribeEndpointOutput; SageMaker Developer Guide,
"Automating SageMaker with EventBridge" for the VariantStatus texts and for what is shown of the
two fleets while an update runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rehearsal.cloud.hosting.rollout import Bake, Launch, Shift, Side, Terminate
from rehearsal.cloud.hosting.state import (
    Deployment,
    Endpoint,
    Fleet,
    FleetView,
    Kind,
    Observation,
    Variant,
)

MAXIMUM_FAILURE_REASON = 1_024
ECHOED = ("RoutingConfig",)
ECHOED_OF_PENDING = ("InstanceType",)
ECHOED_OF_CONFIG = ("AsyncInferenceConfig", "MetricsConfig")
SHOWS_PENDING = frozenset({Kind.CREATE, Kind.UPDATE})


def describe(
    endpoint: Endpoint, seen: Observation, images: Mapping[tuple[str, str], list[dict[str, Any]]]
) -> dict[str, Any]:
    """Return the members of DescribeEndpointOutput.

    Args:
        endpoint: the state
        seen: the real instances, for the current counts
        images: DeployedImages by (fleet id, variant name)
    """
    answer: dict[str, Any] = {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config_name,
        "EndpointStatus": endpoint.status.value,
        "CreationTime": endpoint.creation_time,
        "LastModifiedTime": endpoint.last_modified_time,
    }
    if endpoint.live is not None:
        answer.update(_variants(endpoint, endpoint.live, Side.BLUE, seen, images))
        answer.update(_from_config(endpoint.live.config))
    if endpoint.failure_reason:
        answer["FailureReason"] = endpoint.failure_reason[:MAXIMUM_FAILURE_REASON]
    if endpoint.last_deployment_config is not None:
        answer["LastDeploymentConfig"] = endpoint.last_deployment_config
    deployment, pending = endpoint.deployment, endpoint.pending
    if deployment is not None and pending is not None and deployment.kind in SHOWS_PENDING:
        answer["PendingDeploymentSummary"] = {
            "EndpointConfigName": pending.config_name,
            **_variants(endpoint, pending, Side.GREEN, seen, images),
            "StartTime": deployment.started_at,
        }
    return answer


def _from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Describe says of the config in force beside its variants."""
    shown = {member: config[member] for member in ECHOED_OF_CONFIG if config.get(member)}
    capture = config.get("DataCaptureConfig")
    if capture:
        enabled = capture.get("EnableCapture", True)
        shown["DataCaptureConfig"] = {
            "EnableCapture": enabled,
            "CaptureStatus": "Started" if enabled else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            # Required in the answer, so an unset key is empty (assumed).
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    return shown


def _variants(
    endpoint: Endpoint,
    fleet: Fleet,
    side: Side,
    seen: Observation,
    images: Mapping[tuple[str, str], list[dict[str, Any]]],
) -> dict[str, list[dict[str, Any]]]:
    """Return the lists of a fleet's variants by the member that shows them."""

    def summaries(variants: Iterable[Variant]) -> list[dict[str, Any]]:
        return [
            _summary(endpoint, variant, side, view, images.get((fleet.fleet_id, variant.name)))
            for variant in variants
        ]

    view = seen.view(fleet)
    shown = {"ProductionVariants": summaries(fleet.production)}
    if fleet.shadows:
        shown["ShadowProductionVariants"] = summaries(fleet.shadows)
    return shown


def _summary(
    endpoint: Endpoint,
    variant: Variant,
    side: Side,
    view: FleetView,
    images: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "VariantName": variant.name,
        "CurrentWeight": variant.current_weight,
        "DesiredWeight": variant.desired_weight,
    }
    if variant.desired_serverless is None:
        entry["CurrentInstanceCount"] = view.healthy.get(variant.name, 0)
        entry["DesiredInstanceCount"] = variant.desired_count
    else:
        entry["CurrentServerlessConfig"] = variant.current_serverless
        entry["DesiredServerlessConfig"] = variant.desired_serverless
    if images is not None:
        entry["DeployedImages"] = images
    echoed = (*ECHOED, *(ECHOED_OF_PENDING if side is Side.GREEN else ()))
    entry.update({m: variant.definition[m] for m in echoed if m in variant.definition})
    status = _variant_status(endpoint, variant, side, view)
    if status is not None:
        entry["VariantStatus"] = [status]
    return entry


def _variant_status(
    endpoint: Endpoint, variant: Variant, side: Side, view: FleetView
) -> dict[str, Any] | None:
    deployment = endpoint.deployment
    step = deployment.step if deployment is not None else None
    if deployment is None or step is None:
        return None
    status = _status_and_message(deployment, step, variant, side, view)
    if status is None:
        return None
    return {
        "Status": status[0],
        "StatusMessage": status[1],
        "StartTime": deployment.step_started_at,
    }


def _status_and_message(
    deployment: Deployment, step: Any, variant: Variant, side: Side, view: FleetView
) -> tuple[str, str] | None:
    if isinstance(step, Launch) and step.side is side:
        missing = max(0, variant.target_count - view.healthy.get(variant.name, 0))
        word = "Creating" if side is Side.GREEN else "Updating"
        return (word, f"Launching {missing} instance(s).") if missing else None
    if isinstance(step, Terminate) and step.side is side:
        surplus = max(0, view.existing.get(variant.name, 0) - variant.target_count)
        return ("Deleting", f"Terminating {surplus} instance(s).") if surplus else None
    if isinstance(step, Shift) and side is Side.GREEN:
        active = step.green_active.get(variant.name, 0)
        where = "full" if step.full else "canary"
        return (
            "ActivatingTraffic",
            f"Activating traffic on {where} capacity of {active} instance(s).",
        )
    if isinstance(step, Bake) and side is Side.GREEN:
        shift = _latest_shift(deployment)
        active = shift.green_active.get(variant.name, 0) if shift is not None else 0
        where = "full" if step.full else "canary"
        return (
            "Baking",
            f"Baking for {step.seconds:g} seconds (TerminationWaitInSeconds) with traffic enabled "
            f"on {where} capacity of {active} instance(s).",
        )
    return None


def _latest_shift(deployment: Deployment) -> Shift | None:
    done = deployment.steps[: deployment.position]
    return next((step for step in reversed(done) if isinstance(step, Shift)), None)


def stage_name(deployment: Deployment | None) -> str | None:
    """Return the word for the step a deployment is at, as the record and the samples say it."""
    step = deployment.step if deployment is not None else None
    if deployment is None or step is None:
        return None
    if isinstance(step, Launch):
        word = "launching"
    elif isinstance(step, Terminate):
        word = "terminating"
    elif isinstance(step, Bake):
        word = "baking"
    elif isinstance(step, Shift):
        word = "shifting"
    else:
        word = "weighting"
    return f"rolling_back:{word}" if deployment.failure_reason is not None else word
