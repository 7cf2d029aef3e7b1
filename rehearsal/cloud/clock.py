"""Time for the whole cloud: injected, so that a rehearsal can run faster and a test by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells rehearsal time and how fast it passes."""

    @property
    def speed(self) -> float:
        """Rehearsal seconds per second of the wall."""

    def now(self) -> float:
        """Return rehearsal time in epoch seconds."""


class ScaledClock:
    """Starts at the wall's time and runs `speed` times as fast."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._start_wall = time.time()
        self._start_monotonic = time.monotonic()

    def now(self) -> float:
        return self._start_wall + (time.monotonic() - self._start_monotonic) * self.speed


class ManualClock:
    """Stands still until it is moved.

    Its speed only says how much faster than SageMaker's the wall's own limits pass, such as the
    time that a server gets for its start.
    """

    def __init__(self, now: float = 1_800_000_000.0, *, speed: float = 1.0) -> None:
        self.speed = speed
        self._now = now

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move time forward; a negative number is refused because time never runs back."""
        if seconds < 0:
            raise ValueError(f"seconds {seconds} is negative; time only moves forward")
        self._now += seconds


def datetime_from_epoch(epoch: float) -> datetime:
    """Return an aware UTC datetime."""
    return datetime.fromtimestamp(epoch, UTC)


def milliseconds_from_epoch(epoch: float) -> str:
    """Return a time in UTC to the millisecond, without a zone: AWS's services write it in many."""
    moment = datetime_from_epoch(epoch)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}"
