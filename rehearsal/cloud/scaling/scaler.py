"""What scaling alarms and bounds set in motion: counts changed by the path users take.

Source: Application Auto Scaling User Guide, target tracking; SageMaker Developer Guide,
"endpoint-scaling-update" for what is blocked while an update runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.cloudwatch.metrics import series_key
from rehearsal.cloud.errors import ApiError, validation_exception
from rehearsal.cloud.hosting.endpoints import Endpoints, is_in_progress
from rehearsal.cloud.hosting.state import Endpoint
from rehearsal.cloud.runtime.meter import NAMESPACE
from rehearsal.cloud.scaling.policy_alarms import delete_alarms
from rehearsal.cloud.scaling.target import (
    PERIOD_SECONDS,
    Activity,
    ScalableTarget,
    ScalingPolicy,
    desired_count,
    within_bounds,
)

PREDEFINED_METRICS = {"SageMakerVariantInvocationsPerInstance": "InvocationsPerInstance"}
Key = tuple[str, str]


@dataclass
class Scaler:
    """Targets and policies, and their effect on endpoints; all under the engine's lock."""

    hosting: Endpoints | None = None
    targets: dict[Key, ScalableTarget] = field(default_factory=dict)
    policies: dict[tuple[str, str, str], ScalingPolicy] = field(default_factory=dict)
    _last: dict[tuple[Key, str], float] = field(default_factory=dict)
    _unfulfilled: set[Key] = field(default_factory=set)

    def alarms_evaluated(self, alarms: list[Any]) -> None:
        """Let every policy whose alarm was just evaluated decide."""
        names = {alarm.alarm_name for alarm in alarms}
        for (resource_id, dimension, _), policy in list(self.policies.items()):
            if names & {policy.alarm_high, policy.alarm_low}:
                self._act((resource_id, dimension), policy)
        for key in list(self._unfulfilled):
            self.enforce_bounds(key)

    def _act(self, key: Key, policy: ScalingPolicy) -> None:
        target = self.targets[key]
        endpoint = self.endpoints.engine.endpoints.get(target.endpoint_name)
        if endpoint is None or endpoint.live is None or endpoint.deployment is not None:
            return
        counts = endpoint.live.desired_counts
        if target.variant_name not in counts:
            return
        states = self.endpoints.engine.cloudwatch.states()
        seen = Activity(
            now=self.now(),
            current=counts[target.variant_name],
            metric=self._latest(policy, target),
            is_high=states.get(policy.alarm_high) == "ALARM",
            is_low=states.get(policy.alarm_low) == "ALARM",
            last_out=self._last.get((key, "out")),
            last_in=self._last.get((key, "in")),
        )
        wanted = desired_count(target, policy, seen)
        if wanted != seen.current:
            cause = policy.alarm_high if wanted > seen.current else policy.alarm_low
            self._set_count(
                key, wanted, f"monitor alarm {cause} in state ALARM triggered policy {policy.name}"
            )

    def _latest(self, policy: ScalingPolicy, target: ScalableTarget) -> float | None:
        metric = tracked(policy)
        minute = int(self.now() // PERIOD_SECONDS) - 1
        dimensions = {"EndpointName": target.endpoint_name, "VariantName": target.variant_name}
        series = series_key(NAMESPACE, metric, dimensions)
        bucket = self.endpoints.engine.cloudwatch.store.period(
            series, minute * PERIOD_SECONDS, PERIOD_SECONDS
        )
        return bucket.statistic("Sum") if bucket is not None else None

    def enforce_bounds(self, key: Key) -> None:
        """Bring the capacity into the bounds now, or as soon as the endpoint accepts it."""
        target = self.targets[key]
        endpoint = self.endpoints.engine.endpoints.get(target.endpoint_name)
        if endpoint is None or endpoint.live is None:
            return
        current = endpoint.live.desired_counts.get(target.variant_name)
        if current is None:
            return
        wanted = within_bounds(target, current)
        self._unfulfilled.discard(key)
        if wanted != current:
            bound = "minimum" if wanted > current else "maximum"
            self._set_count(key, wanted, f"{bound} capacity was set to {wanted}")

    def _set_count(self, key: Key, count: int, cause: str) -> None:
        target = self.targets[key]
        engine = self.endpoints.engine
        endpoint = engine.endpoints[target.endpoint_name]
        assert endpoint.live is not None
        before = endpoint.live.desired_counts[target.variant_name]
        entry = {"VariantName": target.variant_name, "DesiredInstanceCount": count}
        status = "Successful"
        try:
            self.endpoints.scale(
                {"EndpointName": target.endpoint_name, "DesiredWeightsAndCapacities": [entry]}
            )
        except ApiError as err:
            if not is_in_progress(err):
                raise
            self._unfulfilled.add(key)
            status = "Failed"
        else:
            self._last[(key, "out" if count > before else "in")] = self.now()
        engine.record.event(
            "scaling",
            endpoint_name=target.endpoint_name,
            variant_name=target.variant_name,
            desired_instance_count=count,
            previous_instance_count=before,
            cause=cause,
            status=status,
        )

    def minute_passed(self, start: float) -> None:
        """Emit the zeros SageMaker sends for a scaled variant without traffic, and lift it."""
        store = self.endpoints.engine.cloudwatch.store
        for key, target in list(self.targets.items()):
            if target.endpoint_name not in self.endpoints.engine.endpoints:
                continue
            dimensions = {"EndpointName": target.endpoint_name, "VariantName": target.variant_name}
            series = series_key(NAMESPACE, "InvocationsPerInstance", dimensions)
            if store.period(series, start, PERIOD_SECONDS) is None:
                for name in ("Invocations", "InvocationsPerInstance"):
                    store.put(series_key(NAMESPACE, name, dimensions), start, 0.0, unit="None")
            self.enforce_bounds(key)

    def registered_variants(self, endpoint_name: str) -> frozenset[str]:
        """Return the variants of an endpoint that are scalable targets."""
        return frozenset(
            target.variant_name
            for target in self.targets.values()
            if target.endpoint_name == endpoint_name
        )

    def remove(self, key: Key) -> None:
        """Remove a target with its policies and their alarms."""
        del self.targets[key]
        self._unfulfilled.discard(key)
        for policy_key in [k for k in self.policies if k[:2] == key]:
            delete_alarms(self.endpoints.engine.cloudwatch, self.policies.pop(policy_key))

    def endpoint_deleted(self, endpoint: Endpoint) -> None:
        """Deregister an endpoint's targets, as DeleteEndpoint does."""
        for key in [k for k, t in self.targets.items() if t.endpoint_name == endpoint.name]:
            self.remove(key)

    @property
    def endpoints(self) -> Endpoints:
        assert self.hosting is not None
        return self.hosting

    def now(self) -> float:
        return self.endpoints.engine.clock.now()


def tracked(policy: ScalingPolicy) -> str:
    """Return the metric name a target tracking policy follows, or refuse it."""
    predefined = policy.configuration.get("PredefinedMetricSpecification", {})
    name = predefined.get("PredefinedMetricType")
    if name not in PREDEFINED_METRICS:
        allowed = ", ".join(PREDEFINED_METRICS)
        raise validation_exception(
            f"the rehearsal cloud does not track {name or 'customized metrics'}; use {allowed}"
        )
    return PREDEFINED_METRICS[name]
