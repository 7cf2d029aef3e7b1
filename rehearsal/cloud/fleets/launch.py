"""Launches one instance: images, model data, containers, pings - as SageMaker orders them."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.fleets.definition import PRIMARY, definitions_of, model_data_of
from rehearsal.cloud.fleets.health import Ping, Unhealthy, ping, watch
from rehearsal.cloud.fleets.instance import Container, Instance, InstanceState
from rehearsal.cloud.fleets.model_api import ModelApi
from rehearsal.cloud.fleets.multi_model import MultiModel
from rehearsal.cloud.fleets.prepare import LaunchFailed, Prepared, Preparer
from rehearsal.cloud.fleets.runtime import (
    ContainerNotStarted,
    ContainerRuntime,
    ImageMissing,
    RunningContainer,
)
from rehearsal.cloud.hosting import messages
from rehearsal.cloud.record import Record
from rehearsal.cloud.runtime.connection import ConnectionPool
from rehearsal.cloud.settings import (
    DEFAULT_STARTUP_SECONDS,
    INVOCATION_TIMEOUT_WALL_SECONDS,
    MINIMUM_STARTUP_WALL_SECONDS,
    STOP_GRACE_WALL_SECONDS,
    STOP_WALL_SECONDS,
)

PING_PAUSE_WALL_SECONDS = 0.05
# "Consistently 200": a server that flaps while it starts is not up yet. The number is assumed.
GOOD_PINGS_IN_A_ROW = 2
# A container that exits is started again; a crash loop shows itself within a few rounds.
MAXIMUM_STARTS = 3
JOIN_WALL_SECONDS = 0.2

# What a launch that fails on purpose leaves as FailureReason.
FAULT_TEXTS = {
    "image": messages.IMAGE_MISSING,
    "artifact": messages.DOWNLOAD_FAILED,
    "cannot-start": messages.CANNOT_START,
    "ping": messages.PING_FAILED,
}
# Seen in aws/amazon-sagemaker-examples#1072; a single container is "the primary container".
PIPELINE_PING_FAILED = (
    "The {hostname} for production variant {variant} did not pass the ping health check. Please "
    "check CloudWatch logs for this endpoint."
)

# Takes log group, log stream and line.
LogSink = Callable[[str, str, str], None]


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """What every launch uses.

    Args:
        grace_seconds: wall seconds between SIGTERM and SIGKILL
        minimum_startup_wall_seconds: a start-up limit never gets shorter than this
        ending: set when the whole cloud ends, which waits for nobody's long request
    """

    clock: Clock
    preparer: Preparer
    runtime: ContainerRuntime
    log: LogSink
    record: Record
    grace_seconds: float = STOP_GRACE_WALL_SECONDS
    minimum_startup_wall_seconds: float = MINIMUM_STARTUP_WALL_SECONDS
    ending: threading.Event = field(default_factory=threading.Event)

    def launch(self, instance: Instance) -> None:
        """Bring an instance up until all its containers answer their pings.

        Raises:
            LaunchFailed: with the text SageMaker would give
        """
        self._fail_on_purpose(instance)
        prepared = self.preparer.prepare(
            instance,
            speed=self.clock.speed,
            note=lambda hostname, text: self.note(instance, hostname, text),
        )
        self._start_until_healthy(instance, prepared)

    def watch(self, instance: Instance) -> Unhealthy | None:
        """Ping a healthy instance until it has to be replaced or is stopped."""
        return watch(instance, self.clock.speed)

    def stop(self, instance: Instance, *, hurried: bool = False) -> None:
        """Drain, end the containers, close the connections; returns when nothing is left of it.

        Args:
            hurried: whether to wait for long requests and slow ends as little as when all ends
        """
        instance.close_to_requests()
        if not hurried:
            instance.drain(INVOCATION_TIMEOUT_WALL_SECONDS, until=self.ending)
        if hurried or self.ending.is_set():
            instance.drain(STOP_WALL_SECONDS)
        self.end_containers(instance, hurried=hurried)
        shutil.rmtree(self.preparer.instance_directory(instance), ignore_errors=True)
        instance.become(InstanceState.GONE, unless_stopping=False)

    def end_containers(self, instance: Instance, *, hurried: bool = False) -> None:
        """Send every container SIGTERM at once, and SIGKILL to what is left after the grace."""
        short = min(STOP_WALL_SECONDS, self.grace_seconds)
        hurried = hurried or self.ending.is_set()
        threads = _end_all(instance, short if hurried else self.grace_seconds)
        while any(thread.is_alive() for thread in threads):
            threads[0].join(JOIN_WALL_SECONDS)
            threads = [thread for thread in threads if thread.is_alive()]
            if threads and self.ending.is_set() and not hurried:
                hurried = True
                threads += _end_all(instance, short)

    def note(self, instance: Instance, hostname: str, text: str) -> None:
        """Put what the platform does to a container into the record.

        SageMaker says nothing of it in the container's log, whose group is made by the first
        line a container writes.
        """
        spec = instance.spec
        self.record.event(
            "fleet",
            endpoint_name=spec.endpoint_name,
            endpoint_config_name=spec.config_name,
            variant_name=spec.variant_name,
            instance_id=spec.instance_id,
            action="note",
            container=hostname,
            text=text,
        )

    # ---- starting

    def _start_until_healthy(self, instance: Instance, prepared: list[Prepared]) -> None:
        seconds = instance.spec.definition.get(
            "ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_STARTUP_SECONDS
        )
        wall_seconds = max(seconds / self.clock.speed, self.minimum_startup_wall_seconds)
        deadline = time.monotonic() + wall_seconds
        for each in prepared:
            # One by one, so that what a pipeline did start is ended when a later one can't.
            instance.containers = (*instance.containers, self._start(instance, each))
        if instance.launch_fault is not None:
            self._hang(instance, seconds)
            raise LaunchFailed(ping_failed(instance, instance.containers[0].hostname))
        starts = [1] * len(prepared)
        good = 0
        while good < GOOD_PINGS_IN_A_ROW:
            if instance.stopping.is_set():
                raise LaunchFailed("the instance was stopped while it started")
            results = [ping(container) for container in instance.containers]
            good = good + 1 if self._all_good(instance, results) else 0
            for position, result in enumerate(results):
                late = time.monotonic() >= deadline
                ended = result is Ping.EXITED
                if (late and not good) or (ended and starts[position] >= MAXIMUM_STARTS):
                    bad = instance.containers[_worst(results, position)]
                    raise LaunchFailed(ping_failed(instance, bad.hostname))
                if ended:
                    starts[position] += 1
                    self._start_again(instance, prepared, position)
            instance.stopping.wait(PING_PAUSE_WALL_SECONDS)

    def _all_good(self, instance: Instance, results: list[Ping]) -> bool:
        """Tell whether every container is up; a multi-model one must list its models, too."""
        if any(result is not Ping.GOOD for result in results):
            return False
        for container in instance.containers:
            if container.multi_model is not None and ModelApi(container.pool).names() is None:
                return False
        return True

    def _start_again(self, instance: Instance, prepared: list[Prepared], position: int) -> None:
        containers = list(instance.containers)
        containers[position].pool.close()
        containers[position] = self._start(instance, prepared[position])
        instance.containers = tuple(containers)

    def _start(self, instance: Instance, prepared: Prepared) -> Container:
        spec, plan = instance.spec, prepared.plan
        stem = f"{spec.endpoint_name}-{spec.variant_name}-{spec.instance_id}"
        try:
            running = self.runtime.start(
                prepared.image,
                name=stem if plan.hostname == PRIMARY else f"{stem}-{plan.hostname}",
                environment=plan.environment,
                model_directory=prepared.model_directory,
                mounts=prepared.mounts,
                network_isolation=bool((spec.model or {}).get("EnableNetworkIsolation", False)),
            )
        except ContainerNotStarted as err:
            self.note(instance, plan.hostname, str(err))
            text = (
                messages.IMAGE_MISSING if isinstance(err, ImageMissing) else messages.CANNOT_START
            )
            raise LaunchFailed(text.format(variant=spec.variant_name)) from err
        pool = ConnectionPool(running.port)
        threading.Thread(
            target=self._pump, args=(instance, plan.hostname, running), daemon=True
        ).start()
        return Container(
            hostname=plan.hostname,
            running=running,
            pool=pool,
            multi_model=self._multi_model(instance, prepared, running, pool),
        )

    def _multi_model(
        self,
        instance: Instance,
        prepared: Prepared,
        running: RunningContainer,
        pool: ConnectionPool,
    ) -> MultiModel | None:
        plan = prepared.plan
        if plan.model_prefix is None or prepared.models_directory is None:
            return None
        return MultiModel(
            api=ModelApi(pool),
            prefix_url=plan.model_prefix,
            artifacts=self.preparer.artifacts,
            directory=prepared.models_directory,
            path_of=running.path_of,
            note=lambda text: self.note(instance, plan.hostname, text),
            caches_models=plan.caches_models,
            download_wall_seconds=prepared.download_wall_seconds,
        )

    def _pump(self, instance: Instance, hostname: str, running: RunningContainer) -> None:
        group, stream = instance.spec.log_group, stream_of(instance, hostname)
        for line in running.lines():
            self.log(group, stream, line)

    # ---- failing on purpose

    def _fail_on_purpose(self, instance: Instance) -> None:
        """Fail a launch that a fault was taken for; a hang starts its containers first."""
        fault = instance.launch_fault
        if fault is None:
            return
        text = f"{fault.fault_id}: this launch fails on purpose, {fault.reason}"
        self.note(instance, PRIMARY, text)
        if fault.reason in FAULT_TEXTS:
            spec = instance.spec
            raise LaunchFailed(
                FAULT_TEXTS[fault.reason].format(
                    variant=spec.variant_name, url=_first_url(spec.model)
                )
            )

    def _hang(self, instance: Instance, seconds: float) -> None:
        """Wait as long as a health check without an answer may take, in rehearsal time."""
        instance.waits_until = self.clock.now() + seconds
        while self.clock.now() < instance.waits_until and not instance.stopping.is_set():
            instance.stopping.wait(PING_PAUSE_WALL_SECONDS)
        instance.waits_until = None


def _end_all(instance: Instance, grace_seconds: float) -> list[threading.Thread]:
    threads = [
        threading.Thread(target=container.end, args=(grace_seconds,), daemon=True)
        for container in instance.containers
    ]
    for thread in threads:
        thread.start()
    return threads


def ping_failed(instance: Instance, hostname: str) -> str:
    """Return the FailureReason of a container that isn't healthy."""
    variant = instance.spec.variant_name
    if hostname == PRIMARY:
        return messages.PING_FAILED.format(variant=variant)
    return PIPELINE_PING_FAILED.format(hostname=hostname, variant=variant)


def stream_of(instance: Instance, hostname: str) -> str:
    """Return a container's log stream; only a pipeline's has the container's name in it."""
    stream = instance.spec.log_stream
    if len(definitions_of(instance.spec.model)) < 2 or hostname == PRIMARY:
        return stream
    return f"{stream}/{hostname}"


def artifact_url(container: Mapping[str, Any]) -> str | None:
    """Return where the container's model data lies, or None."""
    if "ModelDataUrl" in container:
        return str(container["ModelDataUrl"])
    data = model_data_of(container)
    return None if data is None else data.url


def _first_url(model: Mapping[str, Any] | None) -> str | None:
    definitions = definitions_of(model)
    return artifact_url(definitions[0]) if definitions else None


def _worst(results: list[Ping], position: int) -> int:
    """Return which container a failed start is blamed on: one that ended, else the first bad."""
    if results[position] is Ping.EXITED:
        return position
    return next((i for i, result in enumerate(results) if result is not Ping.GOOD), position)
