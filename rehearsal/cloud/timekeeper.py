"""Moves a manual clock, so that what happens never depends on how fast the machine is.

Every rehearsal second on the way is lived through: the engine looks once at each, and goes on
only when what it set off is done. A start, a stop or an answer takes no rehearsal time, because
the clock stands still while it happens.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from rehearsal.cloud.clock import Clock, ManualClock
from rehearsal.cloud.errors import SetupError

# A day: enough for the slowest deployment SageMaker allows, and still an answer within minutes.
MAXIMUM_ADVANCE_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Timekeeper:
    """The only one who moves the clock of a cloud.

    Args:
        tick: looks once and acts on what is seen; returns when that is done
    """

    clock: Clock
    tick: Callable[[], None]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, seconds: float) -> float:
        """Move time forward and return what it is then; 0 seconds look once at now.

        Raises:
            SetupError: the clock runs by itself, or the seconds are out of bounds
        """
        clock = self.clock
        if not isinstance(clock, ManualClock):
            raise SetupError(
                "this cloud's clock runs by itself; start one whose clock is moved by hand with "
                "`greenlight rehearsal start --clock manual`"
            )
        if not 0 <= seconds <= MAXIMUM_ADVANCE_SECONDS:
            raise SetupError(
                f"advance_seconds is {seconds:g}; allowed is 0 to {MAXIMUM_ADVANCE_SECONDS:g}"
            )
        with self._lock:
            target = clock.now() + seconds
            for moment in moments_between(clock.now(), target):
                clock.advance(moment - clock.now())
                self.tick()
            if seconds == 0:
                self.tick()
            return clock.now()

    def advance_to(self, moment: float) -> float:
        """Move time to a moment, however far; one that has passed changes nothing."""
        while (left := moment - self.clock.now()) > 0:
            self.advance(min(left, MAXIMUM_ADVANCE_SECONDS))
        return self.clock.now()


def moments_between(start: float, end: float) -> list[float]:
    """Return each whole second after a start up to an end, and the end itself."""
    first = math.floor(start) + 1
    moments = [float(second) for second in range(first, math.floor(end) + 1)]
    return moments if moments and moments[-1] == end else [*moments, end] if end > start else []
