"""What happened, in order: the cloud's own record, for reports and for tests to assert on."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from rehearsal.cloud.clock import Clock

MAXIMUM_EVENTS = 20_000
MAXIMUM_SAMPLES = 20_000


class Record:
    """Bounded lists of events and samples; the oldest go first and are counted as dropped."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._events: deque[dict[str, Any]] = deque(maxlen=MAXIMUM_EVENTS)
        self._samples: deque[dict[str, Any]] = deque(maxlen=MAXIMUM_SAMPLES)
        self._event_count = 0
        self._sample_count = 0

    def event(self, kind: str, **members: Any) -> None:
        """Append one event; members that are None are left out."""
        entry = {"time": self._clock.now(), "kind": kind}
        entry.update({key: value for key, value in members.items() if value is not None})
        with self._lock:
            self._events.append(entry)
            self._event_count += 1

    def sample(self, **members: Any) -> None:
        """Append one periodic picture of one endpoint."""
        with self._lock:
            self._samples.append({"time": self._clock.now(), **members})
            self._sample_count += 1

    def as_dict(self) -> dict[str, Any]:
        """Return both lists and how many entries fell out of them."""
        with self._lock:
            return {
                "events": list(self._events),
                "samples": list(self._samples),
                "dropped": {
                    "events": self._event_count - len(self._events),
                    "samples": self._sample_count - len(self._samples),
                },
            }
