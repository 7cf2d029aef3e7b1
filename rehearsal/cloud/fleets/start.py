"""Starts the containers of one instance and pings them until all are up.

Source: SageMaker Developer Guide, "How Your Container Should Respond to Health Check (Ping)
    Requests"; pytorch/serve#397 (a multi-model container must list its models); read 2026.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.fleets.definition import PRIMARY
from rehearsal.cloud.fleets.health import Ping, ping
from rehearsal.cloud.fleets.instance import Container, Instance
from rehearsal.cloud.fleets.model_api import ModelApi
from rehearsal.cloud.fleets.prepare import LaunchFailed, Prepared
from rehearsal.cloud.hosting import messages

PING_PAUSE_WALL_SECONDS = 0.05
# "Consistently 200": a server that flaps while it starts is not up yet. The number is assumed.
GOOD_PINGS_IN_A_ROW = 2
# A container that exits is started again; a crash loop shows itself within a few rounds.
MAXIMUM_STARTS = 3
RESTART_PAUSE_SECONDS = 10.0
MINIMUM_RESTART_PAUSE_WALL_SECONDS = 0.3
# Seen in aws/amazon-sagemaker-examples#1072; a single container is "the primary container".
PIPELINE_PING_FAILED = (
    "The {hostname} for production variant {variant} did not pass the ping health check. Please "
    "check CloudWatch logs for this endpoint."
)


@dataclass(kw_only=True)
class StartUp:
    """The way of one instance up to its good pings.

    Args:
        limit_wall_seconds: how long the containers may take for it; anew after each restart of a
            crash loop
        crash_loop_seconds: rehearsal seconds a container that exits is started again; 0 for a
            few starts
        start: starts one container
    """

    instance: Instance
    prepared: list[Prepared]
    clock: Clock
    limit_wall_seconds: float
    crash_loop_seconds: float
    start: Callable[[Prepared], Container]

    def begin(self) -> None:
        """Start every container.

        Raises:
            LaunchFailed: one can't be started
        """
        self._began = self.clock.now()
        self._deadline = time.monotonic() + self.limit_wall_seconds
        self._starts = [1] * len(self.prepared)
        for each in self.prepared:
            # One by one, so that what a pipeline did start is ended when a later one can't.
            self.instance.containers = (*self.instance.containers, self.start(each))

    def wait_until_healthy(self) -> None:
        """Ping until all containers are up; start again what exits.

        Raises:
            LaunchFailed: the time is up, a container is in a crash loop, or a stop was asked
        """
        good = 0
        while good < GOOD_PINGS_IN_A_ROW:
            if self.instance.stopping.is_set():
                raise LaunchFailed("the instance was stopped while it started")
            results = [ping(container) for container in self.instance.containers]
            good = good + 1 if self._all_good(results) else 0
            ended = next((i for i, each in enumerate(results) if each is Ping.EXITED), None)
            if ended is not None:
                self._start_again(ended)
            elif not good and time.monotonic() >= self._deadline:
                bad = next((i for i, each in enumerate(results) if each is not Ping.GOOD), 0)
                raise self._failed(bad)
            self.instance.stopping.wait(PING_PAUSE_WALL_SECONDS)

    def _all_good(self, results: list[Ping]) -> bool:
        """Tell whether every container is up; a multi-model one must list its models, too."""
        if any(result is not Ping.GOOD for result in results):
            return False
        for container in self.instance.containers:
            if container.multi_model is not None and ModelApi(container.pool).names() is None:
                return False
        return True

    def _start_again(self, position: int) -> None:
        self._starts[position] += 1
        if self.crash_loop_seconds:
            # A rehearsed crash loop takes AWS's time, and each start has the whole limit again.
            if self.clock.now() - self._began >= self.crash_loop_seconds:
                raise self._failed(position)
            pause = MINIMUM_RESTART_PAUSE_WALL_SECONDS * self.clock.speed
            pass_time(self.instance, self.clock, max(RESTART_PAUSE_SECONDS, pause))
            self._deadline = time.monotonic() + self.limit_wall_seconds
        elif self._starts[position] > MAXIMUM_STARTS or time.monotonic() >= self._deadline:
            raise self._failed(position)
        containers = list(self.instance.containers)
        containers[position].pool.close()
        containers[position] = self.start(self.prepared[position])
        self.instance.containers = tuple(containers)

    def _failed(self, position: int) -> LaunchFailed:
        return LaunchFailed(ping_failed(self.instance, self.instance.containers[position].hostname))


def pass_time(instance: Instance, clock: Clock, seconds: float) -> None:
    """Wait for rehearsal time that nothing real fills; a stop ends the wait."""
    if seconds <= 0:
        return
    instance.waits_until = clock.now() + seconds
    while clock.now() < instance.waits_until and not instance.stopping.is_set():
        instance.stopping.wait(PING_PAUSE_WALL_SECONDS)
    instance.waits_until = None


def ping_failed(instance: Instance, hostname: str) -> str:
    """Return the FailureReason of a container that isn't healthy."""
    variant = instance.spec.variant_name
    if hostname == PRIMARY:
        return messages.PING_FAILED.format(variant=variant)
    return PIPELINE_PING_FAILED.format(hostname=hostname, variant=variant)
