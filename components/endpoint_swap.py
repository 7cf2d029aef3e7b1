"""The swap as a Pulumi resource: its input is the endpoint config that should be live.

Pulumi's own endpoint resource reports success after SageMaker rolled back and then deletes the
config that is still live. Here the update fails unless the target config is proven live, so Pulumi
keeps what it would delete, and the next `up` tries again.

The provider holds no state, so what Pulumi stores of it is the name of its class: editing this file
never shows as a change. Renaming the class or the file does, and breaks `destroy` of older stacks.
"""

import os
import sys
from dataclasses import dataclass
from typing import Any

import boto3
import pulumi
from botocore.config import Config
from pulumi.dynamic import (
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from components.clock import Clock, SystemClock
from components.swap_cloud import SwapClients, SwapCloud
from components.swap_plan import SwapError
from components.swap_scaling import SwapScaling
from components.swap_watch import (
    Swap,
    SwapRequest,
    SwapResult,
    wait_until_settled,
)

POLL_INTERVAL_VARIABLE = "GREENLIGHT_POLL_INTERVAL_SECONDS"
_DEFAULT_POLL_INTERVAL_SECONDS = 5.0
_MAXIMUM_ATTEMPTS = 8

_INPUTS = (
    "region",
    "endpoint_name",
    "endpoint_config_name",
    "deployment_config",
    "deadline_seconds",
    "is_autoscaled",
    "artifact_digest",
    "owner_tags",
)


class EndpointSwapProvider(ResourceProvider):
    """Moves an endpoint to the declared config and fails unless it gets there."""

    # The stored provider is a class name, not a secret.
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Prove that a new endpoint serves its config, and clear away failed first creations."""
        result = self._swap(props)
        cloud = SwapCloud(self.clients(props), props["endpoint_name"])
        for name in cloud.delete_failed_endpoints(props.get("owner_tags", {})):
            self.tell(f"swap {props['endpoint_name']}: deleted {name}, left by a failed creation")
        return CreateResult(props["endpoint_name"], _outputs(props, result))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Move the endpoint to another config."""
        return UpdateResult(_outputs(news, self._swap(news)))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare what is declared; another endpoint is another swap."""
        replaces = ["endpoint_name"] if olds.get("endpoint_name") != news["endpoint_name"] else []
        changes = any(olds.get(key) != news.get(key) for key in _INPUTS)
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=False)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Show which config is live, so that a refresh reveals a move made elsewhere."""
        view = SwapCloud(self.clients(props), id_).look()
        if view is None:
            return ReadResult("", {})
        inputs = {key: props[key] for key in _INPUTS if key in props}
        live = {**inputs, "endpoint_config_name": view.endpoint_config_name}
        outputs = {**props, **live, "live_endpoint_config_name": view.endpoint_config_name}
        return ReadResult(id_, outputs, live)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Let an update under way end, as the endpoint can't be deleted before, and tidy up."""
        clients = self.clients(props)
        wait_until_settled(
            SwapCloud(clients, id_),
            clock=self.clock(),
            tell=self.tell,
            poll_interval_seconds=_poll_interval_seconds(),
            limit_seconds=int(props["deadline_seconds"]),
        )
        SwapScaling(clients, id_).forget()

    def clients(self, props: dict[str, Any]) -> SwapClients:
        """The AWS clients; credentials and `AWS_ENDPOINT_URL` come from the environment."""
        return open_clients(props["region"])

    def clock(self) -> Clock:
        """The time to wait by."""
        return SystemClock()

    def tell(self, line: str) -> None:
        """Say one line of progress; Pulumi shows what a provider writes as it happens."""
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def _swap(self, props: dict[str, Any]) -> SwapResult:
        clients = self.clients(props)
        request = SwapRequest(
            endpoint_name=props["endpoint_name"],
            endpoint_config_name=props["endpoint_config_name"],
            deployment_config=_whole_numbers(props["deployment_config"]),
            deadline_seconds=int(props["deadline_seconds"]),
            is_autoscaled=bool(props["is_autoscaled"]),
        )
        swap = Swap(
            request,
            SwapCloud(clients, request.endpoint_name),
            SwapScaling(clients, request.endpoint_name),
            clock=self.clock(),
            tell=self.tell,
            poll_interval_seconds=_poll_interval_seconds(),
        )
        try:
            return swap.run()
        except SwapError as error:
            # Pulumi prints the trace of what a provider raises; the story is all of it that helps.
            raise error.with_traceback(None) from None


@dataclass(frozen=True, kw_only=True)
class EndpointSwapArgs:
    """What a swap is told.

    Args:
        endpoint_config_name: the config that should be live.
        deployment_config: the rollout as UpdateEndpoint takes it.
        deadline_seconds: how long to watch before the swap is inconclusive.
        is_autoscaled: whether the variant is a scalable target, so that its live count is kept.
        artifact_digest: SHA-256 of the artifact being deployed, kept as evidence.
        owner_tags: tags by which a failed endpoint of an earlier creation is known as this stack's.
    """

    region: pulumi.Input[str]
    endpoint_name: pulumi.Input[str]
    endpoint_config_name: pulumi.Input[str]
    deployment_config: pulumi.Input[dict[str, Any]]
    deadline_seconds: pulumi.Input[int]
    is_autoscaled: pulumi.Input[bool]
    artifact_digest: pulumi.Input[str | None]
    owner_tags: pulumi.Input[dict[str, str]]


class EndpointSwap(Resource, module="components", name="EndpointSwap"):
    """An endpoint that serves the declared config, by proof.

    Attributes:
        verdict: `promoted`, as anything else fails the update.
        live_endpoint_config_name: the config that is live.
        previous_endpoint_config_name: the config that was live before.
    """

    verdict: pulumi.Output[str]
    live_endpoint_config_name: pulumi.Output[str]
    previous_endpoint_config_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: EndpointSwapArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        inputs = {key: getattr(args, key) for key in _INPUTS}
        outputs = {
            "verdict": None,
            "live_endpoint_config_name": None,
            "previous_endpoint_config_name": None,
        }
        super().__init__(EndpointSwapProvider(), name, {**inputs, **outputs}, opts)


def open_clients(region: str) -> SwapClients:
    """boto3 clients for a swap in one region."""
    session = boto3.Session(region_name=region)
    # Standard mode also retries throttles; the watch goes on asking after that.
    config = Config(retries={"mode": "standard", "max_attempts": _MAXIMUM_ATTEMPTS})
    return SwapClients(
        sagemaker=session.client("sagemaker", config=config),
        cloudwatch=session.client("cloudwatch", config=config),
        autoscaling=session.client("application-autoscaling", config=config),
        parameters=session.client("ssm", config=config),
    )


def _poll_interval_seconds() -> float:
    value = os.environ.get(POLL_INTERVAL_VARIABLE)
    return _DEFAULT_POLL_INTERVAL_SECONDS if value is None else float(value)


def _outputs(props: dict[str, Any], result: SwapResult) -> dict[str, Any]:
    return {
        **{key: props.get(key) for key in _INPUTS},
        "verdict": result.verdict.value,
        "live_endpoint_config_name": result.live_endpoint_config_name,
        "previous_endpoint_config_name": result.previous_endpoint_config_name,
    }


def _whole_numbers(value: Any) -> Any:
    # Numbers cross Pulumi's wire as floating point, and boto3 refuses 120.0 where it wants 120.
    if isinstance(value, dict):
        return {key: _whole_numbers(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(entry) for entry in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
