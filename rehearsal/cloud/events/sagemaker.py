"""SageMaker's own events: pure, from what Describe says to what EventBridge gets.

Source: SageMaker Developer Guide, "Events that Amazon SageMaker AI sends to Amazon EventBridge",
sections "endpoint state change", "endpoint deployment state change", "transform job state change",
    "model package state change".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ENDPOINT_CHANGE = "SageMaker Endpoint State Change"
DEPLOYMENT_CHANGE = "SageMaker Endpoint Deployment State Change"
TRANSFORM_CHANGE = "SageMaker Transform Job State Change"
MODEL_PACKAGE_CHANGE = "SageMaker Model Package State Change"
SOURCE = "aws.sagemaker"
# The members of a variant's summary that the guide's samples show.
VARIANT_MEMBERS = (
    "VariantName",
    "CurrentWeight",
    "DesiredWeight",
    "CurrentInstanceCount",
    "DesiredInstanceCount",
)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event before it gets its id, its time and its account."""

    detail_type: str
    resource_arn: str
    detail: Mapping[str, Any]


def endpoint_change(described: Mapping[str, Any], tags: Mapping[str, str]) -> Event:
    """Return the event of an endpoint that has got another status.

    Args:
        described: DescribeEndpointOutput, times in epoch seconds
    """
    return Event(
        detail_type=ENDPOINT_CHANGE,
        resource_arn=described["EndpointArn"],
        detail=_endpoint_detail(described, tags, statuses=False),
    )


def deployment_change(described: Mapping[str, Any], tags: Mapping[str, str]) -> Event:
    """Return the event of a deployment that has come to another stage."""
    detail = _endpoint_detail(described, tags, statuses=True)
    pending = described.get("PendingDeploymentSummary")
    if pending is not None:
        detail["PendingDeploymentSummary"] = {
            "EndpointConfigName": pending["EndpointConfigName"],
            "StartTime": epoch_ms(pending["StartTime"]),
            "ProductionVariants": _variants(pending["ProductionVariants"], statuses=True),
        }
    return Event(
        detail_type=DEPLOYMENT_CHANGE, resource_arn=described["EndpointArn"], detail=detail
    )


def transform_change(described: Mapping[str, Any], tags: Mapping[str, str]) -> Event:
    """Return the event of a batch transform job that has got another status.

    The guide's sample of its times is a placeholder; they are told as in the other events.

    Args:
        described: DescribeTransformJobResponse, times in epoch seconds
    """
    detail = {
        name: epoch_ms(value) if name.endswith("Time") else value
        for name, value in described.items()
    }
    return Event(
        detail_type=TRANSFORM_CHANGE,
        resource_arn=described["TransformJobArn"],
        detail={**detail, "Tags": dict(tags)},
    )


def model_package_change(arn: str, detail: Mapping[str, Any], tags: Mapping[str, str]) -> Event:
    """Return the event of a version that was registered or changed, by an approval for one."""
    return Event(
        detail_type=MODEL_PACKAGE_CHANGE, resource_arn=arn, detail={**detail, "Tags": dict(tags)}
    )


def upper_snake(status: str) -> str:
    """Return a status in the form events use: `InService` as `IN_SERVICE`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", status).upper()


def epoch_ms(seconds: float) -> int:
    """Return a time as events tell it."""
    return round(seconds * 1000)


def _endpoint_detail(
    described: Mapping[str, Any], tags: Mapping[str, str], *, statuses: bool
) -> dict[str, Any]:
    return {
        "EndpointName": described["EndpointName"],
        "EndpointArn": described["EndpointArn"],
        "EndpointConfigName": described["EndpointConfigName"],
        "ProductionVariants": _variants(described.get("ProductionVariants", ()), statuses=statuses),
        "EndpointStatus": upper_snake(described["EndpointStatus"]),
        "CreationTime": epoch_ms(described["CreationTime"]),
        "LastModifiedTime": epoch_ms(described["LastModifiedTime"]),
        "Tags": dict(tags),
    }


def _variants(variants: Any, *, statuses: bool) -> list[dict[str, Any]]:
    shown = []
    for variant in variants:
        entry = {name: variant[name] for name in VARIANT_MEMBERS if name in variant}
        if statuses and "VariantStatus" in variant:
            entry["VariantStatus"] = [
                {**status, "StartTime": epoch_ms(status["StartTime"])}
                for status in variant["VariantStatus"]
            ]
        shown.append(entry)
    return shown
