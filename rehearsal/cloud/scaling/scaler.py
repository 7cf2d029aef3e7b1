"""What scaling alarms, bounds and schedules set in motion: capacities changed by users' own path.

Source: Application Auto Scaling User Guide; SageMaker Developer Guide, "endpoint-scaling-update"
for what is blocked while an update runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rehearsal.cloud.cloudwatch.alarms import Fired
from rehearsal.cloud.cloudwatch.metrics import series_key
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.hosting.endpoints import Endpoints, is_in_progress
from rehearsal.cloud.hosting.state import Endpoint
from rehearsal.cloud.runtime.meter import NAMESPACE
from rehearsal.cloud.scaling import activity as texts
from rehearsal.cloud.scaling.activity import Activities, Activity
from rehearsal.cloud.scaling.capacity import current_capacity, scale_entry
from rehearsal.cloud.scaling.decision import Decision, Seen, Trigger, decide
from rehearsal.cloud.scaling.scheduled import Schedules
from rehearsal.cloud.scaling.target import (
    COUNT_DIMENSION,
    Memory,
    ScalableTarget,
    ScalingPolicy,
    within_bounds,
)

MINUTE_SECONDS = 60
Key = tuple[str, str]


@dataclass
class Scaler:
    """Targets and policies, and their effect on endpoints; all under the engine's lock."""

    hosting: Endpoints | None = None
    targets: dict[Key, ScalableTarget] = field(default_factory=dict)
    policies: dict[tuple[str, str, str], ScalingPolicy] = field(default_factory=dict)
    activities: Activities = field(default_factory=Activities)
    schedules: Schedules = field(default_factory=Schedules)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    _memories: dict[tuple[str, str, str], Memory] = field(default_factory=dict)
    _unfulfilled: set[Key] = field(default_factory=set)

    # ---- called by the engine

    def alarms_evaluated(self, fired: Sequence[Fired]) -> None:
        """Let the policies whose alarms ask for it decide, together per target."""
        asked: dict[Key, list[Trigger]] = {}
        states: dict[Key, str] = {}
        by_arn = {policy.arn: policy for policy in self.policies.values()}
        for action in fired:
            policy = by_arn.get(action.action_arn.partition(":createdBy/")[0])
            if policy is not None:
                key = (policy.resource_id, policy.dimension)
                states[key] = action.state.value
                asked.setdefault(key, []).append(
                    Trigger(
                        policy=policy,
                        alarm_name=action.alarm_name,
                        threshold=action.threshold,
                        values=action.values,
                    )
                )
        for key, triggers in asked.items():
            self._decide(key, triggers, states[key])

    def tick(self) -> None:
        """Follow activities under way, run what is scheduled, bring in what is out of bounds."""
        for activity in self.activities.open_ones():
            self._follow(activity)
        for run in self.schedules.due(self.now()):
            target = self.targets.get(run.key)
            if target is not None and not target.suspended.get("ScheduledScalingSuspended"):
                self._run_scheduled(run.key, target, run.name, run.bounds)
        for key in list(self._unfulfilled):
            endpoint = self._endpoint(self.targets[key])
            if endpoint is None or endpoint.deployment is None:
                self.enforce_bounds(key)

    def minute_passed(self, start: float) -> None:
        """Emit the zeros SageMaker sends for a scaled variant without traffic, and lift it."""
        store = self.endpoints.engine.cloudwatch.store
        for key, target in list(self.targets.items()):
            endpoint = self._endpoint(target)
            if endpoint is None:
                continue
            kind = endpoint.live.kind if endpoint.live is not None else ""
            series = series_key(NAMESPACE, "InvocationsPerInstance", target.dimensions)
            is_silent = store.period(series, start, MINUTE_SECONDS) is None
            if target.dimension == COUNT_DIMENSION and kind != "async" and is_silent:
                for name in ("Invocations", "InvocationsPerInstance"):
                    dimensions = series_key(NAMESPACE, name, target.dimensions)
                    store.put(dimensions, start, 0.0, unit="None")
            self.enforce_bounds(key)

    def endpoint_deleted(self, endpoint: Endpoint) -> None:
        """Deregister an endpoint's targets, as DeleteEndpoint does."""
        for key in [k for k, t in self.targets.items() if t.endpoint_name == endpoint.name]:
            self.remove(key)

    def registered_variants(self, endpoint_name: str) -> frozenset[str]:
        """Return the variants of an endpoint that are scalable targets."""
        return frozenset(
            target.variant_name
            for target in self.targets.values()
            if target.endpoint_name == endpoint_name
        )

    # ---- called by the API

    def remove(self, key: Key) -> None:
        """Remove a target with its policies, their alarms and its scheduled actions."""
        self.tags.pop(self.targets.pop(key).arn, None)
        self._unfulfilled.discard(key)
        self.schedules.remove_target(key)
        for policy_key in [k for k in self.policies if k[:2] == key]:
            self.remove_policy(policy_key)

    def remove_policy(self, key: tuple[str, str, str]) -> ScalingPolicy | None:
        """Remove a policy; its alarms vanish with it."""
        policy = self.policies.pop(key, None)
        self._memories.pop(key, None)
        if policy is not None and policy.is_tracking:
            self.endpoints.engine.cloudwatch.delete_alarms([policy.alarm_high, policy.alarm_low])
        return policy

    def enforce_bounds(self, key: Key) -> None:
        """Bring the capacity into the bounds now, or as soon as the endpoint accepts it."""
        target = self.targets[key]
        current = current_capacity(self._endpoint(target), target)
        if current is None:
            return
        wanted = within_bounds(target, current)
        if wanted == current:
            self._unfulfilled.discard(key)
            return
        bound = "minimum" if wanted > current else "maximum"
        cause = f"{bound} capacity was set to {wanted}"
        if self._set_capacity(key, wanted, cause, quiet=key in self._unfulfilled):
            self._unfulfilled.discard(key)
        else:
            self._unfulfilled.add(key)

    @property
    def endpoints(self) -> Endpoints:
        assert self.hosting is not None
        return self.hosting

    def now(self) -> float:
        return self.endpoints.engine.clock.now()

    # ---- deciding

    def _decide(self, key: Key, triggers: Sequence[Trigger], state: str) -> None:
        target = self.targets[key]
        endpoint = self._endpoint(target)
        current = current_capacity(endpoint, target)
        if endpoint is None or current is None:
            return
        found = decide(target, triggers, self._seen(key, current))
        if found is None:
            return
        policy = found.trigger.policy
        cause = f"monitor alarm {found.trigger.alarm_name} in state {state} triggered policy "
        cause += policy.name
        if found.not_scaled is not None:
            self._note_not_scaled(target, cause, _reason(target, found))
        elif self._is_scaling(key):
            self._note_not_scaled(target, cause, {"Code": "TargetServicePutResourceAsUnscalable"})
        else:
            self._set_capacity(key, found.capacity, cause, policy_name=policy.name)

    def _seen(self, key: Key, current: int) -> Seen:
        mine = [policy for name, policy in self.policies.items() if name[:2] == key]
        states = self.endpoints.engine.cloudwatch.states()
        tracking = [policy for policy in mine if policy.is_tracking]
        return Seen(
            now=self.now(),
            current=current,
            memories={
                policy.name: self._memories.get((*key, policy.name), Memory()) for policy in mine
            },
            tracking=tracking,
            ready_to_scale_in=frozenset(
                policy.name for policy in tracking if states.get(policy.alarm_low) == "ALARM"
            ),
        )

    def _is_scaling(self, key: Key) -> bool:
        return any((a.resource_id, a.dimension) == key for a in self.activities.open_ones())

    def _note_not_scaled(
        self, target: ScalableTarget, cause: str, reason: Mapping[str, Any]
    ) -> None:
        activity = Activity(
            resource_id=target.resource_id,
            dimension=target.dimension,
            description="Attempting to scale due to alarm triggered",
            cause=cause,
            start_time=self.now(),
            status="Failed",
            not_scaled=reason,
        )
        self.activities.note(activity)

    # ---- acting

    def _set_capacity(
        self, key: Key, capacity: int, cause: str, *, policy_name: str = "", quiet: bool = False
    ) -> bool:
        """Ask SageMaker for a capacity; return whether it took it.

        Args:
            quiet: leave no second activity behind when it is refused again
        """
        target, engine = self.targets[key], self.endpoints.engine
        before = current_capacity(self._endpoint(target), target)
        assert before is not None
        activity = Activity(
            resource_id=target.resource_id,
            dimension=target.dimension,
            description=texts.setting(target.dimension, capacity),
            cause=cause,
            start_time=self.now(),
            capacity=capacity,
            before=before,
            policy_name=policy_name,
        )
        entries = [scale_entry(target, capacity)]
        problem: ApiError | None = None
        try:
            self.endpoints.scale(
                {"EndpointName": target.endpoint_name, "DesiredWeightsAndCapacities": entries}
            )
        except ApiError as err:
            problem = err
        if problem is not None and quiet and is_in_progress(problem):
            return False
        self.activities.add(activity)
        activity.status = "InProgress"
        if problem is not None:
            activity.end("Failed", texts.failed(activity, problem), self.now())
        engine.record.event(
            "scaling",
            endpoint_name=target.endpoint_name,
            variant_name=target.variant_name,
            desired_instance_count=capacity,
            previous_instance_count=before,
            cause=cause,
            status="Successful" if problem is None else "Failed",
        )
        return problem is None

    def _follow(self, activity: Activity) -> None:
        """End an activity once its endpoint has come to rest."""
        key = (activity.resource_id, activity.dimension)
        target = self.targets.get(key)
        endpoint = self._endpoint(target) if target is not None else None
        if target is None or endpoint is None:
            activity.end("Unfulfilled", "the scalable target is gone", self.now())
        elif endpoint.deployment is None:
            current = current_capacity(endpoint, target)
            if current == activity.capacity:
                activity.end("Successful", texts.fulfilled(activity), self.now())
                self._remember(key, activity)
            elif current == activity.before:
                reason = endpoint.failure_reason or "the endpoint came back to its old capacity"
                message = f"Failed to set {texts.wanted(activity)}. Reason: {reason}"
                activity.end("Unfulfilled", message, self.now())
            else:
                message = f"{texts.wanted(activity)} was changed to {current} by another request"
                activity.end("Overridden", message, self.now())

    def _remember(self, key: Key, activity: Activity) -> None:
        """Begin a cooldown; a scale out ends every cooldown of a scale in."""
        assert activity.capacity is not None
        is_out = activity.capacity > activity.before
        if is_out:
            for known in [name for name in self._memories if name[:2] == key]:
                self._memories[known] = replace(self._memories[known], in_at=None)
        if activity.policy_name:
            name = (*key, activity.policy_name)
            memory = self._memories.get(name, Memory())
            self._memories[name] = (
                replace(memory, out_at=self.now(), out_base=activity.before)
                if is_out
                else replace(memory, in_at=self.now())
            )

    def _run_scheduled(
        self, key: Key, target: ScalableTarget, name: str, bounds: Mapping[str, int]
    ) -> None:
        """Give a target its scheduled bounds; the capacity follows at once."""
        least = bounds.get("MinCapacity", target.min_capacity)
        most = bounds.get("MaxCapacity", target.max_capacity)
        words = [
            f"{word} capacity to {bounds[member]}"
            for word, member in (("min", "MinCapacity"), ("max", "MaxCapacity"))
            if member in bounds
        ]
        activity = Activity(
            resource_id=target.resource_id,
            dimension=target.dimension,
            description=f"Setting {' and '.join(words)}",
            cause=f"scheduled action name {name} was triggered",
            start_time=self.now(),
        )
        self.activities.add(activity)
        if least > most:
            message = f"Failed to set {' and '.join(words)}. Reason: minimum {least} is above "
            activity.end("Failed", f"{message}maximum {most}", self.now())
            return
        self.targets[key] = replace(target, min_capacity=least, max_capacity=most)
        activity.end("Successful", f"Successfully set {' and '.join(words)}", self.now())
        self.enforce_bounds(key)

    def _endpoint(self, target: ScalableTarget) -> Endpoint | None:
        return self.endpoints.engine.endpoints.get(target.endpoint_name)


def _reason(target: ScalableTarget, found: Decision) -> dict[str, Any]:
    """Return the NotScaledReason of a decision, with the figures of its code."""
    assert found.not_scaled is not None
    figures = {
        "AlreadyAtMaxCapacity": {"MaxCapacity": target.max_capacity},
        "AlreadyAtMinCapacity": {"MinCapacity": target.min_capacity},
        "AlreadyAtDesiredCapacity": {"CurrentCapacity": found.capacity},
    }
    return {"Code": found.not_scaled, **figures[found.not_scaled]}


def policies_of(policies: Iterable[ScalingPolicy], key: Key) -> list[ScalingPolicy]:
    """Return the policies of one target."""
    return [policy for policy in policies if (policy.resource_id, policy.dimension) == key]
