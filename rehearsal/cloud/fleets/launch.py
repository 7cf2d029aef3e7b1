"""Launches one instance: images, model data, containers, pings - as SageMaker orders them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.fleets.definition import PRIMARY, definitions_of, model_data_of
from rehearsal.cloud.fleets.durations import FAST, Durations
from rehearsal.cloud.fleets.health import Unhealthy, watch
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
from rehearsal.cloud.fleets.start import StartUp, pass_time, ping_failed
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

JOIN_WALL_SECONDS = 0.2

# What a launch that fails on purpose leaves as FailureReason.
FAULT_TEXTS = {
    "image": messages.IMAGE_MISSING,
    "artifact": messages.DOWNLOAD_FAILED,
    "cannot-start": messages.CANNOT_START,
    "ping": messages.PING_FAILED,
}
# Takes log group, log stream and line.
LogSink = Callable[[str, str, str], None]


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """What every launch uses.

    Args:
        grace_seconds: wall seconds between SIGTERM and SIGKILL
        minimum_startup_wall_seconds: a start-up limit never gets shorter than this
        durations: what passes in rehearsal time beside the real work
        ending: set when the whole cloud ends, which waits for nobody's long request
    """

    clock: Clock
    preparer: Preparer
    runtime: ContainerRuntime
    log: LogSink
    record: Record
    grace_seconds: float = STOP_GRACE_WALL_SECONDS
    minimum_startup_wall_seconds: float = MINIMUM_STARTUP_WALL_SECONDS
    durations: Durations = FAST
    ending: threading.Event = field(default_factory=threading.Event)

    def launch(self, instance: Instance) -> None:
        """Bring an instance up until all its containers answer their pings.

        Raises:
            LaunchFailed: with the text SageMaker would give
        """
        pass_time(instance, self.clock, self._durations(instance).provisioning_seconds)
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
        definition = instance.spec.definition
        seconds = definition.get(
            "ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_STARTUP_SECONDS
        )
        start_up = StartUp(
            instance=instance,
            prepared=prepared,
            clock=self.clock,
            limit_wall_seconds=max(seconds / self.clock.speed, self.minimum_startup_wall_seconds),
            crash_loop_seconds=self._durations(instance).crash_loop_seconds,
            start=lambda each: self._start(instance, each),
        )
        start_up.begin()
        if instance.launch_fault is not None:
            # A health check that hangs: as long as it may take, in rehearsal time.
            pass_time(instance, self.clock, seconds)
            raise LaunchFailed(ping_failed(instance, instance.containers[0].hostname))
        start_up.wait_until_healthy()

    def _durations(self, instance: Instance) -> Durations:
        """Return what beside real work takes time; serverless variants have no instances."""
        return FAST if "ServerlessConfig" in instance.spec.definition else self.durations

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
        role: str = (instance.spec.model or {}).get("ExecutionRoleArn", "")
        return MultiModel(
            api=ModelApi(pool),
            prefix_url=plan.model_prefix,
            artifacts=self.preparer.artifacts,
            directory=prepared.models_directory,
            path_of=running.path_of,
            note=lambda text: self.note(instance, plan.hostname, text),
            may_download=lambda url: self.preparer.access.may_download(role, url),
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
                    variant=spec.variant_name,
                    container="container_1",
                    url=_first_url(spec.model),
                )
            )


def _end_all(instance: Instance, grace_seconds: float) -> list[threading.Thread]:
    threads = [
        threading.Thread(target=container.end, args=(grace_seconds,), daemon=True)
        for container in instance.containers
    ]
    for thread in threads:
        thread.start()
    return threads


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
