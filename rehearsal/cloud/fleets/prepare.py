"""What a launch needs before anything is started: images and model data, fetched as the role may.

Source: SageMaker API Reference, ContainerDefinition, ProductionVariant; read 2026.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.artifacts import ArtifactCache, linked_copy
from rehearsal.cloud.fleets.definition import (
    ADDITIONAL_DATA_ROOT,
    ContainerPlan,
    ModelData,
    container_plans,
)
from rehearsal.cloud.fleets.images import Image, ImageStore
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.fleets.multi_model import MODELS_ROOT
from rehearsal.cloud.hosting import messages

# "The model downloading timeout is about 1 hour": SageMaker's staff in
# aws/amazon-sagemaker-examples#650; it is also the longest a variant can ask for.
DEFAULT_DOWNLOAD_SECONDS = 3_600.0
# Laying files out is real work and not sped up.
MINIMUM_DOWNLOAD_WALL_SECONDS = 15.0


class LaunchFailed(Exception):
    """The instance won't become healthy; the text is the endpoint's FailureReason."""


class ModelAccess(Protocol):
    """What the model's role lets an instance fetch."""

    def pull_problem(self, role_arn: str, uri: str) -> str | None:
        """Return the FailureReason when the role can't pull the image, else None."""

    def may_download(self, role_arn: str, url: str) -> bool:
        """Tell whether the role may read the object."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """One container ready to be started.

    Args:
        models_directory: where a multi-model container's models lie; None for others
        mounts: further directories by their path in the container
        download_wall_seconds: how long one more model's download may take
    """

    plan: ContainerPlan
    image: Image
    model_directory: Path
    models_directory: Path | None
    mounts: Mapping[str, Path]
    download_wall_seconds: float


@dataclass(frozen=True, kw_only=True)
class Preparer:
    """Fetches what the containers of an instance need.

    Args:
        directory: where what belongs to one instance alone lies
    """

    images: ImageStore
    artifacts: ArtifactCache
    access: ModelAccess
    directory: Path

    def prepare(
        self, instance: Instance, *, speed: float, note: Callable[[str, str], None]
    ) -> list[Prepared]:
        """Return the instance's containers with all they need.

        Args:
            note: takes a container's name and what is to be recorded

        Raises:
            LaunchFailed: an image or data is missing, forbidden, unfit or too slow
        """
        spec = instance.spec
        plans = container_plans(spec.model)
        if not plans:
            raise LaunchFailed(messages.IMAGE_MISSING.format(variant=spec.variant_name))
        seconds = spec.definition.get("ModelDataDownloadTimeoutInSeconds", DEFAULT_DOWNLOAD_SECONDS)
        wall_seconds = max(seconds / speed, MINIMUM_DOWNLOAD_WALL_SECONDS)
        prepared = []
        for number, plan in enumerate(plans, start=1):
            fetch = _Fetch(
                preparer=self,
                instance=instance,
                plan=plan,
                container_name=f"container_{number}",
                deadline=time.monotonic() + wall_seconds,
                note=note,
            )
            prepared.append(fetch.prepared(wall_seconds))
        return prepared

    def instance_directory(self, instance: Instance) -> Path:
        """Return where what belongs to the instance alone lies."""
        return self.directory / instance.spec.instance_id


@dataclass(frozen=True, kw_only=True)
class _Fetch:
    preparer: Preparer
    instance: Instance
    plan: ContainerPlan
    container_name: str
    deadline: float
    note: Callable[[str, str], None]

    def prepared(self, download_wall_seconds: float) -> Prepared:
        model_directory = self._data(self.plan.data)
        own = self.preparer.instance_directory(self.instance) / self.plan.hostname
        mounts: dict[str, Path] = {}
        models_directory = None
        if self.plan.model_prefix is not None:
            models_directory = mounts[MODELS_ROOT] = own / "models"
            models_directory.mkdir(parents=True, exist_ok=True)
        if self.plan.additional_data:
            root = mounts[ADDITIONAL_DATA_ROOT] = own / "additional"
            for path, data in self.plan.additional_data:
                linked_copy(self._data(data), root / Path(path).name)
        return Prepared(
            plan=self.plan,
            image=self._image(),
            model_directory=model_directory,
            models_directory=models_directory,
            mounts=mounts,
            download_wall_seconds=download_wall_seconds,
        )

    def _image(self) -> Image:
        uri = self.plan.image_uri
        image = self.preparer.images.resolve(uri)
        if image is None:
            variant = self.instance.spec.variant_name
            raise LaunchFailed(messages.IMAGE_MISSING.format(variant=variant))
        problem = self.preparer.access.pull_problem(self._role, uri)
        if problem is not None:
            raise self._failed(problem, problem)
        return image

    def _data(self, data: ModelData | None) -> Path:
        problem = "the role may not read it"
        if data is None or self.preparer.access.may_download(self._role, data.url):
            try:
                return self.preparer.artifacts.directory_of(data, deadline=self.deadline)
            except SetupError as err:
                problem = str(err)
        assert data is not None
        raise self._failed(download_failed(self.container_name, data.url), f"model data: {problem}")

    def _failed(self, reason: str, text: str) -> LaunchFailed:
        self.note(self.plan.hostname, text)
        return LaunchFailed(reason)

    @property
    def _role(self) -> str:
        role: str = (self.instance.spec.model or {}).get("ExecutionRoleArn", "")
        return role


def download_failed(container_name: str, url: str | None) -> str:
    """Return the FailureReason of model data that can't be had."""
    return messages.DOWNLOAD_FAILED.format(container=container_name, url=url)
