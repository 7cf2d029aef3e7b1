"""Health of an instance: its containers' pings, at the start and for life.

Source: SageMaker Developer Guide, "Custom Inference Code with Hosting Services", "How Your
    Container Should Respond to Health Check (Ping) Requests"; TorchServe access logs in reports
    show a ping about every five seconds; read 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rehearsal.cloud.fleets.instance import Container, Instance
from rehearsal.cloud.runtime.connection import InstanceTimeout, InstanceUnreachable

PING_TIMEOUT_WALL_SECONDS = 2.0
PING_INTERVAL_SECONDS = 5.0
# A process answers pings no faster on a fast clock; more of them would be load and nothing else.
MINIMUM_PING_INTERVAL_WALL_SECONDS = 0.5
# How many failures in a row end an instance no source says; one alone may be a busy moment.
MAXIMUM_FAILED_PINGS = 3


class Ping(StrEnum):
    """What came of one ping."""

    GOOD = "good"
    BAD = "bad"
    TIMED_OUT = "timed_out"
    EXITED = "exited"


@dataclass(frozen=True, kw_only=True)
class Unhealthy:
    """Why an instance is not healthy.

    Args:
        exit_code: the container's where it ended, else None
    """

    hostname: str
    exit_code: int | None = None


def is_running(container: Container) -> bool:
    """Tell whether a container's main process has not ended."""
    return container.running.exit_code() is None


def ping(container: Container) -> Ping:
    """Ask a container for its health once."""
    if not is_running(container):
        return Ping.EXITED
    try:
        answer = container.pool.request("GET", "/ping", timeout_seconds=PING_TIMEOUT_WALL_SECONDS)
    except InstanceTimeout:
        return Ping.TIMED_OUT
    except InstanceUnreachable:
        return Ping.BAD
    return Ping.GOOD if answer.status == 200 else Ping.BAD


def watch(instance: Instance, speed: float) -> Unhealthy | None:
    """Ping an instance until it has to be replaced; None when it is stopped before.

    The model's work isn't sped up by a fast clock, so a ping that found the server busy is
    followed by a real interval: a long request must not look like a dead server.
    """
    interval = max(PING_INTERVAL_SECONDS / speed, MINIMUM_PING_INTERVAL_WALL_SECONDS)
    pause, failed = interval, 0
    while not instance.stopping.wait(pause):
        pause = interval
        results = [(container, ping(container)) for container in instance.containers]
        bad = next(((c, result) for c, result in results if result is not Ping.GOOD), None)
        if bad is None:
            failed = 0
            continue
        container, result = bad
        if result is Ping.EXITED:
            return Unhealthy(hostname=container.hostname, exit_code=container.running.exit_code())
        failed += 1
        if failed >= MAXIMUM_FAILED_PINGS:
            return Unhealthy(hostname=container.hostname)
        if result is Ping.TIMED_OUT:
            pause = PING_INTERVAL_SECONDS
    return None
