"""How many instances a variant has and may have, as pure rules.

Never add a call to AWS here: the driver reads these rules to check settings without credentials.
"""

import re
from dataclasses import dataclass

# The t2 and t3 families burst on credits and cannot be a scalable target.
# Source: aws-controllers-k8s/community issue 1633; aws-cdk sagemaker-alpha refuses them likewise.
_BURSTABLE = re.compile(r"ml\.t[0-9]+[a-z]*\..+")

INSTANCE_TYPE_PATTERN = r"ml\.[a-z0-9-]+\.[a-z0-9]+"


@dataclass(frozen=True, kw_only=True)
class ScalingSettings:
    """Target tracking of one variant.

    Args:
        min_capacity: instances kept without traffic.
        max_capacity: instances never exceeded.
        target_invocations_per_instance: invocations per instance per minute to steer at.
        scale_in_cooldown_seconds: wait after removing instances before removing more.
        scale_out_cooldown_seconds: wait after adding instances before adding more.
    """

    min_capacity: int
    max_capacity: int
    target_invocations_per_instance: int
    scale_in_cooldown_seconds: int
    scale_out_cooldown_seconds: int


def is_burstable(instance_type: str) -> bool:
    """Whether the type runs on CPU credits and so can't be autoscaled."""
    return _BURSTABLE.fullmatch(instance_type) is not None


def smallest_fleet(initial_instance_count: int, scaling: ScalingSettings | None) -> int:
    """The fewest instances a swap may meet, in instances.

    A canary or a step is a share of the fleet that is live at the time of the swap, which
    autoscaling may have brought down to its minimum.
    """
    if scaling is None:
        return initial_instance_count
    return min(initial_instance_count, scaling.min_capacity)


def capacity_problems(
    instance_type: str, initial_instance_count: int, scaling: ScalingSettings | None
) -> list[str]:
    """What AWS would refuse about the numbers of instances, as sentences."""
    if scaling is None:
        return []
    problems = []
    if is_burstable(instance_type):
        problems.append(
            f"minCapacity and maxCapacity are given, but instanceType {instance_type} is "
            "burstable and "
            "can't be autoscaled; leave them out, or take a type such as ml.m5.large"
        )
    if scaling.min_capacity > scaling.max_capacity:
        problems.append(
            f"minCapacity {scaling.min_capacity} is above maxCapacity {scaling.max_capacity}; "
            "give a minimum that is at most the maximum"
        )
    elif not scaling.min_capacity <= initial_instance_count <= scaling.max_capacity:
        problems.append(
            f"initialInstanceCount {initial_instance_count} is outside minCapacity "
            f"{scaling.min_capacity} and maxCapacity {scaling.max_capacity}; registering the "
            "scalable target would change the count at once, give one in between"
        )
    return problems
