"""Fixed identities and bounds of the rehearsal cloud, with the reason for each bound."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rehearsal.cloud.fleets.durations import DurationKind

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
# SageMaker's time between SIGTERM and SIGKILL.
STOP_GRACE_WALL_SECONDS = 30.0
# When the whole cloud ends, a process gets this long after SIGTERM, and not SageMaker's 30 s.
STOP_WALL_SECONDS = 10.0


class ClockKind(StrEnum):
    """How a cloud's time passes."""

    SCALED = "scaled"
    MANUAL = "manual"


class RuntimeName(StrEnum):
    """What an instance is: a process of this machine, or a container of its Docker engine."""

    PROCESS = "process"
    DOCKER = "docker"


@dataclass(frozen=True, kw_only=True)
class CloudSettings:
    """How one rehearsal cloud runs.

    Args:
        directory: where images, artifacts and logs are kept
        speed: rehearsal seconds per wall second, above 0
        seed: seeds every choice and every id
        clock: whether time runs by itself or is moved by hand
        start_time: rehearsal time at the start of a manual clock, in epoch seconds; the wall's
            current minute when left out
        port: loopback port, 0 for a free one
        maximum_instances: processes held at once; a launch beyond it fails as AWS does
            without capacity
        minimum_startup_wall_seconds: a start-up limit never gets shorter than this, however fast
            the clock
        durations: whether provisioning, crash loops and missing capacity take AWS's minutes, in
            rehearsal time
        stop_grace_wall_seconds: between SIGTERM and SIGKILL when an instance goes; to end is real
            work, which no clock speeds up
        runtime: what runs the containers of instances
        history: where the commands and the record are kept for a replay; `history` in the
            directory when left out
    """

    directory: Path
    speed: float = 1.0
    seed: int = 0
    port: int = 0
    region: str = DEFAULT_REGION
    account_id: str = ACCOUNT_ID
    maximum_instances: int = DEFAULT_MAXIMUM_INSTANCES
    clock: ClockKind = ClockKind.SCALED
    start_time: float | None = None
    minimum_startup_wall_seconds: float = MINIMUM_STARTUP_WALL_SECONDS
    durations: DurationKind = DurationKind.FAST
    stop_grace_wall_seconds: float = STOP_GRACE_WALL_SECONDS
    runtime: RuntimeName = RuntimeName.PROCESS
    history: Path | None = None

    @property
    def history_directory(self) -> Path:
        """Where the history goes."""
        return self.directory / "history" if self.history is None else self.history
