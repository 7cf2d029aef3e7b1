"""One instance: its containers from launch to drain."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rehearsal.cloud.faults.registry import NO_FAULT, Faults, InvocationFault, LaunchFault
from rehearsal.cloud.fleets.multi_model import MultiModel
from rehearsal.cloud.fleets.runtime import RunningContainer
from rehearsal.cloud.runtime.connection import ConnectionPool


class InstanceState(StrEnum):
    """Life of an instance."""

    STARTING = "starting"
    HEALTHY = "healthy"
    FAILED = "failed"
    DRAINING = "draining"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """Everything a launch needs, copied when it is asked for.

    Args:
        model: the model as CreateModel received it
        definition: the ProductionVariant as CreateEndpointConfig received it
        log_group: where its output goes; the endpoint's group when left out
    """

    instance_id: str
    endpoint_name: str
    config_name: str
    variant_name: str
    fleet_id: str
    model: Mapping[str, Any] | None
    definition: Mapping[str, Any]
    log_group: str = ""

    def __post_init__(self) -> None:
        if not self.log_group:
            group = f"/aws/sagemaker/Endpoints/{self.endpoint_name}"
            object.__setattr__(self, "log_group", group)

    @property
    def log_stream(self) -> str:
        return f"{self.variant_name}/{self.instance_id}"

    @property
    def subject(self) -> dict[str, str | None]:
        """Whom a fault can name."""
        return {
            "endpoint_name": self.endpoint_name,
            "variant_name": self.variant_name,
            "endpoint_config_name": self.config_name,
            "instance_type": self.definition.get("InstanceType"),
        }


@dataclass(eq=False, kw_only=True)
class Container:
    """A started container of an instance.

    Args:
        hostname: `primary` where it is the only one
        multi_model: the models it holds, when its model has Mode MultiModel
    """

    hostname: str
    running: RunningContainer
    pool: ConnectionPool
    multi_model: MultiModel | None = None

    @property
    def port(self) -> int:
        return self.running.port

    def end(self, grace_seconds: float) -> None:
        """Stop it and close the connections to it."""
        self.running.stop(grace_seconds)
        self.pool.close()


@dataclass(eq=False)
class Instance:
    """A live instance; its counters are guarded by its own lock.

    Args:
        containers: in the order of the model's; replaced whole when one is started again
        launch_fault: how its launch is to fail on purpose
        faults: what else may go wrong on purpose, asked per request
        waits_until: rehearsal time a launch waits for, where it waits for nothing real
        lacks_capacity: whether there is no machine for it
        retry_at: rehearsal time from which another one takes its place, once it has failed
    """

    spec: InstanceSpec
    state: InstanceState = InstanceState.STARTING
    failure: str | None = None
    containers: tuple[Container, ...] = ()
    outstanding: int = 0
    launch_fault: LaunchFault | None = None
    faults: Faults | None = None
    waits_until: float | None = None
    lacks_capacity: bool = False
    retry_at: float | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def running(self) -> RunningContainer | None:
        """The first container, once it was started."""
        return self.containers[0].running if self.containers else None

    @property
    def pool(self) -> ConnectionPool | None:
        """Connections to the first container."""
        return self.containers[0].pool if self.containers else None

    @property
    def multi_model(self) -> MultiModel | None:
        """The models its multi-model container holds; None where it has no such container."""
        held = (container.multi_model for container in self.containers)
        return next((each for each in held if each is not None), None)

    def acquire(self) -> bool:
        """Count a request in; False when the instance takes no more."""
        with self._lock:
            if self.state is not InstanceState.HEALTHY:
                return False
            self.outstanding += 1
            return True

    def release(self) -> None:
        """Count a request out."""
        with self._lock:
            self.outstanding -= 1

    def waits(self, now: float) -> bool:
        """Tell whether its launch can go no further before the clock moves."""
        until = self.waits_until
        return until is not None and until > now and not self.stopping.is_set()

    def next_fault(self) -> InvocationFault:
        """Return what is to go wrong on purpose with the request about to be sent."""
        if self.faults is None:
            return NO_FAULT
        spec = self.spec
        return self.faults.invocation(
            spec.endpoint_name, spec.variant_name, spec.config_name, spec.instance_id
        )

    def close_to_requests(self) -> bool:
        """Take no further request; False when that was so already."""
        with self._lock:
            self.stopping.set()
            if self.state in (InstanceState.DRAINING, InstanceState.GONE):
                return False
            self.state = InstanceState.DRAINING
            return True

    def become(self, state: InstanceState, *, unless_stopping: bool = True) -> bool:
        """Change state; a start-up that ends after the stop began changes nothing."""
        with self._lock:
            if unless_stopping and self.stopping.is_set():
                return False
            self.state = state
            return True

    def drain(self, seconds: float, *, until: threading.Event | None = None) -> None:
        """Wait until no request is outstanding, at most so many wall seconds.

        Args:
            until: ends the wait when it is set
        """
        deadline = time.monotonic() + seconds
        while self.outstanding > 0 and time.monotonic() < deadline:
            if until is not None and until.is_set():
                return
            time.sleep(0.01)
