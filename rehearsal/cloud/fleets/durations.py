"""How long AWS takes for what a rehearsal has at once, in rehearsal seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

PROVISION_TIMEOUT = "VariantInstanceProvisionTimeoutInSeconds"


class DurationKind(StrEnum):
    """Whether what AWS takes minutes for takes them here, too."""

    FAST = "fast"
    AWS = "aws"


@dataclass(frozen=True, kw_only=True)
class Durations:
    """Rehearsal seconds that pass beside the real work.

    Args:
        provisioning_seconds: before an instance begins to fetch images and model data
        crash_loop_seconds: how long a container that exits is started again; 0 for three starts
        capacity_seconds: until a launch without capacity is given up
    """

    provisioning_seconds: float = 0.0
    crash_loop_seconds: float = 0.0
    capacity_seconds: float = 0.0

    def capacity_wait_seconds(self, definition: Mapping[str, Any]) -> float:
        """Return how long a variant's launch waits for capacity: as long as it says, if it does.

        Source: botocore VariantInstanceProvisionTimeoutInSeconds
        """
        if self.capacity_seconds == 0:
            return 0.0
        return float(definition.get(PROVISION_TIMEOUT, self.capacity_seconds))


FAST = Durations()
# Source: field reports, 2018 to 2026: ml.m5.large in service after 3.5 minutes; a crash loop ends
# after 24 to 25 minutes; without capacity an endpoint stays in Creating for half an hour.
AWS = Durations(provisioning_seconds=180.0, crash_loop_seconds=1_500.0, capacity_seconds=1_800.0)


def durations_of(kind: DurationKind) -> Durations:
    """Return the durations of a kind."""
    return AWS if kind is DurationKind.AWS else FAST
