"""Chooses what runs containers and where their images are, which belong together."""

from __future__ import annotations

from typing import Any

from rehearsal.cloud.fleets.images import ImageStore, LaidOutImages
from rehearsal.cloud.fleets.runtime import ContainerRuntime, ProcessRuntime
from rehearsal.cloud.settings import CloudSettings, RuntimeName


def runtime_and_images(
    settings: CloudSettings, registry: Any
) -> tuple[ContainerRuntime, ImageStore]:
    """Return the runtime that was asked for, and its images.

    Raises:
        SetupError: no Docker engine answers
    """
    if settings.runtime is RuntimeName.DOCKER:
        # A rehearsal with processes needs neither an engine nor its library.
        from rehearsal.cloud.fleets.docker_engine import connect
        from rehearsal.cloud.fleets.docker_images import DockerImages
        from rehearsal.cloud.fleets.docker_runtime import DockerRuntime

        client = connect()
        return DockerRuntime(client), DockerImages(client, registry)
    return ProcessRuntime(), LaidOutImages(settings.directory / "images", registry)
