"""What a job's requests look like: the request's values, else the container's, else defaults.

Source: botocore CreateTransformJobRequest; SageMaker Developer Guide, "Use your own inference
code with batch transform". Data logs of real jobs show MULTI_RECORD where nobody chose.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.transform.records import BYTES_PER_MB

SINGLE = "SINGLE_RECORD"
MULTI = "MULTI_RECORD"
STRATEGIES = {"SingleRecord": SINGLE, "MultiRecord": MULTI}
DEFAULTS = {"MaxConcurrentTransforms": 1, "MaxPayloadInMB": 6, "BatchStrategy": MULTI}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The three values a job runs with.

    Args:
        payload_mb: 0 for payloads of any size, sent by HTTP chunked encoding
    """

    concurrency: int
    payload_mb: int
    strategy: str

    @property
    def maximum_bytes(self) -> float:
        """The largest payload."""
        return self.payload_mb * BYTES_PER_MB if self.payload_mb else math.inf

    @property
    def line(self) -> str:
        """The first line of a job's data log."""
        return (
            f"MaxConcurrentTransforms={self.concurrency}, MaxPayloadInMB={self.payload_mb}, "
            f"BatchStrategy={self.strategy}"
        )


def parameters(asked: Mapping[str, Any], from_container: Mapping[str, Any]) -> Parameters:
    """Return the values in force; 0 concurrent transforms count as unset."""
    set_by_user: dict[str, Any] = {}
    if asked.get("MaxConcurrentTransforms"):
        set_by_user["MaxConcurrentTransforms"] = asked["MaxConcurrentTransforms"]
    if "MaxPayloadInMB" in asked:
        set_by_user["MaxPayloadInMB"] = asked["MaxPayloadInMB"]
    if "BatchStrategy" in asked:
        set_by_user["BatchStrategy"] = STRATEGIES[asked["BatchStrategy"]]
    values = {**DEFAULTS, **from_container, **set_by_user}
    return Parameters(
        concurrency=values["MaxConcurrentTransforms"],
        payload_mb=values["MaxPayloadInMB"],
        strategy=values["BatchStrategy"],
    )


def container_parameters(body: bytes) -> dict[str, Any]:
    """Return what /execution-parameters said; whatever isn't a valid value is left out."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(told, dict):
        return {}
    kept: dict[str, Any] = {}
    for name in ("MaxConcurrentTransforms", "MaxPayloadInMB"):
        value = told.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            kept[name] = value
    if told.get("BatchStrategy") in (SINGLE, MULTI):
        kept["BatchStrategy"] = told["BatchStrategy"]
    return kept


def environment(asked: Mapping[str, Any]) -> dict[str, str]:
    """Return what a job adds to its containers' environment: only what the user set."""
    added: dict[str, str] = {**asked.get("Environment", {}), "SAGEMAKER_BATCH": "true"}
    if "MaxPayloadInMB" in asked:
        added["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(asked["MaxPayloadInMB"])
    if "BatchStrategy" in asked:
        added["SAGEMAKER_BATCH_STRATEGY"] = STRATEGIES[asked["BatchStrategy"]]
    if asked.get("MaxConcurrentTransforms"):
        added["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(asked["MaxConcurrentTransforms"])
    return added


def model_with_environment(model: Mapping[str, Any], added: Mapping[str, str]) -> dict[str, Any]:
    """Return a model whose every container has more environment; the job's values win."""

    def with_more(container: Mapping[str, Any]) -> dict[str, Any]:
        return {**container, "Environment": {**container.get("Environment", {}), **added}}

    changed = dict(model)
    if "PrimaryContainer" in model:
        changed["PrimaryContainer"] = with_more(model["PrimaryContainer"])
    if model.get("Containers"):
        changed["Containers"] = [with_more(each) for each in model["Containers"]]
    return changed
