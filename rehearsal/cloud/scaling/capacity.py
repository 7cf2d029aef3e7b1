"""What a scalable dimension counts, and how SageMaker is told to change it.

Source: SageMaker Developer Guide, "endpoint-auto-scaling-prerequisites" and "serverless
autoscaling"; UpdateEndpointWeightsAndCapacities in botocore.
"""

from __future__ import annotations

from typing import Any

from rehearsal.cloud.hosting.state import Endpoint, Variant
from rehearsal.cloud.scaling.target import CONCURRENCY_DIMENSION, COUNT_DIMENSION, ScalableTarget

UNSCALABLE_FAMILY = "ml.t2."


def variant_of(endpoint: Endpoint | None, name: str) -> Variant | None:
    """Return a production variant of an endpoint, of its new fleet while it has no other."""
    for fleet in (endpoint.live, endpoint.pending) if endpoint is not None else ():
        for variant in fleet.production if fleet is not None else ():
            if variant.name == name:
                return variant
    return None


def current_capacity(endpoint: Endpoint | None, target: ScalableTarget) -> int | None:
    """Return the capacity wanted of a live variant now, None when it has none of that kind."""
    if endpoint is None or endpoint.live is None:
        return None
    for variant in endpoint.live.production:
        if variant.name == target.variant_name:
            return _capacity(variant, target.dimension)
    return None


def _capacity(variant: Variant, dimension: str) -> int | None:
    if dimension == COUNT_DIMENSION:
        return variant.desired_count if variant.desired_serverless is None else None
    return (variant.desired_serverless or {}).get("ProvisionedConcurrency")


def scale_entry(target: ScalableTarget, capacity: int) -> dict[str, Any]:
    """Return the DesiredWeightsAndCapacities entry that sets a capacity."""
    entry: dict[str, Any] = {"VariantName": target.variant_name}
    if target.dimension == CONCURRENCY_DIMENSION:
        return {**entry, "ServerlessUpdateConfig": {"ProvisionedConcurrency": capacity}}
    return {**entry, "DesiredInstanceCount": capacity}


def least_capacity(endpoint: Endpoint, dimension: str) -> int:
    """Return the least minimum of a target: nothing of an asynchronous endpoint, else one."""
    fleet = endpoint.live if endpoint.live is not None else endpoint.pending
    is_async = fleet is not None and fleet.kind == "async"
    return 0 if dimension == COUNT_DIMENSION and is_async else 1


def target_problem(endpoint: Endpoint, variant: Variant, dimension: str) -> str | None:
    """Return why a variant can't be a scalable target of a dimension, or None."""
    if dimension == CONCURRENCY_DIMENSION:
        if _capacity(variant, dimension) is None:
            return (
                f"Variant {variant.name} of endpoint {endpoint.name} has no provisioned "
                f"concurrency to scale with {dimension}."
            )
        return None
    if variant.desired_serverless is not None:
        return (
            f"Variant {variant.name} of endpoint {endpoint.name} is serverless; use "
            f"{CONCURRENCY_DIMENSION}."
        )
    kind = str(variant.definition.get("InstanceType", ""))
    if kind.startswith(UNSCALABLE_FAMILY):
        return f"Instance type {kind} does not support automatic scaling."
    return None
