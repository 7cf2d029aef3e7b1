"""One endpoint's queue: first in, first out; what is being processed still counts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rehearsal.cloud.asynchronous.request import AsyncRequest

# AWS names no bound; here the payloads sent inline are held in memory.
MAXIMUM_BACKLOG = 10_000


@dataclass
class Backlog:
    """Requests of one endpoint; guarded by the dispatcher's lock.

    Args:
        processing: requests at an instance by identity, which is what tells two with the same
            InferenceId apart
    """

    waiting: deque[AsyncRequest] = field(default_factory=deque)
    processing: dict[int, AsyncRequest] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Requests waiting or being processed: ApproximateBacklogSize."""
        return len(self.waiting) + len(self.processing)

    @property
    def is_full(self) -> bool:
        return len(self.waiting) >= MAXIMUM_BACKLOG

    def take(self) -> AsyncRequest:
        """Move the oldest waiting request to those being processed."""
        request = self.waiting.popleft()
        self.processing[id(request)] = request
        return request

    def finish(self, request: AsyncRequest) -> None:
        """Forget a request that was being processed."""
        self.processing.pop(id(request), None)

    def put_back(self, request: AsyncRequest, again: AsyncRequest) -> None:
        """Put a request whose instance went away in front of the queue."""
        self.finish(request)
        self.waiting.appendleft(again)

    def take_expired(self, now: float) -> list[AsyncRequest]:
        """Remove and return the waiting requests that are older than they may be."""
        expired = [request for request in self.waiting if request.is_expired(now)]
        if expired:
            self.waiting = deque(r for r in self.waiting if not r.is_expired(now))
        return expired

    def oldest_age_seconds(self, now: float) -> float:
        """Return the age of the oldest request, 0 without any."""
        requests = [*self.waiting, *self.processing.values()]
        return max((now - request.received_at for request in requests), default=0.0)
