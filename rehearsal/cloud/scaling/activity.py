"""Scaling activities: what was tried, why, and what came of it.

Source: Application Auto Scaling User Guide, "Scaling activities"; SageMaker Developer Guide,
"endpoint-scaling-query-history", for the texts, read 2026.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.ids import new_id, request_id

KEPT_SECONDS = 6 * 7 * 86_400
MAXIMUM_ACTIVITIES = 10_000
NOUNS = {
    "sagemaker:variant:DesiredInstanceCount": "instance count",
    "sagemaker:variant:DesiredProvisionedConcurrency": "provisioned concurrency",
}


@dataclass
class Activity:
    """One scaling activity; its status moves on while the endpoint changes.

    Args:
        capacity: what it sets, None when it sets no capacity
        before: the capacity it found
        policy_name: whose cooldown begins once it is fulfilled, empty for none
    """

    resource_id: str
    dimension: str
    description: str
    cause: str
    start_time: float
    capacity: int | None = None
    before: int = 0
    policy_name: str = ""
    status: str = "Pending"
    message: str = ""
    end_time: float | None = None
    not_scaled: Mapping[str, Any] | None = None
    activity_id: str = field(default_factory=new_id)

    @property
    def is_open(self) -> bool:
        return self.status in ("Pending", "InProgress")

    def end(self, status: str, message: str, now: float) -> None:
        """Give it its last status."""
        self.status, self.message, self.end_time = status, message, now

    def as_dict(self) -> dict[str, Any]:
        """Return the members of ScalingActivity."""
        return {
            "ActivityId": self.activity_id,
            "ServiceNamespace": "sagemaker",
            "ResourceId": self.resource_id,
            "ScalableDimension": self.dimension,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": self.start_time,
            "StatusCode": self.status,
            **({"EndTime": self.end_time} if self.end_time is not None else {}),
            **({"StatusMessage": self.message} if self.message else {}),
            **({"NotScaledReasons": [dict(self.not_scaled)]} if self.not_scaled else {}),
        }


@dataclass
class Activities:
    """Every activity, oldest first; six weeks of them."""

    kept: deque[Activity] = field(default_factory=lambda: deque(maxlen=MAXIMUM_ACTIVITIES))

    def add(self, activity: Activity) -> None:
        """Add an activity."""
        self.kept.append(activity)

    def note(self, activity: Activity) -> None:
        """Add an activity that changes no capacity.

        One that says for the same reason as the last of its policy why nothing was scaled is
        left out: an alarm asks once a minute as long as it lasts.
        """
        for other in reversed(self.kept):
            same = (other.resource_id, other.dimension) == (
                activity.resource_id,
                activity.dimension,
            )
            if same and other.not_scaled is not None:
                if other.cause == activity.cause and other.not_scaled == activity.not_scaled:
                    return
                break
            if same:
                break
        self.kept.append(activity)

    def open_ones(self) -> list[Activity]:
        """Return what is still under way."""
        return [activity for activity in self.kept if activity.is_open]

    def newest_first(self, now: float) -> list[Activity]:
        """Return what began within six weeks."""
        return [a for a in reversed(self.kept) if now - a.start_time <= KEPT_SECONDS]


def setting(dimension: str, capacity: int) -> str:
    """Return the description of an activity that sets a capacity."""
    return f"Setting desired {NOUNS[dimension]} to {capacity}."


def wanted(activity: Activity) -> str:
    """Return what an activity sets, for messages."""
    return f"desired {NOUNS[activity.dimension]} to {activity.capacity}"


def fulfilled(activity: Activity) -> str:
    """Return the message of an activity that was fulfilled."""
    return f"Successfully set {wanted(activity)}. Change successfully fulfilled by sagemaker."


def failed(activity: Activity, error: ApiError) -> str:
    """Return the message of an activity that SageMaker refused."""
    return (
        f"Failed to set {wanted(activity)}. Reason: {error.message} (Service: AmazonSageMaker; "
        f"Status Code: {error.status}; Error Code: {error.code}; Request ID: {request_id()})."
    )
