"""Tells EventBridge of every change of an endpoint, as it happens."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.cloud.events.bus import EventBus
from rehearsal.cloud.events.sagemaker import deployment_change, endpoint_change
from rehearsal.cloud.hosting.describe import describe, stage_name
from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.hosting.state import Deployment, Endpoint, Kind, Status

# What the guide calls a deployment; a creation or deletion shows in the status alone.
DEPLOYMENTS = frozenset({Kind.UPDATE, Kind.SCALE})


@dataclass(frozen=True, kw_only=True)
class Announcer:
    """Called under the engine's lock with each endpoint's state before and after a change."""

    engine: Engine
    bus: EventBus

    def endpoint_changed(self, before: Endpoint | None, after: Endpoint) -> None:
        """Send what a change of state is worth: one event, both, or none."""
        if after.status is Status.ABSENT:
            return
        is_new_status = before is None or before.status is not after.status
        old = before.deployment if before is not None else None
        # Without deployment guardrails there are no events of a deployment, the guide says.
        is_guarded = after.has_guardrails and (before is None or before.has_guardrails)
        is_new_stage = is_guarded and _stage(old) != _stage(after.deployment)
        if not is_new_status and not is_new_stage:
            return
        described = describe(after, self.engine.observe(after), {})
        tags = self.engine.catalog.tags.get(after.arn, {})
        if is_new_status:
            self.bus.send(endpoint_change(described, tags))
        if is_new_stage:
            self.bus.send(deployment_change(described, tags))


def _stage(deployment: Deployment | None) -> tuple[int, str, str | None] | None:
    """Return what tells one stage of a deployment from the next; None outside of one."""
    if deployment is None or deployment.kind not in DEPLOYMENTS or not deployment.entered:
        return None
    stage = stage_name(deployment)
    return None if stage is None else (deployment.position, stage, deployment.failure_reason)
