"""An endpoint over a manual clock, in a world that does as it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.hosting.deployment import advance, begin
from rehearsal.cloud.hosting.rollout import (
    Bake,
    Policy,
    plan_create,
    plan_delete,
    plan_scale,
    plan_update,
)
from rehearsal.cloud.hosting.state import (
    Deployment,
    Endpoint,
    Fleet,
    FleetView,
    Kind,
    Observation,
    Status,
    Variant,
)

NAME = "main"
SIZE = {"Type": "INSTANCE_COUNT", "Value": 1}


def a_fleet(fleet_id: str, count: int, *, target: int = 0) -> Fleet:
    variant = Variant(
        name=NAME,
        desired_count=count,
        target_count=target,
        desired_weight=1.0,
        current_weight=1.0,
    )
    return Fleet(fleet_id=fleet_id, config_name=f"config-{fleet_id}", variants=(variant,))


class World:
    """An endpoint whose fleets follow their targets at once, unless told to fail."""

    def __init__(self, *, live: int | None = 2) -> None:
        self.clock = ManualClock()
        self.alarms: frozenset[str] = frozenset()
        self.failures: dict[str, str] = {}
        self.stuck: set[str] = set()
        # Processes of a serverless variant that requests keep, whatever the target.
        self.busy = 0
        self.seen: list[Endpoint] = []
        self.existing = {"blue": live} if live is not None else {}
        now = self.clock.now()
        self.endpoint = Endpoint(
            name="e",
            arn="arn",
            status=Status.IN_SERVICE if live is not None else Status.CREATING,
            config_name="config-blue",
            creation_time=now,
            last_modified_time=now,
            live=a_fleet("blue", live, target=live) if live is not None else None,
        )

    def create(self, count: int) -> None:
        self._begin(Kind.CREATE, plan_create({NAME: count}), a_fleet("green", count))

    def patch(self, seconds: float) -> None:
        self._begin(Kind.PATCH, (Bake(seconds=seconds, full=True),), None)

    def update(
        self, count: int, policy: Policy, config: dict[str, Any] | None = None, **more: Any
    ) -> None:
        assert self.endpoint.live is not None
        steps = plan_update(policy, self.endpoint.live.desired_counts, {NAME: count})
        self._begin(
            Kind.UPDATE,
            steps,
            a_fleet("green", count),
            alarm_names=policy.alarm_names,
            timeout_seconds=policy.maximum_execution_timeout_seconds,
            deployment_config=config,
            **more,
        )

    def scale(self, count: int) -> None:
        live = self.endpoint.live
        assert live is not None
        wanted = replace(
            live, variants=(replace(live.variants[0], desired_count=count, desired_weight=3.0),)
        )
        self.endpoint = replace(self.endpoint, live=wanted)
        self._begin(Kind.SCALE, plan_scale({NAME: 2}, {NAME: count}), None, previous=live)

    def delete(self) -> None:
        self._begin(Kind.DELETE, plan_delete({NAME: 2}), None)

    def look(self, seconds: float = 0.0) -> Endpoint:
        """Let time pass, let the fleets follow, advance until nothing moves."""
        self.clock.advance(seconds)
        for _ in range(40):
            after = advance(self.endpoint, self._observation())
            if after is self.endpoint:
                return after
            self.endpoint = after
            self.seen.append(after)
        raise AssertionError("the endpoint never comes to rest")

    def _observation(self) -> Observation:
        fleets = {}
        for fleet in (self.endpoint.live, self.endpoint.pending):
            if fleet is None:
                continue
            failure = self.failures.get(fleet.fleet_id)
            wanted = fleet.target_counts[NAME]
            if failure is not None or fleet.fleet_id in self.stuck:
                # What is there stays and can shrink; nothing new comes up.
                wanted = min(wanted, self.existing.get(fleet.fleet_id, 0))
            self.existing[fleet.fleet_id] = wanted
            counts = {NAME: max(wanted, self.busy)}
            fleets[fleet.fleet_id] = FleetView(healthy=counts, existing=counts, failure=failure)
        return Observation(now=self.clock.now(), fleets=fleets, alarms_in_alarm=self.alarms)

    def _begin(self, kind: Kind, steps: Any, pending: Fleet | None, **more: Any) -> None:
        now = self.clock.now()
        deployment = Deployment(kind=kind, steps=steps, started_at=now, step_started_at=now, **more)
        self.endpoint = begin(self.endpoint, deployment, pending=pending)
