"""Sets autoscaling aside while a swap changes an instance type, and puts it back.

AWS refuses to change the instance type of a variant with a registered scalable target, and
deregistering one deletes its policies. What was registered is first written to a parameter of
Systems Manager under the endpoint's name, so that a run after a crash finds it; a tag would do as
well but for its 256 characters, and Pulumi would take it off at the next refresh.
"""

import json
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from components.swap_cloud import SwapClients, answer

_NAMESPACE = "sagemaker"
_DIMENSION = "sagemaker:variant:DesiredInstanceCount"

_POLICY_FIELDS = (
    "PolicyName",
    "PolicyType",
    "StepScalingPolicyConfiguration",
    "TargetTrackingScalingPolicyConfiguration",
)
_ACTION_FIELDS = (
    "ScheduledActionName",
    "Schedule",
    "Timezone",
    "StartTime",
    "EndTime",
    "ScalableTargetAction",
)


class SwapScaling:
    """The scalable targets of one endpoint's variants."""

    def __init__(self, clients: SwapClients, endpoint_name: str) -> None:
        self._autoscaling = clients.autoscaling
        self._parameters = clients.parameters
        self._endpoint_name = endpoint_name

    @property
    def parameter_name(self) -> str:
        """Where the set-aside targets are written."""
        return f"/greenlight/endpoint/{self._endpoint_name}/set-aside-scaling"

    def scaled_variants(self, variant_names: Sequence[str]) -> frozenset[str]:
        """Which of the variants have a scalable target."""
        if not variant_names:
            return frozenset()
        described = answer(
            self._autoscaling.describe_scalable_targets,
            ServiceNamespace=_NAMESPACE,
            ResourceIds=[self._resource_id(name) for name in variant_names],
            ScalableDimension=_DIMENSION,
        )
        registered = {target["ResourceId"] for target in described["ScalableTargets"]}
        return frozenset(name for name in variant_names if self._resource_id(name) in registered)

    def set_aside(self, variant_names: Sequence[str]) -> None:
        """Write down, then deregister, the scalable targets of the variants.

        What an earlier run wrote and could not put back stays in the parameter.
        """
        saved = {target["ResourceId"]: target for target in self._saved()}
        for name in variant_names:
            saved[self._resource_id(name)] = self._describe(self._resource_id(name))
        answer(
            self._parameters.put_parameter,
            Name=self.parameter_name,
            Description="autoscaling set aside by greenlight during a swap",
            Value=json.dumps(list(saved.values()), default=str),
            Type="String",
            Tier="Intelligent-Tiering",
            Overwrite=True,
        )
        for name in variant_names:
            answer(
                self._autoscaling.deregister_scalable_target,
                ServiceNamespace=_NAMESPACE,
                ResourceId=self._resource_id(name),
                ScalableDimension=_DIMENSION,
            )

    def has_set_aside(self) -> bool:
        """Whether a run set autoscaling aside and has not put it back."""
        return bool(self._saved())

    def put_back(self, variant_names: Sequence[str]) -> tuple[str, ...]:
        """Register again what was set aside, for variants that exist, and forget it.

        Args:
            variant_names: the variants of the config that is live now.
        Returns:
            the variants that are autoscaled again.
        """
        saved = self._saved()
        if not saved:
            return ()
        restored = []
        for name in variant_names:
            for target in saved:
                if target["ResourceId"] == self._resource_id(name):
                    self._register(target)
                    restored.append(name)
        self.forget()
        return tuple(restored)

    def forget(self) -> None:
        """Drop what was set aside, as its endpoint goes away or it is back in place."""
        try:
            answer(self._parameters.delete_parameter, Name=self.parameter_name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise

    def _resource_id(self, variant_name: str) -> str:
        return f"endpoint/{self._endpoint_name}/variant/{variant_name}"

    def _saved(self) -> list[dict[str, Any]]:
        try:
            parameter = answer(self._parameters.get_parameter, Name=self.parameter_name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterNotFound":
                return []
            raise
        saved: list[dict[str, Any]] = json.loads(parameter["Parameter"]["Value"])
        return saved

    def _describe(self, resource_id: str) -> dict[str, Any]:
        where = {"ServiceNamespace": _NAMESPACE, "ScalableDimension": _DIMENSION}
        targets = answer(
            self._autoscaling.describe_scalable_targets, ResourceIds=[resource_id], **where
        )["ScalableTargets"]
        policies = answer(
            self._autoscaling.describe_scaling_policies, ResourceId=resource_id, **where
        )["ScalingPolicies"]
        actions = answer(
            self._autoscaling.describe_scheduled_actions, ResourceId=resource_id, **where
        )["ScheduledActions"]
        target = targets[0]
        return {
            "ResourceId": resource_id,
            "MinCapacity": target["MinCapacity"],
            "MaxCapacity": target["MaxCapacity"],
            "SuspendedState": target.get("SuspendedState"),
            "Policies": [_only(policy, _POLICY_FIELDS) for policy in policies],
            "ScheduledActions": [_only(action, _ACTION_FIELDS) for action in actions],
        }

    def _register(self, target: dict[str, Any]) -> None:
        where = {
            "ServiceNamespace": _NAMESPACE,
            "ScalableDimension": _DIMENSION,
            "ResourceId": target["ResourceId"],
        }
        suspended = target.get("SuspendedState")
        answer(
            self._autoscaling.register_scalable_target,
            MinCapacity=target["MinCapacity"],
            MaxCapacity=target["MaxCapacity"],
            **({} if suspended is None else {"SuspendedState": suspended}),
            **where,
        )
        for policy in target["Policies"]:
            answer(self._autoscaling.put_scaling_policy, **policy, **where)
        for action in target["ScheduledActions"]:
            answer(self._autoscaling.put_scheduled_action, **action, **where)


def _only(description: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    return {field: description[field] for field in fields if description.get(field) is not None}
