"""Launches one instance: image, artifact, container, pings - as SageMaker orders them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.artifacts import ArtifactCache
from rehearsal.cloud.fleets.images import Image, ImageStore
from rehearsal.cloud.fleets.instance import Instance, InstanceState
from rehearsal.cloud.fleets.runtime import (
    ContainerNotStarted,
    ContainerRuntime,
    ImageMissing,
    RunningContainer,
)
from rehearsal.cloud.hosting import messages
from rehearsal.cloud.runtime.connection import (
    ConnectionPool,
    InstanceTimeout,
    InstanceUnreachable,
)
from rehearsal.cloud.settings import (
    DEFAULT_STARTUP_SECONDS,
    MINIMUM_STARTUP_WALL_SECONDS,
    STOP_WALL_SECONDS,
)

PING_TIMEOUT_WALL_SECONDS = 2.0
PING_INTERVAL_WALL_SECONDS = 0.05
# A container that exits is started again; a crash loop shows itself within a few rounds.
MAXIMUM_STARTS = 3

# What a launch that fails on purpose leaves as FailureReason.
FAULT_TEXTS = {
    "image": messages.IMAGE_MISSING,
    "artifact": messages.DOWNLOAD_FAILED,
    "cannot-start": messages.CANNOT_START,
    "ping": messages.PING_FAILED,
}

LogSink = Callable[[Instance, str], None]


class ModelAccess(Protocol):
    """What the model's role lets an instance fetch."""

    def pull_problem(self, role_arn: str, uri: str) -> str | None:
        """Return the FailureReason when the role can't pull the image, else None."""

    def may_download(self, role_arn: str, url: str) -> bool:
        """Tell whether the role may read the object."""


class LaunchFailed(Exception):
    """The instance won't become healthy; the text is the endpoint's FailureReason."""


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """What every launch uses."""

    clock: Clock
    images: ImageStore
    artifacts: ArtifactCache
    runtime: ContainerRuntime
    access: ModelAccess
    log: LogSink

    def launch(self, instance: Instance) -> None:
        """Bring an instance up to its first good ping.

        Raises:
            LaunchFailed: with the text SageMaker would give
        """
        spec = instance.spec
        container = container_of(spec.model)
        self._fail_on_purpose(instance, container)
        image = self.images.resolve(container.get("Image", ""))
        if image is None:
            raise LaunchFailed(messages.IMAGE_MISSING.format(variant=spec.variant_name))
        url = artifact_url(container)
        self._check_role(instance, container, url)
        try:
            model_directory = self.artifacts.directory_of(url)
        except SetupError as err:
            self.log(instance, f"model data: {err}")
            raise LaunchFailed(messages.DOWNLOAD_FAILED.format(url=url)) from err
        self._start_until_healthy(instance, image, model_directory, container)

    def _check_role(self, instance: Instance, container: dict[str, Any], url: str | None) -> None:
        """Look again at what CreateModel looked at: roles and policies change meanwhile."""
        role = (instance.spec.model or {}).get("ExecutionRoleArn", "")
        problem = self.access.pull_problem(role, container.get("Image", ""))
        if problem is None and url is not None and not self.access.may_download(role, url):
            problem = messages.DOWNLOAD_FAILED.format(url=url)
        if problem is not None:
            self.log(instance, problem)
            raise LaunchFailed(problem)

    def _start_until_healthy(
        self, instance: Instance, image: Image, model_directory: Path, container: dict[str, Any]
    ) -> None:
        seconds = instance.spec.definition.get(
            "ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_STARTUP_SECONDS
        )
        wall_seconds = max(seconds / self.clock.speed, MINIMUM_STARTUP_WALL_SECONDS)
        deadline = time.monotonic() + wall_seconds
        for _ in range(MAXIMUM_STARTS):
            self._start(instance, image, model_directory, container)
            if instance.launch_fault is not None:
                self._hang(instance, seconds)
                break
            if self._is_healthy_before(deadline, instance):
                return
            if instance.stopping.is_set():
                raise LaunchFailed("the instance was stopped while it started")
            if time.monotonic() >= deadline:
                break
        raise LaunchFailed(messages.PING_FAILED.format(variant=instance.spec.variant_name))

    def _fail_on_purpose(self, instance: Instance, container: dict[str, Any]) -> None:
        """Fail a launch that a fault was taken for; a hang starts its container first."""
        fault = instance.launch_fault
        if fault is None:
            return
        self.log(instance, f"{fault.fault_id}: this launch fails on purpose, {fault.reason}")
        if fault.reason in FAULT_TEXTS:
            text = FAULT_TEXTS[fault.reason]
            variant = instance.spec.variant_name
            raise LaunchFailed(text.format(variant=variant, url=artifact_url(container)))

    def _hang(self, instance: Instance, seconds: float) -> None:
        """Wait as long as a health check without an answer may take, in rehearsal time."""
        instance.waits_until = self.clock.now() + seconds
        while self.clock.now() < instance.waits_until and not instance.stopping.is_set():
            instance.stopping.wait(PING_INTERVAL_WALL_SECONDS)
        instance.waits_until = None

    def _start(
        self, instance: Instance, image: Image, model_directory: Path, container: dict[str, Any]
    ) -> None:
        spec = instance.spec
        try:
            running = self.runtime.start(
                image,
                name=f"{spec.endpoint_name}-{spec.variant_name}-{spec.instance_id}",
                environment=container.get("Environment", {}),
                model_directory=model_directory,
                network_isolation=bool((spec.model or {}).get("EnableNetworkIsolation", False)),
            )
        except ContainerNotStarted as err:
            self.log(instance, str(err))
            text = (
                messages.IMAGE_MISSING if isinstance(err, ImageMissing) else messages.CANNOT_START
            )
            raise LaunchFailed(text.format(variant=spec.variant_name)) from err
        instance.running = running
        instance.pool = ConnectionPool(running.port)
        threading.Thread(target=self._pump, args=(instance, running), daemon=True).start()

    def _is_healthy_before(self, deadline: float, instance: Instance) -> bool:
        """Ping until 200; False when the container ends, the time is up or a stop is asked."""
        running, pool = instance.running, instance.pool
        assert running is not None
        assert pool is not None
        while time.monotonic() < deadline and not instance.stopping.is_set():
            if running.exit_code() is not None:
                return False
            try:
                if (
                    pool.request("GET", "/ping", timeout_seconds=PING_TIMEOUT_WALL_SECONDS).status
                    == 200
                ):
                    return True
            except (InstanceUnreachable, InstanceTimeout):
                pass
            instance.stopping.wait(PING_INTERVAL_WALL_SECONDS)
        return False

    def _pump(self, instance: Instance, running: RunningContainer) -> None:
        for line in running.lines():
            self.log(instance, line)


def stop_instance(instance: Instance) -> None:
    """Drain, end the container, close the connections; returns when nothing is left of it."""
    instance.close_to_requests()
    instance.drain(STOP_WALL_SECONDS)
    if instance.running is not None:
        instance.running.stop(STOP_WALL_SECONDS)
    if instance.pool is not None:
        instance.pool.close()
    instance.become(InstanceState.GONE, unless_stopping=False)


def container_of(model: Any) -> dict[str, Any]:
    """Return the one container of a model; a model deleted meanwhile has none."""
    if model is None:
        return {}
    if "PrimaryContainer" in model:
        return dict(model["PrimaryContainer"])
    return dict(next(iter(model.get("Containers", ())), {}))


def artifact_url(container: dict[str, Any]) -> str | None:
    """Return where the container's model data lies, or None."""
    url: str | None = container.get("ModelDataUrl")
    if url is None:
        url = container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri")
    return url
