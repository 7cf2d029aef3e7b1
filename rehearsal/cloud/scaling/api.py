"""Application Auto Scaling for SageMaker variants: the API and what its alarms set in motion.

Source: botocore application-autoscaling 2016-02-06; Application Auto Scaling User Guide. Other
namespaces than sagemaker go to moto.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.errors import ApiError, validation_exception
from rehearsal.cloud.hosting.api import json_response
from rehearsal.cloud.hosting.endpoints import Endpoints
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.scaling.policy_alarms import delete_alarms, put_alarms
from rehearsal.cloud.scaling.scaler import Key, Scaler, tracked
from rehearsal.cloud.scaling.target import ScalableTarget, ScalingPolicy
from rehearsal.cloud.shapes import validated_input

SERVICE = "application-autoscaling"
COUNT_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
RESOURCE_ID = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
SUSPENSIONS = (
    "DynamicScalingInSuspended",
    "DynamicScalingOutSuspended",
    "ScheduledScalingSuspended",
)


@dataclass
class ScalingApi:
    """The API; the scaler holds the targets and policies and acts on them."""

    account_id: str
    region: str
    scaler: Scaler

    def __post_init__(self) -> None:
        self.operations: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "RegisterScalableTarget": self._register,
            "DescribeScalableTargets": self._describe_targets,
            "DeregisterScalableTarget": self._deregister,
            "PutScalingPolicy": self._put_policy,
            "DescribeScalingPolicies": self._describe_policies,
            "DeleteScalingPolicy": self._delete_policy,
        }

    def handles(self, request: Request) -> bool:
        """Tell whether a call is about SageMaker variants."""
        return bool(json.loads(request.body or b"{}").get("ServiceNamespace") == "sagemaker")

    def __call__(self, operation: str, request: Request) -> Response:
        if operation not in self.operations:
            known = ", ".join(self.operations)
            raise validation_exception(
                f"the rehearsal cloud does not do {operation} of SageMaker variants; it does "
                f"{known}"
            )
        asked = validated_input(SERVICE, operation, request.body)
        with self.scaler.endpoints.engine.lock:
            result = self.operations[operation](asked)
        if not operation.startswith("Describe"):
            self.scaler.endpoints.engine.record.event(
                "api_call", operation=operation, resource_id=asked.get("ResourceId")
            )
        return json_response(result)

    # ---- targets

    def _register(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        key = _key(asked)
        variant_exists(self.scaler.endpoints, key[0])
        known = self.scaler.targets.get(key)
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
        self.scaler.targets[key] = ScalableTarget(
            resource_id=key[0],
            dimension=key[1],
            min_capacity=least,
            max_capacity=most,
            arn=arn,
            creation_time=known.creation_time if known else self.scaler.now(),
            suspended=suspended,
        )
        self.scaler.enforce_bounds(key)
        return {"ScalableTargetARN": arn}

    def _deregister(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        key = self._existing(asked)
        self.scaler.remove(key)
        return {}

    def _describe_targets(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        wanted = asked.get("ResourceIds")
        found = [
            target
            for target in self.scaler.targets.values()
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
        known = self.scaler.policies.get((*key, name))
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
        stem = f"TargetTracking-{key[0]}-Alarm"
        policy = ScalingPolicy(
            name=name,
            resource_id=key[0],
            dimension=key[1],
            policy_type=kind,
            arn=arn,
            configuration=configuration,
            creation_time=known.creation_time if known else self.scaler.now(),
            alarm_high=f"{stem}High-{uuid.uuid4()}",
            alarm_low=f"{stem}Low-{uuid.uuid4()}",
        )
        metric = tracked(policy)
        if known is not None:
            delete_alarms(self.scaler.endpoints.engine.cloudwatch, known)
        put_alarms(
            self.scaler.endpoints.engine.cloudwatch,
            policy,
            self.scaler.targets[key],
            metric,
        )
        self.scaler.policies[(*key, name)] = policy
        return {"PolicyARN": arn, "Alarms": self._alarm_members(policy)}

    def _describe_policies(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        names = asked.get("PolicyNames")
        found = [
            policy
            for policy in self.scaler.policies.values()
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
        policy = self.scaler.policies.pop(key, None)
        if policy is None:
            raise _no_object("scaling policy", asked, f", policy name: {asked['PolicyName']}")
        delete_alarms(self.scaler.endpoints.engine.cloudwatch, policy)
        return {}

    def _alarm_members(self, policy: ScalingPolicy) -> list[dict[str, str]]:
        stem = f"arn:aws:cloudwatch:{self.region}:{self.account_id}:alarm:"
        names = (policy.alarm_high, policy.alarm_low)
        return [{"AlarmName": name, "AlarmARN": f"{stem}{name}"} for name in names]

    # ---- shared

    def _existing(self, asked: Mapping[str, Any]) -> Key:
        key = _key(asked)
        if key not in self.scaler.targets:
            raise _no_object("scalable target", asked, "")
        return key


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
