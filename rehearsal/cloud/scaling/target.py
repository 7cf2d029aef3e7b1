"""Scalable targets, policies and what a policy remembers, as values.

Source: botocore application-autoscaling 2016-02-06.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COUNT_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
CONCURRENCY_DIMENSION = "sagemaker:variant:DesiredProvisionedConcurrency"
DEFAULT_COOLDOWN_SECONDS = 300
TARGET_TRACKING = "TargetTrackingScaling"
STEP_SCALING = "StepScaling"


@dataclass(frozen=True, kw_only=True)
class ScalableTarget:
    """One registered variant."""

    resource_id: str
    dimension: str
    min_capacity: int
    max_capacity: int
    arn: str
    creation_time: float
    suspended: Mapping[str, bool] = field(default_factory=dict)

    @property
    def endpoint_name(self) -> str:
        return self.resource_id.split("/")[1]

    @property
    def variant_name(self) -> str:
        return self.resource_id.split("/")[3]

    @property
    def dimensions(self) -> dict[str, str]:
        """The CloudWatch dimensions of the variant's metrics."""
        return {"EndpointName": self.endpoint_name, "VariantName": self.variant_name}


@dataclass(frozen=True, kw_only=True)
class ScalingPolicy:
    """One policy of a target; target tracking owns two alarms, step scaling none.

    Args:
        configuration: the configuration of its type, as it was sent
    """

    name: str
    resource_id: str
    dimension: str
    policy_type: str
    arn: str
    configuration: Mapping[str, Any]
    creation_time: float
    alarm_high: str = ""
    alarm_low: str = ""

    @property
    def is_tracking(self) -> bool:
        return self.policy_type == TARGET_TRACKING

    @property
    def target_value(self) -> float:
        return float(self.configuration["TargetValue"])

    @property
    def may_scale_in(self) -> bool:
        return not self.configuration.get("DisableScaleIn")

    def cooldown_seconds(self, *, out: bool) -> int:
        """Return the cooldown of a direction; SageMaker variants have 300 s unless told."""
        tracking = "ScaleOutCooldown" if out else "ScaleInCooldown"
        name = tracking if self.is_tracking else "Cooldown"
        return int(self.configuration.get(name, DEFAULT_COOLDOWN_SECONDS))


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a policy did last, as far as cooldowns ask.

    Args:
        out_at: rehearsal time its last scale out was fulfilled, or None
        out_base: the capacity before that scale out
        in_at: rehearsal time its last scale in was fulfilled, or None
    """

    out_at: float | None = None
    out_base: int = 0
    in_at: float | None = None


def within_bounds(target: ScalableTarget, current: int) -> int:
    """Return the capacity brought into the target's bounds."""
    return min(max(current, target.min_capacity), target.max_capacity)
