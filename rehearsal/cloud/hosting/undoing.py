"""How a deployment that failed is undone, per kind: pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from rehearsal.cloud.hosting.rollout import (
    Side,
    Step,
    Terminate,
    plan_rollback,
    plan_rolling_rollback,
    plan_scale,
    policy_from_deployment_config,
)
from rehearsal.cloud.hosting.state import Deployment, Endpoint, Fleet, Kind, Status

# Status while a deployment of a kind is being undone.
UNDOING_STATUS = {
    Kind.CREATE: Status.CREATING,
    Kind.UPDATE: Status.UPDATING,
    Kind.SCALE: Status.ROLLING_BACK,
}


def with_desired(fleet: Fleet, previous: Fleet) -> Fleet:
    """Return a fleet with the counts, weights and sizes that were wanted before."""
    variants = tuple(
        replace(
            variant,
            desired_count=previous.variant(variant.name).desired_count,
            desired_weight=previous.variant(variant.name).desired_weight,
            desired_serverless=previous.variant(variant.name).desired_serverless,
        )
        for variant in fleet.variants
    )
    return replace(fleet, variants=variants)


def _undo_create(endpoint: Endpoint, deployment: Deployment) -> tuple[Step, ...]:
    green = endpoint.pending.desired_counts if endpoint.pending is not None else {}
    return (Terminate(side=Side.GREEN, counts=dict.fromkeys(green, 0)),)


def _undo_update(endpoint: Endpoint, deployment: Deployment) -> tuple[Step, ...]:
    blue = endpoint.live.desired_counts if endpoint.live is not None else {}
    green = endpoint.pending.desired_counts if endpoint.pending is not None else {}
    config = deployment.deployment_config if endpoint.has_guardrails else None
    batch = policy_from_deployment_config(config).rollback_batch_size
    if batch is not None and endpoint.live is not None and endpoint.pending is not None:
        return plan_rolling_rollback(
            batch,
            blue=blue,
            blue_now=endpoint.live.target_counts,
            green=green,
            green_now=endpoint.pending.target_counts,
        )
    return plan_rollback(blue, green=green)


def _undo_scale(endpoint: Endpoint, deployment: Deployment) -> tuple[Step, ...]:
    assert deployment.previous is not None
    before = deployment.previous.desired_counts
    return plan_scale(before, before)


UNDO: Mapping[Kind, Callable[[Endpoint, Deployment], tuple[Step, ...]]] = {
    Kind.CREATE: _undo_create,
    Kind.UPDATE: _undo_update,
    Kind.SCALE: _undo_scale,
}
UNDONE = {
    Kind.CREATE: Status.FAILED,
    Kind.UPDATE: Status.IN_SERVICE,
    Kind.SCALE: Status.IN_SERVICE,
}
UNDOING_FAILED = {
    Kind.CREATE: Status.FAILED,
    Kind.UPDATE: Status.UPDATE_ROLLBACK_FAILED,
    Kind.SCALE: Status.FAILED,
}
