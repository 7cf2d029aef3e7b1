"""The shell around the queues: one thread that hands requests to free instances.

Nothing is done here under the lock but moving requests; downloads, invocations and uploads run
in a thread per request.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rehearsal.cloud.asynchronous.backlog import Backlog
from rehearsal.cloud.asynchronous.choice import (
    Place,
    free_place,
    instance_count,
)
from rehearsal.cloud.asynchronous.endpoint import AsyncEndpoint
from rehearsal.cloud.asynchronous.measure import backlog_data
from rehearsal.cloud.asynchronous.processor import Processor
from rehearsal.cloud.asynchronous.request import AsyncRequest
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.runtime.routing import Route

logger = logging.getLogger(__name__)

MINIMUM_PASS_WALL_SECONDS = 0.02
MAXIMUM_PASS_WALL_SECONDS = 0.25
# How often, in rehearsal time, a queue is told about.
BACKLOG_METRICS_SECONDS = 10.0
# Threads that process requests, over all endpoints.
MAXIMUM_IN_FLIGHT = 256
# A request whose instance goes away again and again ends at last.
MAXIMUM_ATTEMPTS = 20


@dataclass
class Dispatcher:
    """Every asynchronous endpoint's queue.

    Args:
        routes: where each endpoint's requests may go now, as the engine publishes it
        endpoint_of: the asynchronous side of an endpoint; None when there is no such endpoint or
            it has none
    """

    processor: Processor
    routes: Mapping[str, Route]
    endpoint_of: Callable[[str], AsyncEndpoint | None]
    seed: int = 0
    _queues: dict[str, Backlog] = field(default_factory=dict)
    _told_at: dict[str, float] = field(default_factory=dict)
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _is_stopping: bool = False
    _in_flight: int = 0
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    def start(self) -> None:
        """Begin to hand out requests."""
        self._thread = threading.Thread(target=self._run, name="cloud-async", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hand out no more; what is being processed ends with its instance."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def put(self, request: AsyncRequest) -> None:
        """Queue a request.

        Raises:
            ApiError: the queue is full
        """
        with self._wake:
            queue = self._queues.setdefault(request.endpoint_name, Backlog())
            if queue.is_full:
                raise ApiError(
                    "ServiceUnavailable",
                    f"the queue of endpoint {request.endpoint_name} holds "
                    f"{len(queue.waiting)} requests; try your call again",
                    status=503,
                )
            queue.waiting.append(request)
            self._wake.notify_all()

    def sizes(self) -> dict[str, int]:
        """Return how many requests each queue holds, those being processed included."""
        with self._wake:
            return {name: queue.size for name, queue in self._queues.items()}

    # ---- the thread

    def _run(self) -> None:
        speed = self.processor.clock.speed
        seconds = min(MAXIMUM_PASS_WALL_SECONDS, max(MINIMUM_PASS_WALL_SECONDS, 1.0 / speed))
        while not self._is_stopping:
            # A thread's edge: a defect in one pass must be seen and must not end the queue.
            try:
                with self._wake:
                    self._pass()
                    self._wake.wait(seconds)
            except Exception:
                logger.exception("asynchronous pass failed")

    def _pass(self) -> None:
        for name in [known for known in self._queues if self.endpoint_of(known) is None]:
            dropped = self._queues.pop(name)
            self._told_at.pop(name, None)
            if dropped.waiting:
                logger.info("queue dropped endpoint=%s requests=%d", name, len(dropped.waiting))
        for name in list(self.routes):
            endpoint = self.endpoint_of(name)
            if endpoint is not None:
                queue = self._queues.setdefault(name, Backlog())
                self._serve(name, queue, endpoint.concurrency)
                self._tell(name, queue)

    def _serve(self, name: str, queue: Backlog, concurrency: int) -> None:
        route = self.routes.get(name)
        if route is None:
            return
        expired = queue.take_expired(self.processor.clock.now())
        if expired:
            variant_name = route.variants[0].name if route.variants else ""
            # In one thread: a whole queue may expire at once.
            self._in_thread(self._expire, expired, variant_name)
        while queue.waiting and self._in_flight < MAXIMUM_IN_FLIGHT:
            place = free_place(route, concurrency, self._rng)
            # A table read just before it was replaced may name instances that are draining.
            if place is None or not place.instance.acquire():
                return
            self._in_flight += 1
            self._in_thread(self._process, queue, queue.take(), place)

    def _tell(self, name: str, queue: Backlog) -> None:
        now = self.processor.clock.now()
        if now - self._told_at.get(name, 0.0) < BACKLOG_METRICS_SECONDS:
            return
        self._told_at[name] = now
        for key, value, unit in backlog_data(
            name,
            size=queue.size,
            oldest_age_seconds=queue.oldest_age_seconds(now),
            instances=instance_count(self.routes.get(name)),
        ):
            self.processor.store.put(key, now, value, unit=unit)

    # ---- threads of requests

    def _in_thread(self, target: Callable[..., None], *arguments: object) -> None:
        threading.Thread(
            target=self._guarded, args=(target, *arguments), name="cloud-async-request", daemon=True
        ).start()

    def _guarded(self, target: Callable[..., None], *arguments: object) -> None:
        # A thread's edge: one request's defect must be seen and must not stay silent.
        try:
            target(*arguments)
        except Exception:
            logger.exception("asynchronous request failed")

    def _expire(self, requests: Sequence[AsyncRequest], variant_name: str) -> None:
        for request in requests:
            self.processor.expire(request, variant_name)

    def _process(self, queue: Backlog, request: AsyncRequest, place: Place) -> None:
        is_done = True
        try:
            is_done = self.processor.run(request, place)
        finally:
            place.instance.release()
            with self._wake:
                self._in_flight -= 1
                if is_done or request.attempt >= MAXIMUM_ATTEMPTS:
                    queue.finish(request)
                else:
                    queue.put_back(request, replace(request, attempt=request.attempt + 1))
                self._wake.notify_all()
