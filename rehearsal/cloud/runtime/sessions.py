"""Stateful sessions: which instance a session's requests go to, until it ends.

The container makes the session and its expiry, and says so in a header of its answer; SageMaker
only remembers where the session lives. Expiry is the container's own time, so it is compared with
the wall's clock and not with rehearsal time.

Source: DG stateful-sessions; botocore InvokeEndpointInput SessionId, InvokeEndpointOutput
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from rehearsal.cloud.fleets.instance import Instance

# Beyond it the oldest sessions are forgotten, as if they had expired.
MAXIMUM_SESSIONS = 10_000
ANNOUNCED = re.compile(r"([a-zA-Z0-9](?:-*[a-zA-Z0-9])*);\sExpires=(\S+Z)")


@dataclass(frozen=True, kw_only=True)
class Session:
    """Where a session lives and how long."""

    variant_name: str
    instance: Instance
    expires_at: float


class Sessions:
    """Every open session of every endpoint."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str], Session] = OrderedDict()

    def find(self, endpoint_name: str, session_id: str) -> Session | None:
        """Return an open session; an expired one is forgotten."""
        key = (endpoint_name, session_id)
        with self._lock:
            session = self._open.get(key)
            if session is not None and session.expires_at <= self._wall():
                del self._open[key]
                return None
            return session

    def opened(
        self, endpoint_name: str, announcement: str, *, variant_name: str, instance: Instance
    ) -> None:
        """Remember a session as the container announced it; one it can't be read of is none."""
        parts = ANNOUNCED.fullmatch(announcement)
        expires_at = expiry_from_text(parts[2]) if parts is not None else None
        if parts is None or expires_at is None:
            return
        session = Session(variant_name=variant_name, instance=instance, expires_at=expires_at)
        with self._lock:
            self._open[endpoint_name, parts[1]] = session
            while len(self._open) > MAXIMUM_SESSIONS:
                self._open.popitem(last=False)

    def closed(self, endpoint_name: str, session_id: str) -> None:
        """Forget a session the container has closed."""
        with self._lock:
            self._open.pop((endpoint_name, session_id), None)


def expiry_from_text(text: str) -> float | None:
    """Return the epoch seconds of `2026-01-31T10:00:00Z`, None for anything else."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
