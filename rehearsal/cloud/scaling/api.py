"""Application Auto Scaling for SageMaker variants: the API over the scaler's state.

Source: botocore application-autoscaling 2016-02-06; Application Auto Scaling User Guide. Other
namespaces than sagemaker go to moto.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.errors import validation_exception
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.ids import new_id
from rehearsal.cloud.json_protocol import json_response
from rehearsal.cloud.scaling import checks
from rehearsal.cloud.scaling.listing import page, tag_problem
from rehearsal.cloud.scaling.scaler import Key, Scaler, policies_of
from rehearsal.cloud.scaling.schedule import BadSchedule
from rehearsal.cloud.scaling.target import STEP_SCALING, ScalableTarget, ScalingPolicy
from rehearsal.cloud.scaling.tracked import alarms_of
from rehearsal.cloud.shapes import json_members, validated_input

SERVICE = "application-autoscaling"
SUSPENSIONS = (
    "DynamicScalingInSuspended",
    "DynamicScalingOutSuspended",
    "ScheduledScalingSuspended",
)
TAG_OPERATIONS = frozenset({"TagResource", "UntagResource", "ListTagsForResource"})

Asked = Mapping[str, Any]


@dataclass
class ScalingApi:
    """The API; the scaler holds the targets and policies and acts on them."""

    account_id: str
    region: str
    scaler: Scaler

    def __post_init__(self) -> None:
        self.operations: Mapping[str, Callable[[Asked], dict[str, Any]]] = {
            "RegisterScalableTarget": self._register,
            "DescribeScalableTargets": self._describe_targets,
            "DeregisterScalableTarget": self._deregister,
            "PutScalingPolicy": self._put_policy,
            "DescribeScalingPolicies": self._describe_policies,
            "DeleteScalingPolicy": self._delete_policy,
            "PutScheduledAction": self._put_action,
            "DescribeScheduledActions": self._describe_actions,
            "DeleteScheduledAction": self._delete_action,
            "DescribeScalingActivities": self._describe_activities,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._list_tags,
        }

    def handles(self, operation: str, request: Request) -> bool:
        """Tell whether a call is about SageMaker variants, or about a target's tags."""
        members = json_members(operation, request.body)
        return members.get("ServiceNamespace") == "sagemaker" or "ResourceARN" in members

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
        if not operation.startswith(("Describe", "List")):
            self.scaler.endpoints.engine.record.event(
                "api_call", operation=operation, resource_id=asked.get("ResourceId")
            )
        return json_response(result)

    # ---- targets

    def _register(self, asked: Asked) -> dict[str, Any]:
        key = checks.key_of(asked)
        endpoint = checks.scalable_endpoint(self.scaler.endpoints, *key)
        known = self.scaler.targets.get(key)
        least = asked.get("MinCapacity", known.min_capacity if known else None)
        most = asked.get("MaxCapacity", known.max_capacity if known else None)
        checks.check_bounds(endpoint, key[1], least, most)
        tags = asked.get("Tags", {})
        checks.check_tags(tags)
        before = known.suspended if known is not None else dict.fromkeys(SUSPENSIONS, False)
        target = ScalableTarget(
            resource_id=key[0],
            dimension=key[1],
            min_capacity=least,
            max_capacity=most,
            arn=known.arn if known is not None else self._target_arn(),
            creation_time=known.creation_time if known else self.scaler.now(),
            suspended={**before, **asked.get("SuspendedState", {})},
        )
        self.scaler.targets[key] = target
        if tags:
            self.scaler.tags.setdefault(target.arn, {}).update(tags)
        self.scaler.enforce_bounds(key)
        return {"ScalableTargetARN": target.arn}

    def _target_arn(self) -> str:
        number = new_id().replace("-", "")
        return f"arn:aws:{SERVICE}:{self.region}:{self.account_id}:scalable-target/{number}"

    def _deregister(self, asked: Asked) -> dict[str, Any]:
        self.scaler.remove(self._existing(asked))
        return {}

    def _describe_targets(self, asked: Asked) -> dict[str, Any]:
        wanted = asked.get("ResourceIds")
        found = [
            target
            for target in self.scaler.targets.values()
            if (not wanted or target.resource_id in wanted)
            and asked.get("ScalableDimension", target.dimension) == target.dimension
        ]
        return page([self._target(target) for target in found], asked, "ScalableTargets")

    def _target(self, target: ScalableTarget) -> dict[str, Any]:
        role = (
            f"arn:aws:iam::{self.account_id}:role/aws-service-role/sagemaker.{SERVICE}"
            ".amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        )
        return {
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

    # ---- policies

    def _put_policy(self, asked: Asked) -> dict[str, Any]:
        key = self._existing(asked)
        name = asked["PolicyName"]
        known = self.scaler.policies.get((*key, name))
        others = [
            policy
            for policy in policies_of(self.scaler.policies.values(), key)
            if policy.name != name
        ]
        kind = asked.get("PolicyType", known.policy_type if known else STEP_SCALING)
        configuration = checks.policy_configuration(asked, kind, known, others)
        stem = f"TargetTracking-{key[0]}-Alarm"
        policy = ScalingPolicy(
            name=name,
            resource_id=key[0],
            dimension=key[1],
            policy_type=kind,
            arn=known.arn if known is not None else self._arn(key, "scalingPolicy", name),
            configuration=configuration,
            creation_time=known.creation_time if known else self.scaler.now(),
            alarm_high=known.alarm_high if known else f"{stem}High-{new_id()}",
            alarm_low=known.alarm_low if known else f"{stem}Low-{new_id()}",
        )
        if policy.is_tracking:
            action = f"{policy.arn}:createdBy/{new_id()}"
            alarms = alarms_of(self.scaler.targets[key], policy, action)
            for alarm_name, members in alarms.items():
                self.scaler.endpoints.engine.cloudwatch.put_alarm(alarm_name, members)
        self.scaler.policies[(*key, name)] = policy
        return {"PolicyARN": policy.arn, "Alarms": self._alarm_members(policy)}

    def _describe_policies(self, asked: Asked) -> dict[str, Any]:
        names = asked.get("PolicyNames")
        found = [
            policy
            for policy in self.scaler.policies.values()
            if asked.get("ResourceId", policy.resource_id) == policy.resource_id
            and asked.get("ScalableDimension", policy.dimension) == policy.dimension
            and (not names or policy.name in names)
        ]
        return page([self._policy(policy) for policy in found], asked, "ScalingPolicies")

    def _policy(self, policy: ScalingPolicy) -> dict[str, Any]:
        return {
            "PolicyARN": policy.arn,
            "PolicyName": policy.name,
            "ServiceNamespace": "sagemaker",
            "ResourceId": policy.resource_id,
            "ScalableDimension": policy.dimension,
            "PolicyType": policy.policy_type,
            f"{policy.policy_type}PolicyConfiguration": dict(policy.configuration),
            "Alarms": self._alarm_members(policy),
            "CreationTime": policy.creation_time,
        }

    def _delete_policy(self, asked: Asked) -> dict[str, Any]:
        name = asked["PolicyName"]
        if self.scaler.remove_policy((*checks.key_of(asked), name)) is None:
            raise checks.no_object("scaling policy", asked, f", policy name: {name}")
        return {}

    def _alarm_members(self, policy: ScalingPolicy) -> list[dict[str, str]]:
        """Return a policy's alarms: its own two, or those whose action it is."""
        cloudwatch = self.scaler.endpoints.engine.cloudwatch
        stem = f"arn:aws:cloudwatch:{self.region}:{self.account_id}:alarm:"
        names = (
            [policy.alarm_high, policy.alarm_low]
            if policy.is_tracking
            else cloudwatch.alarms_with_action(policy.arn)
        )
        return [{"AlarmName": name, "AlarmARN": f"{stem}{name}"} for name in names]

    # ---- scheduled actions

    def _put_action(self, asked: Asked) -> dict[str, Any]:
        key = self._existing(asked)
        name = asked["ScheduledActionName"]
        known = self.scaler.schedules.actions.get((*key, name))
        mine = [k for k in self.scaler.schedules.actions if k[:2] == key]
        checks.check_action(asked, is_new=known is None, count=len(mine))
        members = checks.with_epochs(asked)
        try:
            arn = self._arn(key, "scheduledAction", name)
            self.scaler.schedules.put(key, arn, members, now=self.scaler.now())
        except BadSchedule as err:
            raise validation_exception(str(err)) from err
        return {}

    def _describe_actions(self, asked: Asked) -> dict[str, Any]:
        names = asked.get("ScheduledActionNames")
        found = [
            action.as_dict()
            for action in self.scaler.schedules.actions.values()
            if asked.get("ResourceId", action.key[0]) == action.key[0]
            and asked.get("ScalableDimension", action.key[1]) == action.key[1]
            and (not names or action.name in names)
        ]
        return page(found, asked, "ScheduledActions")

    def _delete_action(self, asked: Asked) -> dict[str, Any]:
        name = asked["ScheduledActionName"]
        key = (*checks.key_of(asked), name)
        if self.scaler.schedules.actions.pop(key, None) is None:
            raise checks.no_object("scheduled action", asked, f", scheduled action name: {name}")
        return {}

    # ---- activities

    def _describe_activities(self, asked: Asked) -> dict[str, Any]:
        is_all = asked.get("IncludeNotScaledActivities", False)
        found = [
            activity.as_dict()
            for activity in self.scaler.activities.newest_first(self.scaler.now())
            if asked.get("ResourceId", activity.resource_id) == activity.resource_id
            and asked.get("ScalableDimension", activity.dimension) == activity.dimension
            and (is_all or activity.not_scaled is None)
        ]
        return page(found, asked, "ScalingActivities")

    # ---- tags

    def _tag(self, asked: Asked) -> dict[str, Any]:
        tags = self._tags(asked)
        checks.check_tags({**tags, **asked["Tags"]})
        tags.update(asked["Tags"])
        return {}

    def _untag(self, asked: Asked) -> dict[str, Any]:
        tags = self._tags(asked)
        for name in asked["TagKeys"]:
            tags.pop(name, None)
        return {}

    def _list_tags(self, asked: Asked) -> dict[str, Any]:
        return {"Tags": dict(self._tags(asked))}

    def _tags(self, asked: Asked) -> dict[str, str]:
        arn = asked["ResourceARN"]
        if all(target.arn != arn for target in self.scaler.targets.values()):
            raise tag_problem(arn)
        return self.scaler.tags.setdefault(arn, {})

    # ---- shared

    def _arn(self, key: Key, kind: str, name: str) -> str:
        """Return the ARN of a scalingPolicy or a scheduledAction."""
        named = "policyName" if kind == "scalingPolicy" else "scheduledActionName"
        return (
            f"arn:aws:autoscaling:{self.region}:{self.account_id}:{kind}:{new_id()}:resource/"
            f"sagemaker/{key[0]}:{named}/{name}"
        )

    def _existing(self, asked: Asked) -> Key:
        key = checks.key_of(asked)
        if key not in self.scaler.targets:
            raise checks.no_object("scalable target", asked, "")
        return key
