"""Processes of a serverless variant: started when a request needs one, one request each.

Pure bookkeeping under one lock: the engine reads how many processes there should be and tells
which ones there are; requests take one, or wait for one to start.

Source: SageMaker Developer Guide, "Serverless inference" (scales to zero, MaxConcurrency,
ProvisionedConcurrency, cold starts, throttling), read 2026. How long an idle process is kept is
not documented.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.fleets.instance import Instance

# Rehearsal time an idle process is kept before it is stopped (assumed).
IDLE_SECONDS = 300.0
# A waiting request looks this often whether another one has freed its process.
LOOK_WALL_SECONDS = 0.01
# Source: botocore ModelNotReadyException, whose documentation these words follow.
NOT_READY = (
    "The resources of the serverless variant are still being provisioned. Wait and try your "
    "request again."
)


class ColdStartFailed(Exception):
    """No process came up for a request; the text says why."""


class Retired(Exception):
    """The variant's fleet is going; another one has its traffic."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A process that holds one request.

    Args:
        setup_us: wall microseconds the request waited for a process to start, None for a warm one
    """

    instance: Instance
    setup_us: float | None


class OnDemand:
    """The processes of one serverless variant of one fleet."""

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._lock = threading.Condition()
        self._instances: tuple[Instance, ...] = ()
        self._last_used: dict[str, float] = {}
        self._waiting = 0
        self._failure: str | None = None
        self._maximum = 1
        self._provisioned = 0
        self._target = 0
        self._is_retired = False

    # ---- the engine's side

    def configure(self, serverless: Mapping[str, int]) -> None:
        """Follow the variant's sizes."""
        with self._lock:
            self._maximum = serverless["MaxConcurrency"]
            self._provisioned = serverless.get("ProvisionedConcurrency", 0)

    def offer(self, instances: Sequence[Instance], failure: str | None) -> None:
        """Take note of the processes that answer now, and of a start that failed."""
        now = self._clock.now()
        with self._lock:
            self._instances = tuple(instances)
            self._failure = failure
            known = self._last_used
            self._last_used = {
                i.spec.instance_id: known.get(i.spec.instance_id, now) for i in instances
            }
            self._target = max(self._target, min(len(self._instances), self._maximum))
            self._lock.notify_all()

    def retire(self, is_going: bool) -> None:
        """Send requests that wait, and later ones, to whatever fleet has the traffic now."""
        with self._lock:
            self._is_retired = is_going
            self._lock.notify_all()

    def wanted(self) -> int:
        """Return how many processes there should be now; idle ones are given up here."""
        now = self._clock.now()
        with self._lock:
            busy = 0
            idle_for_long = 0
            for instance in self._instances:
                if instance.outstanding > 0:
                    busy += 1
                    self._last_used[instance.spec.instance_id] = now
                elif now - self._last_used[instance.spec.instance_id] >= IDLE_SECONDS:
                    idle_for_long += 1
            least = max(self._provisioned, min(busy + self._waiting, self._maximum))
            is_settled = self._waiting == 0
            if is_settled:
                self._target = len(self._instances) - idle_for_long
            self._target = min(max(self._target, least), self._maximum)
            return self._target

    # ---- a request's side

    def take(self, *, timeout_seconds: float) -> Taken:
        """Return a process for one request, warm or started for it.

        Raises:
            ApiError: ThrottlingException, beyond MaxConcurrency (assumed code)
            ApiError: ModelNotReadyException, when the process takes longer than the request waits
            ColdStartFailed: the process that was started didn't come up
            Retired: the fleet is going; its successor's route is about to be published
        """
        with self._lock:
            busy = sum(instance.outstanding for instance in self._instances)
            if busy + self._waiting >= self._maximum:
                raise ApiError("ThrottlingException", "Rate exceeded")
            instance = self._idle()
            if instance is not None:
                return Taken(instance=instance, setup_us=None)
            self._waiting += 1
            # A start that failed before this request came is no reason to fail it.
            self._failure = None
        began = time.perf_counter()
        try:
            # Without the lock: whoever is told may look at the variant at once.
            self._wake()
            with self._lock:
                instance = self._wait(began + timeout_seconds)
        finally:
            with self._lock:
                self._waiting -= 1
            if instance is None:
                # Nobody waits for what failed: let it go, so that the next request has a new one.
                self._wake()
        return Taken(instance=instance, setup_us=(time.perf_counter() - began) * 1e6)

    def _wait(self, deadline: float) -> Instance:
        while True:
            instance = self._idle()
            if instance is not None:
                return instance
            if self._is_retired:
                raise Retired
            if self._failure is not None:
                raise ColdStartFailed(self._failure)
            if time.perf_counter() >= deadline:
                raise ApiError("ModelNotReadyException", NOT_READY, status=429)
            self._lock.wait(LOOK_WALL_SECONDS)

    def _idle(self) -> Instance | None:
        """Return a process without a request, taken for this one: the oldest first."""
        for instance in self._instances:
            if instance.outstanding == 0 and instance.acquire():
                self._last_used[instance.spec.instance_id] = self._clock.now()
                return instance
        return None
