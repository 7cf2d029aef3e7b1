"""Application Auto Scaling for SageMaker variants: the API and what its alarms set in motion.

Source: botocore application-autoscaling 2016-02-06; Application Auto Scaling User Guide. Other
namespaces than sagemaker go to moto.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.cloudwatch.metrics import series_key
from rehearsal.cloud.errors import ApiError, validation_exception
from rehearsal.cloud.hosting.api import json_response
from rehearsal.cloud.hosting.endpoints import Endpoints, is_in_progress
from rehearsal.cloud.hosting.state import Endpoint
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.runtime.meter import NAMESPACE
from rehearsal.cloud.scaling.policy_alarms import delete_alarms, put_alarms
from rehearsal.cloud.scaling.target import (
    PERIOD_SECONDS,
    Activity,
    ScalableTarget,
    ScalingPolicy,
    desired_count,
    within_bounds,
)
from rehearsal.cloud.shapes import validated_input

SERVICE = "application-autoscaling"
COUNT_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
RESOURCE_ID = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
PREDEFINED_METRICS = {"SageMakerVariantInvocationsPerInstance": "InvocationsPerInstance"}
SUSPENSIONS = (
    "DynamicScalingInSuspended",
    "DynamicScalingOutSuspended",
    "ScheduledScalingSuspended",
)
Key = tuple[str, str]


@dataclass
class ScalingApi:
    """Targets, policies and activities; everything under the engine's lock."""

    account_id: str
    region: str
    endpoints: Endpoints | None = None
    targets: dict[Key, ScalableTarget] = field(default_factory=dict)
    policies: dict[tuple[str, str, str], ScalingPolicy] = field(default_factory=dict)
    _last: dict[tuple[Key, str], float] = field(default_factory=dict)
    _unfulfilled: set[Key] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.operations: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "RegisterScalableTarget": self._register,
            "DescribeScalableTargets": self._describe_targets,
            "DeregisterScalableTarget": self._deregister,
            "PutScalingPolicy": self._put_policy,
            "DescribeScalingPolicies": self._describe_policies,
            "DeleteScalingPolicy": self._delete_policy,
        }

    @property
    def hosting(self) -> Endpoints:
        assert self.endpoints is not None
        return self.endpoints

    def handles(self, operation: str, request: Request) -> bool:
        """Tell whether a call is about SageMaker variants."""
        if operation not in self.operations:
            return False
        return bool(json.loads(request.body or b"{}").get("ServiceNamespace") == "sagemaker")

    def __call__(self, operation: str, request: Request) -> Response:
        asked = validated_input(SERVICE, operation, request.body)
        with self.hosting.engine.lock:
            result = self.operations[operation](asked)
        if not operation.startswith("Describe"):
            self.hosting.engine.record.event(
                "api_call", operation=operation, resource_id=asked.get("ResourceId")
            )
        return json_response(result)

    # ---- targets

    def registered_variants(self, endpoint_name: str) -> frozenset[str]:
        """Return the variants of an endpoint that are scalable targets."""
        return frozenset(
            target.variant_name
            for target in self.targets.values()
            if target.endpoint_name == endpoint_name
        )

    def _register(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        key = _key(asked)
        variant_exists(self.hosting, key[0])
        known = self.targets.get(key)
        least = asked.get("MinCapacity", known.min_capacity if known else None)
        most = asked.get("MaxCapacity", known.max_capacity if known else None)
        if least is None or most is None:
            raise validation_exception("MinCapacity and MaxCapacity are required to register.")
        if least < 1:
            raise validation_exception(
                f"Minimum capacity {least} is below 1, the least of a real-time variant."
            )
        if least > most:
            raise validation_exception(
                f"Maximum capacity cannot be less than minimum capacity, given {most} and {least}."
            )
        suspended = {**dict.fromkeys(SUSPENSIONS, False), **asked.get("SuspendedState", {})}
        arn = (
            known.arn
            if known is not None
            else f"arn:aws:{SERVICE}:{self.region}:{self.account_id}:scalable-target/"
            f"{uuid.uuid4().hex}"
        )
        self.targets[key] = ScalableTarget(
            resource_id=key[0],
            dimension=key[1],
            min_capacity=least,
            max_capacity=most,
            arn=arn,
            creation_time=known.creation_time if known else self._now(),
            suspended=suspended,
        )
        self._enforce_bounds(key)
        return {"ScalableTargetARN": arn}

    def _deregister(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        key = self._existing(asked)
        self._remove(key)
        return {}

    def _remove(self, key: Key) -> None:
        """Remove a target with its policies and their alarms."""
        del self.targets[key]
        self._unfulfilled.discard(key)
        for policy_key in [k for k in self.policies if k[:2] == key]:
            delete_alarms(self.hosting.engine.cloudwatch, self.policies.pop(policy_key))

    def endpoint_deleted(self, endpoint: Endpoint) -> None:
        """Deregister an endpoint's targets, as DeleteEndpoint does."""
        for key in [k for k, t in self.targets.items() if t.endpoint_name == endpoint.name]:
            self._remove(key)

    def _describe_targets(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        wanted = asked.get("ResourceIds")
        found = [
            target
            for target in self.targets.values()
            if (not wanted or target.resource_id in wanted)
            and asked.get("ScalableDimension", target.dimension) == target.dimension
        ]
        role = (
            f"arn:aws:iam::{self.account_id}:role/aws-service-role/sagemaker.{SERVICE}"
            ".amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        )
        return {
            "ScalableTargets": [
                {
                    "ServiceNamespace": "sagemaker",
                    "ResourceId": target.resource_id,
                    "ScalableDimension": target.dimension,
                    "MinCapacity": target.min_capacity,
                    "MaxCapacity": target.max_capacity,
                    "RoleARN": role,
                    "CreationTime": target.creation_time,
                    "SuspendedState": dict(target.suspended),
                    "ScalableTargetARN": target.arn,
                }
                for target in found
            ]
        }

    # ---- policies

    def _put_policy(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        key = self._existing(asked)
        name = asked["PolicyName"]
        known = self.policies.get((*key, name))
        kind = asked.get("PolicyType", known.policy_type if known else "StepScaling")
        if kind != "TargetTrackingScaling":
            raise validation_exception(
                f"the rehearsal cloud does not do {kind} policies of SageMaker variants; use "
                "TargetTrackingScaling"
            )
        configuration = asked.get("TargetTrackingScalingPolicyConfiguration")
        if configuration is None:
            raise validation_exception("TargetTrackingScalingPolicyConfiguration is required.")
        arn = (
            known.arn
            if known is not None
            else f"arn:aws:autoscaling:{self.region}:{self.account_id}:scalingPolicy:"
            f"{uuid.uuid4()}:resource/sagemaker/{key[0]}:policyName/{name}"
        )
        if known is not None:
            delete_alarms(self.hosting.engine.cloudwatch, known)
        stem = f"TargetTracking-{key[0]}-Alarm"
        policy = ScalingPolicy(
            name=name,
            resource_id=key[0],
            dimension=key[1],
            policy_type=kind,
            arn=arn,
            configuration=configuration,
            creation_time=known.creation_time if known else self._now(),
            alarm_high=f"{stem}High-{uuid.uuid4()}",
            alarm_low=f"{stem}Low-{uuid.uuid4()}",
        )
        put_alarms(self.hosting.engine.cloudwatch, policy, self.targets[key], tracked(policy))
        self.policies[(*key, name)] = policy
        return {"PolicyARN": arn, "Alarms": self._alarm_members(policy)}

    def _describe_policies(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        names = asked.get("PolicyNames")
        found = [
            policy
            for policy in self.policies.values()
            if asked.get("ResourceId", policy.resource_id) == policy.resource_id
            and asked.get("ScalableDimension", policy.dimension) == policy.dimension
            and (not names or policy.name in names)
        ]
        return {
            "ScalingPolicies": [
                {
                    "PolicyARN": policy.arn,
                    "PolicyName": policy.name,
                    "ServiceNamespace": "sagemaker",
                    "ResourceId": policy.resource_id,
                    "ScalableDimension": policy.dimension,
                    "PolicyType": policy.policy_type,
                    "TargetTrackingScalingPolicyConfiguration": dict(policy.configuration),
                    "Alarms": self._alarm_members(policy),
                    "CreationTime": policy.creation_time,
                }
                for policy in found
            ]
        }

    def _delete_policy(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        key = (*_key(asked), asked["PolicyName"])
        policy = self.policies.pop(key, None)
        if policy is None:
            raise _no_object("scaling policy", asked, f", policy name: {asked['PolicyName']}")
        delete_alarms(self.hosting.engine.cloudwatch, policy)
        return {}

    def _alarm_members(self, policy: ScalingPolicy) -> list[dict[str, str]]:
        stem = f"arn:aws:cloudwatch:{self.region}:{self.account_id}:alarm:"
        names = (policy.alarm_high, policy.alarm_low)
        return [{"AlarmName": name, "AlarmARN": f"{stem}{name}"} for name in names]

    # ---- acting

    def alarms_evaluated(self, alarms: list[Any]) -> None:
        """Let every policy whose alarm was just evaluated decide."""
        names = {alarm.name for alarm in alarms}
        for (resource_id, dimension, _), policy in list(self.policies.items()):
            if names & {policy.alarm_high, policy.alarm_low}:
                self._act((resource_id, dimension), policy)
        for key in list(self._unfulfilled):
            self._enforce_bounds(key)

    def _act(self, key: Key, policy: ScalingPolicy) -> None:
        target = self.targets[key]
        endpoint = self.hosting.engine.endpoints.get(target.endpoint_name)
        if endpoint is None or endpoint.live is None or endpoint.deployment is not None:
            return
        counts = endpoint.live.desired_counts
        if target.variant_name not in counts:
            return
        states = self.hosting.engine.cloudwatch.states()
        seen = Activity(
            now=self._now(),
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
        minute = int(self._now() // PERIOD_SECONDS) - 1
        dimensions = {"EndpointName": target.endpoint_name, "VariantName": target.variant_name}
        series = series_key(NAMESPACE, metric, dimensions)
        bucket = self.hosting.engine.cloudwatch.store.period(
            series, minute * PERIOD_SECONDS, PERIOD_SECONDS
        )
        return bucket.statistic("Sum") if bucket is not None else None

    def _enforce_bounds(self, key: Key) -> None:
        """Bring the capacity into the bounds now, or as soon as the endpoint accepts it."""
        target = self.targets[key]
        endpoint = self.hosting.engine.endpoints.get(target.endpoint_name)
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
        engine = self.hosting.engine
        endpoint = engine.endpoints[target.endpoint_name]
        assert endpoint.live is not None
        before = endpoint.live.desired_counts[target.variant_name]
        entry = {"VariantName": target.variant_name, "DesiredInstanceCount": count}
        status = "Successful"
        try:
            self.hosting.scale(
                {"EndpointName": target.endpoint_name, "DesiredWeightsAndCapacities": [entry]}
            )
        except ApiError as err:
            if not is_in_progress(err):
                raise
            self._unfulfilled.add(key)
            status = "Failed"
        else:
            self._last[(key, "out" if count > before else "in")] = self._now()
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
        store = self.hosting.engine.cloudwatch.store
        for key, target in list(self.targets.items()):
            if target.endpoint_name not in self.hosting.engine.endpoints:
                continue
            dimensions = {"EndpointName": target.endpoint_name, "VariantName": target.variant_name}
            series = series_key(NAMESPACE, "InvocationsPerInstance", dimensions)
            if store.period(series, start, PERIOD_SECONDS) is None:
                for name in ("Invocations", "InvocationsPerInstance"):
                    store.put(series_key(NAMESPACE, name, dimensions), start, 0.0, unit="None")
            self._enforce_bounds(key)

    # ---- shared

    def _existing(self, asked: Mapping[str, Any]) -> Key:
        key = _key(asked)
        if key not in self.targets:
            raise _no_object("scalable target", asked, "")
        return key

    def _now(self) -> float:
        return self.hosting.engine.clock.now()


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


def variant_exists(endpoints: Endpoints, resource_id: str) -> None:
    """Refuse a resource id that names no live variant."""
    match = RESOURCE_ID.fullmatch(resource_id)
    if match is None:
        raise validation_exception(
            f"ResourceId '{resource_id}' is not endpoint/<endpoint>/variant/<variant>."
        )
    endpoint = endpoints.engine.endpoints.get(match[1])
    fleets = (endpoint.live, endpoint.pending) if endpoint is not None else ()
    if not any(fleet is not None and match[2] in fleet.desired_counts for fleet in fleets):
        raise validation_exception(
            f"Could not find variant {match[2]} of endpoint {match[1]} for ResourceId "
            f"'{resource_id}'."
        )


def _key(asked: Mapping[str, Any]) -> Key:
    dimension = asked["ScalableDimension"]
    if dimension != COUNT_DIMENSION:
        raise validation_exception(
            f"the rehearsal cloud does not scale {dimension}; use {COUNT_DIMENSION}"
        )
    return asked["ResourceId"], dimension


def _no_object(what: str, asked: Mapping[str, Any], more: str) -> ApiError:
    return ApiError(
        "ObjectNotFoundException",
        f"No {what} found for service namespace: sagemaker, resource ID: {asked['ResourceId']}, "
        f"scalable dimension: {asked['ScalableDimension']}{more}",
    )
