"""The SageMaker endpoint, with the defects of the real provider's resource.

Controls in the rehearsal depend on them; never mend them here:
- an update is a success as soon as a poll sees `InService`, even on the old configuration;
- the wait is one hour, whatever the deployment may take;
- a failed create leaves the endpoint in the cloud and out of the state;
- `RetainAllVariantProperties` is never sent;
- a change of the rollback alarms replaces the endpoint.

Source: hashicorp/terraform-provider-aws internal/service/sagemaker/endpoint.go and wait.go; issues
39099, 46663 and 48997 there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import Shape

from rehearsal.provider.aws import Aws, AwsError, WaitError
from rehearsal.provider.convert import members_from_values, values_from_members
from rehearsal.provider.entry import Autoname, Change, ProviderError, ResourceType, Rule
from rehearsal.provider.enumeration import shape_named
from rehearsal.provider.schema import SchemaSource, read_schema
from rehearsal.provider.tags import SAGEMAKER, read_tags, tag_list, update_tags
from rehearsal.provider.types.sagemaker import NAME, PACKAGE
from rehearsal.provider.value import Values

IN_SERVICE_SECONDS = 60 * 60
DELETED_SECONDS = 10 * 60
# `RollingBack` is not among them: a poll that happens to see it fails, one that misses it does not.
PENDING = ("Creating", "Updating", "SystemUpdating")
NOT_FOUND = "Could not find endpoint"
SCHEMA = SchemaSource(package=PACKAGE, resource="Endpoint", arguments="EndpointArgs")


class EndpointOperations:
    """Create, update and delete, each with its wait."""

    def create(self, aws: Aws, values: Values) -> str:
        name: str = values["name"]
        try:
            aws.call(
                "sagemaker",
                "CreateEndpoint",
                EndpointName=name,
                EndpointConfigName=values["endpointConfigName"],
                DeploymentConfig=deployment_members(values.get("deploymentConfig")),
                Tags=tag_list(values.get("tags")),
            )
        except AwsError as err:
            raise ProviderError(f"creating SageMaker AI Endpoint ({name}): {err}") from err
        self._wait_in_service(aws, name)
        return name

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        found = self._describe(aws, identifier)
        if found is None or found["EndpointStatus"] == "Deleting":
            return None
        arn = found["EndpointArn"]
        return {
            "name": found["EndpointName"],
            "endpointConfigName": found.get("EndpointConfigName", ""),
            "arn": arn,
            "deploymentConfig": deployment_values(found.get("LastDeploymentConfig")),
            **read_tags(aws, SAGEMAKER, arn),
        }

    def update(self, aws: Aws, change: Change) -> None:
        name, new = change.identifier, change.new
        if change.touches("endpointConfigName", "deploymentConfig"):
            try:
                aws.call(
                    "sagemaker",
                    "UpdateEndpoint",
                    EndpointName=name,
                    EndpointConfigName=new["endpointConfigName"],
                    DeploymentConfig=deployment_members(new.get("deploymentConfig")),
                )
            except AwsError as err:
                raise ProviderError(f"updating SageMaker AI Endpoint ({name}): {err}") from err
            self._wait_in_service(aws, name)
        update_tags(aws, SAGEMAKER, change.old["arn"], change)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        try:
            aws.call("sagemaker", "DeleteEndpoint", EndpointName=identifier)
        except AwsError as err:
            if NOT_FOUND in err.message:
                return
            raise ProviderError(f"deleting SageMaker AI Endpoint ({identifier}): {err}") from err
        try:
            aws.wait_for_state(
                DELETED_SECONDS,
                lambda: self._state(aws, identifier),
                pending=("Deleting",),
                target="",
            )
        except WaitError as err:
            raise ProviderError(
                f"waiting for SageMaker AI Endpoint ({identifier}) to be deleted: {err}"
            ) from err

    def _wait_in_service(self, aws: Aws, name: str) -> None:
        try:
            aws.wait_for_state(
                IN_SERVICE_SECONDS,
                lambda: self._state(aws, name),
                pending=PENDING,
                target="InService",
            )
        except WaitError as err:
            raise ProviderError(
                f"waiting for SageMaker AI Endpoint ({name}) to be in service: {err}"
            ) from err

    def _state(self, aws: Aws, name: str) -> tuple[str, str]:
        found = self._describe(aws, name)
        if found is None:
            return "", ""
        return found["EndpointStatus"], found.get("FailureReason", "")

    def _describe(self, aws: Aws, name: str) -> dict[str, Any] | None:
        try:
            return aws.call("sagemaker", "DescribeEndpoint", EndpointName=name)
        except AwsError as err:
            if err.code == "ValidationException" and NOT_FOUND in err.message:
                return None
            raise


def deployment_members(values: Values | None) -> Values | None:
    """SageMaker's DeploymentConfig; None when there is none. Pure."""
    if not values:
        return None
    shape: Shape = shape_named("sagemaker", "DeploymentConfig")
    return members_from_values(values, shape)


def deployment_values(members: Mapping[str, Any] | None) -> Values | None:
    """`deploymentConfig` from what SageMaker says was used last. Pure."""
    if not members:
        return None
    return values_from_members(members, read_schema(SCHEMA).inputs["deploymentConfig"].members)


_POLICIES = {
    "blueGreen": "deploymentConfig.blueGreenUpdatePolicy",
    "routing": "deploymentConfig.blueGreenUpdatePolicy.trafficRoutingConfiguration",
    "rolling": "deploymentConfig.rollingUpdatePolicy",
}
_WAIT = Rule(minimum=0, maximum=3600)
# SageMaker allows 28800; the real provider's own limit is half of it.
_EXECUTION = Rule(minimum=600, maximum=14400)
_SIZES = (
    f"{_POLICIES['routing']}.canarySize",
    f"{_POLICIES['routing']}.linearStepSize",
    f"{_POLICIES['rolling']}.maximumBatchSize",
    f"{_POLICIES['rolling']}.rollbackMaximumBatchSize",
)

TYPES = (
    ResourceType(
        token="aws:sagemaker/endpoint:Endpoint",
        title="SageMaker AI Endpoint",
        source="terraform-provider-aws internal/service/sagemaker/endpoint.go",
        schema=SCHEMA,
        operations=EndpointOperations(),
        autoname=Autoname(),
        replaces=frozenset({"name", "deploymentConfig.autoRollbackConfiguration"}),
        defaults={f"{_POLICIES['blueGreen']}.terminationWaitInSeconds": 0},
        rules={
            "name": NAME,
            "endpointConfigName": NAME,
            f"{_POLICIES['blueGreen']}.maximumExecutionTimeoutInSeconds": _EXECUTION,
            f"{_POLICIES['blueGreen']}.terminationWaitInSeconds": _WAIT,
            f"{_POLICIES['rolling']}.maximumExecutionTimeoutInSeconds": _EXECUTION,
            f"{_POLICIES['rolling']}.waitIntervalInSeconds": _WAIT,
            f"{_POLICIES['routing']}.type": Rule(shape=("sagemaker", "TrafficRoutingConfigType")),
            f"{_POLICIES['routing']}.waitIntervalInSeconds": _WAIT,
            "deploymentConfig.autoRollbackConfiguration.alarms": Rule(minimum=1, maximum=10),
            **{f"{size}.type": Rule(shape=("sagemaker", "CapacitySizeType")) for size in _SIZES},
            **{f"{size}.value": Rule(minimum=1) for size in _SIZES},
        },
        sets=frozenset({"deploymentConfig.autoRollbackConfiguration.alarms"}),
    ),
)
