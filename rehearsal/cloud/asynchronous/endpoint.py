"""What the queue needs to know of an endpoint: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.hosting.catalog import Entry
from rehearsal.cloud.hosting.state import Endpoint

# "If no value is provided, SageMaker chooses an optimal value": which one is assumed.
DEFAULT_CONCURRENCY = 4


@dataclass(frozen=True, kw_only=True)
class AsyncEndpoint:
    """One endpoint's asynchronous side.

    Args:
        output_config: AsyncInferenceConfig.OutputConfig in force
        concurrency: requests an instance is given at a time
        role_arn: of the first variant's model; empty when the model is gone
    """

    output_config: Mapping[str, Any]
    concurrency: int
    role_arn: str


def async_endpoint(endpoint: Endpoint | None, models: Mapping[str, Entry]) -> AsyncEndpoint | None:
    """Return an endpoint's asynchronous side; None when it has none or doesn't serve yet."""
    if endpoint is None or endpoint.live is None:
        return None
    config = endpoint.live.config.get("AsyncInferenceConfig")
    if not config:
        return None
    return AsyncEndpoint(
        output_config=config["OutputConfig"],
        concurrency=config.get("ClientConfig", {}).get(
            "MaxConcurrentInvocationsPerInstance", DEFAULT_CONCURRENCY
        ),
        role_arn=role_of(endpoint.live.config, models),
    )


def role_of(config: Mapping[str, Any], models: Mapping[str, Entry]) -> str:
    """Return the role of a config's first model, empty when the model is gone."""
    for variant in config.get("ProductionVariants", ()):
        model = models.get(variant.get("ModelName", ""))
        if model is not None:
            return str(model.members.get("ExecutionRoleArn", ""))
    return ""
