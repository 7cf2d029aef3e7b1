"""Time as a swap waits by it, so that a test can move it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Time as the watch needs it."""

    def now_seconds(self) -> float:
        """Seconds since some fixed moment, never going back."""

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""


class SystemClock:
    """The machine's own time."""

    def now_seconds(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""
        time.sleep(seconds)


class Patience:
    """How long one condition may last before it counts.

    Args:
        limit_seconds: from the first time the condition is seen.
    """

    def __init__(self, clock: Clock, limit_seconds: float) -> None:
        self._clock = clock
        self._limit_seconds = limit_seconds
        self._since: float | None = None

    def has_run_out(self) -> bool:
        """Note that the condition is seen, and say whether it has lasted too long."""
        now = self._clock.now_seconds()
        if self._since is None:
            self._since = now
        return now - self._since >= self._limit_seconds

    def renew(self) -> None:
        """Note that the condition is gone."""
        self._since = None
