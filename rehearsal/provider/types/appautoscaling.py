"""Application Auto Scaling: scalable targets and scaling policies.

Source: hashicorp/terraform-provider-aws internal/service/appautoscaling/{target,policy}.go.
"""

from __future__ import annotations

from typing import Any

from rehearsal.provider.aws import Aws, AwsError
from rehearsal.provider.convert import Renames, members_from_values, values_from_members
from rehearsal.provider.entry import Autoname, Change, ProviderError, ResourceType, Rule
from rehearsal.provider.enumeration import shape_named
from rehearsal.provider.schema import SchemaSource, read_schema
from rehearsal.provider.tags import APPLICATION_AUTO_SCALING, read_tags, tag_list, update_tags
from rehearsal.provider.value import Values

PACKAGE = "pulumi_aws.appautoscaling"
SERVICE = "application-autoscaling"
PROPAGATION_SECONDS = 120
DELETE_SECONDS = 300
SERVER_ERROR = 500
POLICY_SCHEMA = SchemaSource(package=PACKAGE, resource="Policy", arguments="PolicyArgs")
ADDRESS: Renames = {
    "serviceNamespace": "ServiceNamespace",
    "resourceId": "ResourceId",
    "scalableDimension": "ScalableDimension",
}
CONFIGURATIONS: Renames = {
    "targetTrackingScalingPolicyConfiguration": "TargetTrackingScalingPolicyConfiguration",
    "stepScalingPolicyConfiguration": "StepScalingPolicyConfiguration",
}


def is_gone(err: AwsError) -> bool:
    """True for AWS's ObjectNotFoundException; moto says the same as a ValidationException."""
    return err.code == "ObjectNotFoundException" or err.message.startswith("No scal")


def address_of(identifier: str, known: Values, parts: int) -> dict[str, str]:
    """Namespace, resource and dimension, from the state or from an import id.

    Args:
        parts: parts of the id after the resource: the dimension, and for a policy its name
    """
    if all(name in known for name in ADDRESS):
        return {member: known[name] for name, member in ADDRESS.items()}
    namespace, *pieces = identifier.split("/")
    if len(pieces) <= parts:
        raise ProviderError(
            f"id {identifier!r} does not say which scalable target; allowed:"
            " service-namespace/resource-id/scalable-dimension, for a policy with /policy-name"
        )
    return {
        "ServiceNamespace": namespace,
        "ResourceId": "/".join(pieces[:-parts]),
        "ScalableDimension": pieces[-parts],
    }


class TargetOperations:
    """A scalable target; its id is the resource's. Registering again updates."""

    def create(self, aws: Aws, values: Values) -> str:
        tags = tag_list(values.get("tags"), APPLICATION_AUTO_SCALING)
        self._register(aws, values, tags)
        return str(values["resourceId"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        address = address_of(identifier, known, 1)
        found = self._find(aws, address)
        if found is None:
            return None
        values = {name: found[member] for name, member in ADDRESS.items()}
        arn = found.get("ScalableTargetARN", "")
        suspended = found.get("SuspendedState") or {}
        return {
            **values,
            "minCapacity": found["MinCapacity"],
            "maxCapacity": found["MaxCapacity"],
            "roleArn": found.get("RoleARN"),
            "arn": arn,
            "suspendedState": {
                "dynamicScalingInSuspended": suspended.get("DynamicScalingInSuspended", False),
                "dynamicScalingOutSuspended": suspended.get("DynamicScalingOutSuspended", False),
                "scheduledScalingSuspended": suspended.get("ScheduledScalingSuspended", False),
            },
            **self._tags(aws, arn, known),
        }

    def update(self, aws: Aws, change: Change) -> None:
        if change.properties - {"tags"}:
            self._register(aws, change.new, None)
        update_tags(aws, APPLICATION_AUTO_SCALING, change.old["arn"], change)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        address = address_of(identifier, known, 1)
        try:
            aws.call(SERVICE, "DeregisterScalableTarget", **address)
        except AwsError as err:
            # SageMaker deregisters the targets of a deleted endpoint by itself.
            if not is_gone(err):
                raise
            return
        aws.poll(
            DELETE_SECONDS,
            lambda: self._find(aws, address) is None,
            lambda: f"waiting for Application AutoScaling Target ({identifier}) to be gone",
        )

    def _tags(self, aws: Aws, arn: str, known: Values) -> Values:
        try:
            return {**read_tags(aws, APPLICATION_AUTO_SCALING, arn)}
        except AwsError as err:
            # moto has no ListTagsForResource here; the tags are then taken to be as they were.
            if err.status < SERVER_ERROR:
                raise
            tags = known.get("tags", {})
            return {"tags": tags, "tagsAll": tags}

    def _register(self, aws: Aws, values: Values, tags: Any) -> None:
        shape = shape_named(SERVICE, "RegisterScalableTargetRequest")
        plain = {name: value for name, value in values.items() if name not in ("tags", "region")}
        members = members_from_values(plain, shape)
        aws.retry(
            PROPAGATION_SECONDS,
            lambda: aws.call(SERVICE, "RegisterScalableTarget", **members, Tags=tags),
            lambda err: (
                err.code == "ValidationException" and "Unable to assume IAM role" in err.message
            ),
        )

    def _find(self, aws: Aws, address: dict[str, str]) -> dict[str, Any] | None:
        answer = aws.call(
            SERVICE,
            "DescribeScalableTargets",
            ServiceNamespace=address["ServiceNamespace"],
            ResourceIds=[address["ResourceId"]],
            ScalableDimension=address["ScalableDimension"],
        )
        targets: list[dict[str, Any]] = answer["ScalableTargets"]
        return targets[0] if targets else None


class PolicyOperations:
    """A scaling policy; its id is its name."""

    def create(self, aws: Aws, values: Values) -> str:
        self._put(aws, values)
        return str(values["name"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        address = address_of(identifier, known, 2)
        name = known.get("name", identifier.rpartition("/")[2])
        answer = aws.call(SERVICE, "DescribeScalingPolicies", PolicyNames=[name], **address)
        if not answer["ScalingPolicies"]:
            return None
        found = answer["ScalingPolicies"][0]
        inputs = read_schema(POLICY_SCHEMA).inputs
        configurations = {name: inputs[name] for name in CONFIGURATIONS}
        return {
            **{name: found[member] for name, member in ADDRESS.items()},
            "name": found["PolicyName"],
            "policyType": found["PolicyType"],
            "arn": found["PolicyARN"],
            "alarmArns": [alarm["AlarmARN"] for alarm in found.get("Alarms", [])],
            **values_from_members(found, configurations, CONFIGURATIONS),
        }

    def update(self, aws: Aws, change: Change) -> None:
        self._put(aws, change.new)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        address = address_of(identifier, known, 2)
        name = known.get("name", identifier.rpartition("/")[2])
        try:
            aws.call(SERVICE, "DeleteScalingPolicy", PolicyName=name, **address)
        except AwsError as err:
            if not is_gone(err):
                raise

    def _put(self, aws: Aws, values: Values) -> None:
        shape = shape_named(SERVICE, "PutScalingPolicyRequest")
        plain = {name: value for name, value in values.items() if name != "region"}
        members = members_from_values(plain, shape, {"name": "PolicyName"})
        aws.call(SERVICE, "PutScalingPolicy", **members)


ADDRESS_NAMES = frozenset(ADDRESS)

TYPES = (
    ResourceType(
        token="aws:appautoscaling/target:Target",
        title="Application AutoScaling Target",
        source="terraform-provider-aws internal/service/appautoscaling/target.go",
        schema=SchemaSource(package=PACKAGE, resource="Target", arguments="TargetArgs"),
        operations=TargetOperations(),
        replaces=ADDRESS_NAMES,
        computed=frozenset({"roleArn", "suspendedState"}),
        rules={
            "serviceNamespace": Rule(shape=(SERVICE, "ServiceNamespace")),
            "scalableDimension": Rule(shape=(SERVICE, "ScalableDimension")),
        },
    ),
    ResourceType(
        token="aws:appautoscaling/policy:Policy",
        title="Application AutoScaling Scaling Policy",
        source="terraform-provider-aws internal/service/appautoscaling/policy.go",
        schema=POLICY_SCHEMA,
        operations=PolicyOperations(),
        autoname=Autoname(maximum_length=256),
        replaces=ADDRESS_NAMES | {"name"},
        defaults={"policyType": "StepScaling"},
        rules={
            "policyType": Rule(choices=("TargetTrackingScaling", "StepScaling")),
            "serviceNamespace": Rule(shape=(SERVICE, "ServiceNamespace")),
            "scalableDimension": Rule(shape=(SERVICE, "ScalableDimension")),
        },
        sets=frozenset(
            {
                "stepScalingPolicyConfiguration.stepAdjustments",
                "targetTrackingScalingPolicyConfiguration.customizedMetricSpecification.dimensions",
                "targetTrackingScalingPolicyConfiguration.customizedMetricSpecification.metrics",
            }
        ),
        unsupported={
            "predictiveScalingPolicyConfiguration": "SageMaker variants do not scale by it",
        },
        taggable=False,
    ),
)
