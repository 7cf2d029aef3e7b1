"""The few AWS calls a swap makes, over clients given from outside.

Translates AWS's errors into words a swap can act on. `endpoint_swap` opens the real clients.

    CloudUnreachableError    throttled, a server error or no connection: worth asking again
    EndpointBusyError        SageMaker is changing the endpoint already
    ConfigNotVisibleError    SageMaker does not see the endpoint config (yet)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from components.swap_plan import (
    AlarmView,
    EndpointView,
    RefusedError,
    VariantView,
    endpoint_view,
)

_THROTTLES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "RequestThrottled",
        "ServiceUnavailable",
        "InternalFailure",
    }
)


class CloudUnreachableError(Exception):
    """AWS did not give an answer that means anything; asking again may help."""


class EndpointBusyError(Exception):
    """SageMaker is changing the endpoint already."""


class ConfigNotVisibleError(Exception):
    """SageMaker says that the endpoint config does not exist."""


@dataclass(frozen=True, kw_only=True)
class SwapClients:
    """boto3 clients of the four services a swap talks to."""

    sagemaker: Any
    cloudwatch: Any
    autoscaling: Any
    parameters: Any


class SwapCloud:
    """What a swap asks of AWS about one endpoint."""

    def __init__(self, clients: SwapClients, endpoint_name: str) -> None:
        self.clients = clients
        self.endpoint_name = endpoint_name

    def look(self) -> EndpointView | None:
        """The endpoint as it is now, or nothing when there is none."""
        try:
            description = answer(
                self.clients.sagemaker.describe_endpoint, EndpointName=self.endpoint_name
            )
        except ClientError as error:
            if _says(error, "Could not find endpoint"):
                return None
            raise
        return endpoint_view(description)

    def variants(self, endpoint_config_name: str) -> tuple[VariantView, ...]:
        """The production variants of an endpoint config.

        Raises:
            ConfigNotVisibleError: there is no such config.
        """
        try:
            description = answer(
                self.clients.sagemaker.describe_endpoint_config,
                EndpointConfigName=endpoint_config_name,
            )
        except ClientError as error:
            if _says(error, "Could not find endpoint configuration"):
                raise ConfigNotVisibleError(endpoint_config_name) from error
            raise
        return tuple(
            VariantView(name=variant["VariantName"], instance_type=variant.get("InstanceType"))
            for variant in description["ProductionVariants"]
        )

    def update(
        self, endpoint_config_name: str, deployment_config: dict[str, Any], *, retains_count: bool
    ) -> None:
        """Start the move to another config.

        Args:
            retains_count: keep the live instance count instead of the config's initial one. Weights
                come from the new config either way. SageMaker does not support leaving data capture
                out of what is retained.
        Raises:
            EndpointBusyError: an update or a scaling is under way.
            ConfigNotVisibleError: the target config is not visible yet.
            RefusedError: SageMaker does not take the update.
        """
        request: dict[str, Any] = {
            "EndpointName": self.endpoint_name,
            "EndpointConfigName": endpoint_config_name,
            "DeploymentConfig": deployment_config,
        }
        if retains_count:
            request["RetainAllVariantProperties"] = True
            request["ExcludeRetainedVariantProperties"] = [{"VariantPropertyType": "DesiredWeight"}]
        try:
            answer(self.clients.sagemaker.update_endpoint, **request)
        except ClientError as error:
            if _says(error, "Cannot update in-progress endpoint"):
                raise EndpointBusyError(self.endpoint_name) from error
            if _says(error, "Could not find endpoint configuration") and _says(
                error, endpoint_config_name
            ):
                raise ConfigNotVisibleError(endpoint_config_name) from error
            raise RefusedError(_refusal(self.endpoint_name, endpoint_config_name, error)) from error

    def alarms(self, names: Sequence[str]) -> tuple[AlarmView, ...]:
        """The state of alarms, those that do not exist left out."""
        if not names:
            return ()
        described = answer(self.clients.cloudwatch.describe_alarms, AlarmNames=list(names))
        return tuple(
            AlarmView(
                name=alarm["AlarmName"],
                state=alarm["StateValue"],
                reason=alarm.get("StateReason", ""),
            )
            for alarm in described["MetricAlarms"]
        )

    def delete_failed_endpoints(self, owner_tags: dict[str, str]) -> tuple[str, ...]:
        """Delete `Failed` endpoints that earlier first creations of this stack left behind.

        Pulumi does not know them: the provider keeps an endpoint only once it is in service.

        Args:
            owner_tags: tags an endpoint must carry to count as this stack's.
        Returns:
            their names.
        """
        stem = self.endpoint_name.rpartition("-")[0]
        if not stem or not owner_tags:
            return ()
        listed = answer(
            self.clients.sagemaker.list_endpoints,
            NameContains=stem,
            StatusEquals="Failed",
            MaxResults=100,
        )
        deleted = []
        for endpoint in listed["Endpoints"]:
            name = endpoint["EndpointName"]
            if name == self.endpoint_name or name.rpartition("-")[0] != stem:
                continue
            tags = answer(self.clients.sagemaker.list_tags, ResourceArn=endpoint["EndpointArn"])
            carried = {tag["Key"]: tag["Value"] for tag in tags["Tags"]}
            if owner_tags.items() <= carried.items():
                answer(self.clients.sagemaker.delete_endpoint, EndpointName=name)
                deleted.append(name)
        return tuple(deleted)


def answer(operation: Any, **parameters: Any) -> Any:
    """The answer of a boto3 operation.

    Raises:
        CloudUnreachableError: throttled, a server error or no connection, after boto3's own
            retries.
        ClientError: AWS refused the call.
    """
    try:
        return operation(**parameters)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        if error.response["Error"]["Code"] in _THROTTLES or status >= 500:
            raise CloudUnreachableError(str(error)) from error
        raise
    except (HTTPClientError, ConnectionError) as error:
        raise CloudUnreachableError(str(error)) from error


def _says(error: ClientError, text: str) -> bool:
    # Not-found and wrong-state are un-modelled ValidationExceptions; only the text tells them
    # apart.
    return text in error.response["Error"].get("Message", "")


def _refusal(endpoint_name: str, target_config_name: str, error: ClientError) -> str:
    message = error.response["Error"].get("Message", str(error))
    story = (
        f"SageMaker does not take the update of endpoint {endpoint_name} to "
        f"{target_config_name}: {message}"
    )
    if "Could not find endpoint configuration" in message:
        story += (
            "\n  next: the config that is live was deleted; create one of that name again with the "
            "same model, or replace the endpoint"
        )
    if error.response["Error"]["Code"] == "ResourceLimitExceeded":
        story += (
            "\n  next: a swap runs both fleets for a while; raise the quota, or take mode ROLLING, "
            "which needs one batch more"
        )
    return story
