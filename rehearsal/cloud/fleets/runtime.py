"""What runs containers: the two protocols every launch goes through, and plain processes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from rehearsal.cloud.fleets.images import (
    Image,
    command_line,
    process_environment,
    within,
)
from rehearsal.cloud.fleets.process import Spawner, free_port, stop_process

SERVE = ("serve",)
NO_MOUNTS: Mapping[str, Path] = {}


class ContainerNotStarted(Exception):
    """The image's program can't be run; the text is for the instance's log."""


class ImageMissing(ContainerNotStarted):
    """The image went away between the look for it and the start."""


class RunningContainer(Protocol):
    """One started container; it may have ended meanwhile."""

    @property
    def pid(self) -> int | None:
        """The main process on this machine; None once it is known to have ended."""

    @property
    def port(self) -> int:
        """The port on this machine's loopback interface behind which it should listen."""

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""

    def stop(self, grace_seconds: float) -> None:
        """Send SIGTERM, after the grace SIGKILL; return when nothing is left of it.

        Without a grace it is killed at once, as by a crash.
        """

    def lines(self) -> Iterator[str]:
        """Yield its output line by line until it ends; what was read is gone."""

    def path_of(self, path: Path) -> str:
        """Return how the container names a file of this machine that it was given."""


class ContainerRuntime(Protocol):
    """Starts containers of images; one per rehearsal."""

    def start(
        self,
        image: Image,
        *,
        name: str,
        environment: Mapping[str, str],
        model_directory: Path,
        arguments: Sequence[str] = SERVE,
        mounts: Mapping[str, Path] = NO_MOUNTS,
        network_isolation: bool = False,
    ) -> RunningContainer:
        """Start one container.

        Args:
            name: for people who look at what runs, as `<endpoint>-<instance>`
            environment: what the model and the platform set; the image's own comes below it
            model_directory: what the container finds, read-only, as /opt/ml/model
            arguments: take the place of the image's CMD
            mounts: further read-only directories by their path in the container
            network_isolation: no connection may leave the container

        Raises:
            ContainerNotStarted: the image can't be run
        """

    def close(self) -> None:
        """End whatever is left of all it started."""


class RunningProcess:
    """A server process in the container's place."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self._port = port

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def port(self) -> int:
        return self._port

    def exit_code(self) -> int | None:
        return self._process.poll()

    def stop(self, grace_seconds: float) -> None:
        stop_process(self._process, grace_seconds)

    def lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return
        with self._process.stdout:
            for line in self._process.stdout:
                yield line.decode("utf-8", "replace").rstrip("\n")

    def path_of(self, path: Path) -> str:
        return str(path)


def variable_of(path: str) -> str:
    """Return which variable tells a process where a container's path lies.

    `/opt/ml/models` becomes `SM_MODELS_DIR`.
    """
    name = path.removeprefix("/opt/ml/").replace("-", "_").replace("/", "_")
    return f"SM_{name.upper()}_DIR"


class ProcessRuntime:
    """Runs an image's program as a process of this machine's Python.

    A process sees this machine's files, so what a container would find below /opt/ml lies
    elsewhere, and `SM_MODEL_DIR` and its like say where.
    """

    def __init__(self) -> None:
        self._spawner = Spawner()

    def start(
        self,
        image: Image,
        *,
        name: str,
        environment: Mapping[str, str],
        model_directory: Path,
        arguments: Sequence[str] = SERVE,
        mounts: Mapping[str, Path] = NO_MOUNTS,
        network_isolation: bool = False,
    ) -> RunningContainer:
        port = free_port()
        whole = {
            # Many instances share this machine; a worker a processor each would be too many.
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
            **process_environment(image),
            **environment,
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "SM_MODEL_DIR": str(model_directory),
            **{variable_of(path): str(found) for path, found in mounts.items()},
            # Our server's own switch; an image that doesn't know it listens where it always does.
            "GREENLIGHT_BIND_ADDRESS": "127.0.0.1",
        }
        directory = within(image.root, image.plan.working_directory)
        try:
            process = self._spawner.start(command_line(image, arguments), whole, directory)
        except OSError as err:
            raise ContainerNotStarted(f"container did not start: {err}") from err
        return RunningProcess(process, port)

    def close(self) -> None:
        self._spawner.stop()
