"""Fixed identities and bounds of the rehearsal cloud, with the reason for each bound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ACCOUNT_ID = "123456789012"
DEFAULT_REGION = "eu-west-1"

# A laptop runs a few dozen small servers well; more would starve them all and look like bad models.
DEFAULT_MAXIMUM_INSTANCES = 24
# A real process starts no faster on a fast clock, so a start-up limit never shrinks below this.
MINIMUM_STARTUP_WALL_SECONDS = 15.0
# SageMaker's own default when ContainerStartupHealthCheckTimeoutInSeconds is absent.
DEFAULT_STARTUP_SECONDS = 240.0
SAMPLE_INTERVAL_SECONDS = 5.0
MAXIMUM_PAYLOAD_BYTES = 6_291_456
# Real work isn't sped up, so a model's answer may take as long as on AWS.
INVOCATION_TIMEOUT_WALL_SECONDS = 60.0
# SageMaker waits 30 s between SIGTERM and SIGKILL; a local process needs less.
STOP_WALL_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class CloudSettings:
    """How one rehearsal cloud runs.

    Args:
        directory: where images, artifacts and logs are kept
        speed: rehearsal seconds per wall second, above 0
        seed: seeds variant and instance choice
        port: loopback port, 0 for a free one
        maximum_instances: processes held at once; a launch beyond it fails as AWS does
            without capacity
    """

    directory: Path
    speed: float = 1.0
    seed: int = 0
    port: int = 0
    region: str = DEFAULT_REGION
    account_id: str = ACCOUNT_ID
    maximum_instances: int = DEFAULT_MAXIMUM_INSTANCES
