"""Shadow variants: copies of production requests, their answers thrown away.

A copy waits in a bounded queue for one of a few threads; when the queue is full the copy is
dropped. So a shadow that is slow or broken never slows the caller.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.runtime.forward import Outcome, forward
from rehearsal.cloud.runtime.routing import Lane, Route, VariantRoute
from rehearsal.cloud.settings import INVOCATION_TIMEOUT_WALL_SECONDS

logger = logging.getLogger(__name__)

MAXIMUM_WAITING = 1_000
THREADS = 8

Acquire = Callable[[str, VariantRoute], tuple[Lane, Instance]]
Measure = Callable[[VariantRoute, Lane, Outcome], None]


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One request on its way to a shadow variant."""

    endpoint_name: str
    variant: VariantRoute
    headers: Sequence[tuple[str, str]]
    body: bytes


class Shadower:
    """Sends copies to shadow variants, in threads that begin with the first copy."""

    def __init__(self, rng: random.Random, acquire: Acquire, measure: Measure) -> None:
        self._rng = rng
        self._acquire = acquire
        self._measure = measure
        self._waiting: queue.Queue[Copy | None] = queue.Queue(maxsize=MAXIMUM_WAITING)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def copy(self, route: Route, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Send each shadow its share of the requests; never waits."""
        for shadow in route.shadows:
            if self._rng.random() >= shadow.share:
                continue
            copy = Copy(
                endpoint_name=route.endpoint_name,
                variant=shadow.variant,
                headers=headers,
                body=body,
            )
            try:
                self._waiting.put_nowait(copy)
            except queue.Full:
                logger.warning("shadow copy dropped endpoint=%s", route.endpoint_name)
            self._start_threads()

    def stop(self) -> None:
        """End the threads; copies that still wait are dropped."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        with self._lock:
            for _ in self._threads:
                self._waiting.put(None)

    def _start_threads(self) -> None:
        with self._lock:
            while len(self._threads) < THREADS:
                thread = threading.Thread(target=self._run, name="cloud-shadow", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _run(self) -> None:
        while True:
            copy = self._waiting.get()
            if copy is None:
                return
            # A thread's edge: one copy that can't be sent must not end the thread.
            try:
                self._send(copy)
            except ApiError as err:
                logger.info("shadow copy dropped endpoint=%s reason=%s", copy.endpoint_name, err)
            except Exception:
                logger.exception("shadow copy failed endpoint=%s", copy.endpoint_name)

    def _send(self, copy: Copy) -> None:
        lane, instance = self._acquire(copy.endpoint_name, copy.variant)
        try:
            outcome = forward(
                instance,
                headers=copy.headers,
                body=copy.body,
                timeout_seconds=INVOCATION_TIMEOUT_WALL_SECONDS,
            )
            self._measure(copy.variant, lane, outcome)
        finally:
            instance.release()
