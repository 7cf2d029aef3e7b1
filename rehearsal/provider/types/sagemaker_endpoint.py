"""The SageMaker endpoint, with the defects of the real provider's resource.

Controls in the rehearsal depend on them; never mend them here:
- an update is a success as soon as a poll sees `InService`, even on the old configuration;
- the wait is one hour, whatever the deployment may take;
- a failed create leaves the endpoint in the cloud and out of the state;
- a create that failed as the role can't be assumed deletes the endpoint and tries again, but
  does not wait for the deletion, so that the next try finds the name taken;
- a delete is done as soon as the endpoint is `Deleting`: its name is still taken then;
- `RetainAllVariantProperties` is never sent;
- a change of the rollback alarms replaces the endpoint.

Source: hashicorp/terraform-provider-aws internal/service/sagemaker/endpoint.go; issues 39099,
46663 and 48997 there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import Shape

from rehearsal.provider.aws import (
    FIRST_POLL_SECONDS,
    LONGEST_POLL_SECONDS,
    Aws,
    AwsError,
    WaitError,
)
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
# Terraform's propagationTimeout: for so long it takes a role for one that IAM doesn't know yet.
PROPAGATION_SECONDS = 2 * 60
ROLE_NOT_ASSUMED = (
    "Please ensure that the role exists and that its trust relationship policy allows the action "
    '"sts:AssumeRole" for the service principal "sagemaker.amazonaws.com"'
)
SCHEMA = SchemaSource(package=PACKAGE, resource="Endpoint", arguments="EndpointArgs")


class EndpointOperations:
    """Create, update and delete, each with its wait."""

    def create(self, aws: Aws, values: Values) -> str:
        name: str = values["name"]
        started: float | None = None
        pause = FIRST_POLL_SECONDS
        while True:
            self._ask_for(aws, name, values)
            started = aws.clock.now() if started is None else started
            try:
                self._wait_in_service(aws, name)
            except WaitError as err:
                if ROLE_NOT_ASSUMED not in str(err):
                    raise ProviderError(
                        f"waiting for SageMaker AI Endpoint ({name}) create: {err}"
                    ) from err
                self.delete(aws, name, {})
                if aws.clock.now() - started >= PROPAGATION_SECONDS:
                    raise
            else:
                return name
            aws.clock.sleep(pause)
            pause = min(pause * 2, LONGEST_POLL_SECONDS)

    def _ask_for(self, aws: Aws, name: str, values: Values) -> None:
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

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        found = self._find(aws, identifier)
        if found is None:
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
            try:
                self._wait_in_service(aws, name)
            except WaitError as err:
                raise ProviderError(
                    f"waiting for SageMaker AI Endpoint ({name}) update: {err}"
                ) from err
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
                f"waiting for SageMaker AI Endpoint ({identifier}) delete: {err}"
            ) from err

    def _wait_in_service(self, aws: Aws, name: str) -> None:
        aws.wait_for_state(
            IN_SERVICE_SECONDS,
            lambda: self._state(aws, name),
            pending=PENDING,
            target="InService",
        )

    def _state(self, aws: Aws, name: str) -> tuple[str, str]:
        found = self._find(aws, name)
        if found is None:
            return "", ""
        return found["EndpointStatus"], found.get("FailureReason", "")

    def _find(self, aws: Aws, name: str) -> dict[str, Any] | None:
        """The endpoint; one that is being deleted counts as gone, in every wait, too."""
        try:
            found = aws.call("sagemaker", "DescribeEndpoint", EndpointName=name)
        except AwsError as err:
            if err.code == "ValidationException" and NOT_FOUND in err.message:
                return None
            raise
        return None if found["EndpointStatus"] == "Deleting" else found


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
