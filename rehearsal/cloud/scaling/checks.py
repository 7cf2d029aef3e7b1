"""Rules on what Application Auto Scaling is asked, beyond its service model.

Source: botocore application-autoscaling; Application Auto Scaling User Guide, quotas; texts as
users report them where a test says source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rehearsal.cloud.errors import ApiError, validation_exception
from rehearsal.cloud.hosting.endpoints import Endpoints
from rehearsal.cloud.hosting.state import Endpoint
from rehearsal.cloud.scaling.capacity import least_capacity, target_problem, variant_of
from rehearsal.cloud.scaling.step import step_problem
from rehearsal.cloud.scaling.target import (
    CONCURRENCY_DIMENSION,
    COUNT_DIMENSION,
    STEP_SCALING,
    TARGET_TRACKING,
    ScalingPolicy,
)
from rehearsal.cloud.scaling.tracked import tracking_problem

RESOURCE_ID = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
DIMENSIONS = (COUNT_DIMENSION, CONCURRENCY_DIMENSION)
MAXIMUM_POLICIES = 50
MAXIMUM_ACTIONS = 200
MAXIMUM_TAGS = 50

Asked = Mapping[str, Any]


def key_of(asked: Asked) -> tuple[str, str]:
    """Return the resource and dimension a call is about, or refuse the dimension."""
    dimension = asked["ScalableDimension"]
    if dimension not in DIMENSIONS:
        raise validation_exception(
            f"the rehearsal cloud does not scale {dimension}; use {' or '.join(DIMENSIONS)}"
        )
    return asked["ResourceId"], dimension


def scalable_endpoint(endpoints: Endpoints, resource_id: str, dimension: str) -> Endpoint:
    """Return the endpoint of a resource id, or refuse one that names no scalable variant."""
    match = RESOURCE_ID.fullmatch(resource_id)
    if match is None:
        raise validation_exception(
            f"ResourceId '{resource_id}' is not endpoint/<endpoint>/variant/<variant>."
        )
    endpoint = endpoints.engine.endpoints.get(match[1])
    variant = variant_of(endpoint, match[2])
    if endpoint is None or variant is None:
        raise validation_exception(
            f"Could not find variant {match[2]} of endpoint {match[1]} for ResourceId "
            f"'{resource_id}'."
        )
    problem = target_problem(endpoint, variant, dimension)
    if problem is not None:
        raise validation_exception(problem)
    return endpoint


def check_bounds(endpoint: Endpoint, dimension: str, least: int | None, most: int | None) -> None:
    """Refuse bounds that are missing, turned round or below what the variant can have."""
    if least is None or most is None:
        raise validation_exception("MinCapacity and MaxCapacity are required to register.")
    lowest = least_capacity(endpoint, dimension)
    if least < lowest:
        raise validation_exception(
            f"Minimum capacity {least} is below {lowest}, the least of this variant."
        )
    if least > most:
        raise validation_exception(
            f"Maximum capacity cannot be less than minimum capacity, given {most} and {least}."
        )


def policy_configuration(
    asked: Asked, kind: str, known: ScalingPolicy | None, others: Sequence[ScalingPolicy]
) -> Mapping[str, Any]:
    """Return the configuration of a policy's type, or refuse the policy."""
    if kind not in (TARGET_TRACKING, STEP_SCALING):
        raise validation_exception(
            f"the rehearsal cloud does not do {kind} policies, nor does SageMaker; use "
            f"{TARGET_TRACKING} or {STEP_SCALING}"
        )
    if known is not None and known.policy_type != kind:
        raise validation_exception(
            f"Policy {known.name} is of type {known.policy_type}; delete it to change the type."
        )
    configuration: Mapping[str, Any] | None = asked.get(f"{kind}PolicyConfiguration")
    if configuration is None:
        raise validation_exception(f"{kind}PolicyConfiguration is required.")
    if known is None and len(others) >= MAXIMUM_POLICIES:
        raise limit_exceeded(f"{MAXIMUM_POLICIES} scaling policies per scalable target")
    problem = (
        tracking_problem(asked["ScalableDimension"], configuration)
        if kind == TARGET_TRACKING
        else step_problem(configuration)
    )
    if problem is not None:
        raise validation_exception(problem)
    if kind == TARGET_TRACKING and any(_same_metric(configuration, other) for other in others):
        raise validation_exception(
            "Only one TargetTrackingScaling policy for a given metric specification is allowed."
        )
    return configuration


def _same_metric(configuration: Mapping[str, Any], other: ScalingPolicy) -> bool:
    names = ("PredefinedMetricSpecification", "CustomizedMetricSpecification")
    return other.is_tracking and all(
        configuration.get(name) == other.configuration.get(name) for name in names
    )


def check_action(asked: Asked, *, is_new: bool, count: int) -> None:
    """Refuse a scheduled action that does nothing, or one too many."""
    bounds = asked.get("ScalableTargetAction")
    if (is_new or bounds is not None) and not {"MinCapacity", "MaxCapacity"} & set(bounds or {}):
        raise validation_exception(
            "At least one of minimum capacity and maximum capacity should be provided"
        )
    if is_new and "Schedule" not in asked:
        raise validation_exception("Schedule is required for a new scheduled action.")
    if is_new and count >= MAXIMUM_ACTIONS:
        raise limit_exceeded(f"{MAXIMUM_ACTIONS} scheduled actions per scalable target")
    start, end = (with_epochs(asked).get(name) for name in ("StartTime", "EndTime"))
    if start is not None and end is not None and end <= start:
        raise validation_exception("EndTime must be after StartTime.")


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse more tags than a target can have."""
    if len(tags) > MAXIMUM_TAGS:
        raise ApiError(
            "TooManyTagsException", f"{len(tags)} tags are more than the {MAXIMUM_TAGS} of a target"
        )


def with_epochs(asked: Asked) -> dict[str, Any]:
    """Return members with times as epoch seconds, however JSON had them."""
    found = dict(asked)
    for name in ("StartTime", "EndTime"):
        value = found.get(name)
        if isinstance(value, str):
            found[name] = datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    return found


def no_object(what: str, asked: Asked, more: str) -> ApiError:
    """Return the answer to something that isn't registered."""
    return ApiError(
        "ObjectNotFoundException",
        f"No {what} found for service namespace: sagemaker, resource ID: {asked['ResourceId']}, "
        f"scalable dimension: {asked['ScalableDimension']}{more}",
    )


def limit_exceeded(limit: str) -> ApiError:
    """Return the answer to one more than a quota allows."""
    return ApiError("LimitExceededException", f"The limit of {limit} is reached.")
