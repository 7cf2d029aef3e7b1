"""The deployment engine: pure transitions of an endpoint, driven by what is observed.

`advance` moves an endpoint as far as the observation allows. It never touches the world: the
shell makes real fleets follow the target counts it finds in the returned state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rehearsal.cloud.hosting import messages
from rehearsal.cloud.hosting.rollout import (
    Bake,
    Counts,
    Launch,
    SetWeights,
    Shift,
    Side,
    Step,
    Terminate,
)
from rehearsal.cloud.hosting.state import (
    Deployment,
    Endpoint,
    Fleet,
    Kind,
    Observation,
    Status,
)
from rehearsal.cloud.hosting.undoing import (
    UNDO,
    UNDOING_FAILED,
    UNDOING_STATUS,
    UNDONE,
    with_desired,
)

# Status while a deployment of a kind runs.
RUNNING_STATUS = {
    Kind.CREATE: Status.CREATING,
    Kind.UPDATE: Status.UPDATING,
    Kind.SCALE: Status.UPDATING,
    Kind.DELETE: Status.DELETING,
    Kind.PATCH: Status.SYSTEM_UPDATING,
}


def begin(endpoint: Endpoint, deployment: Deployment, *, pending: Fleet | None) -> Endpoint:
    """Return the endpoint with a deployment under way and the status that says so."""
    if deployment.kind is Kind.PATCH:
        # AWS's maintenance changes nothing a user sees but the status.
        return replace(endpoint, status=Status.SYSTEM_UPDATING, deployment=deployment)
    is_mixed = endpoint.status is Status.UPDATE_ROLLBACK_FAILED and deployment.kind is Kind.UPDATE
    return replace(
        endpoint,
        status=RUNNING_STATUS[deployment.kind],
        deployment=deployment,
        pending=pending,
        mixed=endpoint.pending if is_mixed else None,
        mixed_shares=endpoint.green_shares if is_mixed else {},
        shift=None,
        failure_reason=None,
        last_modified_time=deployment.started_at,
    )


def advance(endpoint: Endpoint, seen: Observation) -> Endpoint:
    """Return the endpoint moved through every step that is due.

    A deployment that begins to be undone rests there until the next look, so that the undoing
    can be seen even when nothing has to be launched or awaited for it.
    """
    while endpoint.deployment is not None:
        moved = _move(endpoint, endpoint.deployment, seen)
        if moved is endpoint or _begins_undoing(endpoint, moved):
            return moved
        endpoint = moved
    return endpoint


def _begins_undoing(before: Endpoint, after: Endpoint) -> bool:
    if before.deployment is None or after.deployment is None:
        return False
    return before.deployment.failure_reason is None and after.deployment.failure_reason is not None


def _move(endpoint: Endpoint, deployment: Deployment, seen: Observation) -> Endpoint:
    step = deployment.step
    if step is None:
        if deployment.polls_left > 0:
            return _show_rolling_back(endpoint)
        return FINISH[deployment.kind](endpoint, deployment, seen)
    if _is_planned_rollback(deployment, step):
        assert deployment.rollback is not None
        return _fail(endpoint, deployment, deployment.rollback.failure_reason, seen)
    if not deployment.entered:
        started = replace(deployment, entered=True, step_started_at=seen.now)
        return ENTER[type(step)](replace(endpoint, deployment=started), step)
    reason = _failure(endpoint, deployment, step, seen)
    if reason is not None:
        return _fail(endpoint, deployment, reason, seen)
    if DONE[type(step)](endpoint, deployment, step, seen):
        onward = replace(deployment, position=deployment.position + 1, entered=False)
        return replace(endpoint, deployment=onward)
    return endpoint


# ---- a rollback on purpose


def _is_planned_rollback(deployment: Deployment, step: Step) -> bool:
    """Tell whether the new fleet is up and must not get any traffic."""
    planned = deployment.rollback is not None and deployment.failure_reason is None
    return planned and isinstance(step, Shift)


def _show_rolling_back(endpoint: Endpoint) -> Endpoint:
    if endpoint.status is Status.ROLLING_BACK:
        return endpoint
    return replace(endpoint, status=Status.ROLLING_BACK)


def polled(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint after a Describe: a RollingBack that was to be seen has been."""
    deployment = endpoint.deployment
    if deployment is None or deployment.polls_left == 0:
        return endpoint
    if endpoint.status is not Status.ROLLING_BACK:
        return endpoint
    fewer = replace(deployment, polls_left=deployment.polls_left - 1)
    return replace(endpoint, deployment=fewer)


# ---- entering a step


def _enter_fleet(endpoint: Endpoint, step: Any) -> Endpoint:
    return _with_targets(endpoint, step.side, step.counts)


def _enter_shift(endpoint: Endpoint, step: Any) -> Endpoint:
    return replace(endpoint, shift=step)


def _enter_weights(endpoint: Endpoint, step: Any) -> Endpoint:
    if endpoint.live is None:
        return endpoint
    variants = tuple(
        replace(
            variant,
            current_weight=variant.desired_weight,
            current_serverless=variant.desired_serverless,
        )
        for variant in endpoint.live.variants
    )
    return replace(endpoint, live=replace(endpoint.live, variants=variants))


def _enter_bake(endpoint: Endpoint, step: Any) -> Endpoint:
    return endpoint


ENTER: Mapping[type, Callable[[Endpoint, Any], Endpoint]] = {
    Launch: _enter_fleet,
    Terminate: _enter_fleet,
    Shift: _enter_shift,
    SetWeights: _enter_weights,
    Bake: _enter_bake,
}


def _with_targets(endpoint: Endpoint, side: Side, counts: Counts) -> Endpoint:
    fleet = endpoint.fleet(side)
    if fleet is None:
        return endpoint
    variants = tuple(
        replace(variant, target_count=counts.get(variant.name, variant.target_count))
        for variant in fleet.variants
    )
    changed = replace(fleet, variants=variants)
    if side is Side.BLUE:
        return replace(endpoint, live=changed)
    return replace(endpoint, pending=changed)


# ---- leaving a step


def _is_launched(
    endpoint: Endpoint, deployment: Deployment, step: Launch, seen: Observation
) -> bool:
    healthy = seen.view(endpoint.fleet(step.side)).healthy
    return all(healthy.get(name, 0) >= count for name, count in step.counts.items())


def _is_terminated(
    endpoint: Endpoint, deployment: Deployment, step: Terminate, seen: Observation
) -> bool:
    fleet = endpoint.fleet(step.side)
    existing = seen.view(fleet).existing
    variants = fleet.variants if fleet is not None else ()
    # What requests started on demand goes when it is idle; nothing waits for that.
    on_demand = {v.name for v in variants if v.desired_serverless is not None}
    return all(
        existing.get(name, 0) <= count or (count > 0 and name in on_demand)
        for name, count in step.counts.items()
    )


def _is_baked(endpoint: Endpoint, deployment: Deployment, step: Bake, seen: Observation) -> bool:
    return seen.now - deployment.step_started_at >= step.seconds


def _at_once(endpoint: Endpoint, deployment: Deployment, step: Step, seen: Observation) -> bool:
    return True


DONE: Mapping[type, Callable[[Endpoint, Deployment, Any, Observation], bool]] = {
    Launch: _is_launched,
    Terminate: _is_terminated,
    Bake: _is_baked,
    Shift: _at_once,
    SetWeights: _at_once,
}


# ---- failing


def _failure(
    endpoint: Endpoint, deployment: Deployment, step: Step, seen: Observation
) -> str | None:
    """Return why the deployment must stop now; an undoing fails only when it can't launch."""
    if isinstance(step, Launch):
        fleet = endpoint.fleet(step.side)
        if fleet is not None and fleet.refusal is not None:
            return fleet.refusal
        failure = seen.view(fleet).failure
        if failure is not None and not _is_launched(endpoint, deployment, step, seen):
            return failure
    if deployment.failure_reason is not None:
        return None
    if isinstance(step, Bake):
        tripped = sorted(seen.alarms_in_alarm & set(deployment.alarm_names))
        if tripped:
            return messages.ALARM_TRIPPED.format(alarms=", ".join(tripped))
    limit = deployment.timeout_seconds
    if limit is not None and seen.now - deployment.started_at > limit:
        return messages.TIMED_OUT.format(seconds=f"{limit:g}")
    return None


def _fail(endpoint: Endpoint, deployment: Deployment, reason: str, seen: Observation) -> Endpoint:
    if deployment.failure_reason is not None:
        return _finish_undoing(endpoint, deployment, UNDOING_FAILED[deployment.kind], seen)
    undoing = replace(
        deployment,
        steps=UNDO[deployment.kind](endpoint, deployment),
        position=0,
        entered=False,
        failure_reason=reason,
        polls_left=deployment.rollback.rolling_back_polls if deployment.rollback else 0,
    )
    live = endpoint.live
    if deployment.kind is Kind.SCALE and deployment.previous is not None and live is not None:
        live = with_desired(live, deployment.previous)
    return replace(endpoint, status=UNDOING_STATUS[deployment.kind], deployment=undoing, live=live)


# ---- ending


def _finish_undoing(
    endpoint: Endpoint, deployment: Deployment, status: Status, seen: Observation
) -> Endpoint:
    mixed = status is Status.UPDATE_ROLLBACK_FAILED
    return replace(
        endpoint,
        status=status,
        deployment=None,
        pending=endpoint.pending if mixed else None,
        shift=endpoint.shift if mixed else None,
        mixed=endpoint.mixed if mixed else None,
        mixed_shares=endpoint.mixed_shares if mixed else {},
        failure_reason=deployment.failure_reason or None,
        last_modified_time=seen.now,
    )


def _finish_rollout(endpoint: Endpoint, deployment: Deployment, seen: Observation) -> Endpoint:
    """End a create or an update: the green fleet is the live one, or the blue one still is."""
    if deployment.failure_reason is not None:
        return _finish_undoing(endpoint, deployment, UNDONE[deployment.kind], seen)
    assert endpoint.pending is not None
    return replace(
        endpoint,
        status=Status.IN_SERVICE,
        config_name=endpoint.pending.config_name,
        live=endpoint.pending,
        pending=None,
        mixed=None,
        mixed_shares={},
        shift=None,
        deployment=None,
        last_deployment_config=deployment.deployment_config,
        last_modified_time=seen.now,
    )


def _finish_scale(endpoint: Endpoint, deployment: Deployment, seen: Observation) -> Endpoint:
    if deployment.failure_reason is not None:
        return _finish_undoing(endpoint, deployment, UNDONE[deployment.kind], seen)
    return replace(endpoint, status=Status.IN_SERVICE, deployment=None, last_modified_time=seen.now)


def _finish_patch(endpoint: Endpoint, deployment: Deployment, seen: Observation) -> Endpoint:
    return replace(endpoint, status=Status.IN_SERVICE, deployment=None)


def _finish_delete(endpoint: Endpoint, deployment: Deployment, seen: Observation) -> Endpoint:
    return replace(endpoint, status=Status.ABSENT, deployment=None, live=None, pending=None)


FINISH: Mapping[Kind, Callable[[Endpoint, Deployment, Observation], Endpoint]] = {
    Kind.CREATE: _finish_rollout,
    Kind.UPDATE: _finish_rollout,
    Kind.SCALE: _finish_scale,
    Kind.DELETE: _finish_delete,
    Kind.PATCH: _finish_patch,
}
