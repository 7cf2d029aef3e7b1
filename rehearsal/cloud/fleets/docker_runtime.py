"""Runs containers in the local Docker engine, as `docker run <image> serve` would.

Source: Docker Engine API (create, start, stop, wait, logs); SageMaker Developer Guide, "Custom
    Inference Code with Hosting Services": SIGTERM, then SIGKILL; /opt/ml/model is read-only;
    "Run Training and Inference Containers in Internet-Free Mode". Read 2026.
"""

from __future__ import annotations

import codecs
import contextlib
import logging
import re
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from queue import SimpleQueue
from typing import Any

from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import LogConfig, Mount

from rehearsal.cloud.fleets.docker_engine import (
    ENGINE_ERRORS,
    Owner,
    remove_leftovers,
    shares_network,
    this_process,
)
from rehearsal.cloud.fleets.docker_guard import Guard
from rehearsal.cloud.fleets.images import Image
from rehearsal.cloud.fleets.relay import Relay
from rehearsal.cloud.fleets.runtime import (
    NO_MOUNTS,
    SERVE,
    ContainerNotStarted,
    ImageMissing,
    RunningContainer,
)

logger = logging.getLogger(__name__)

PORT = 8080
MODEL_DIRECTORY = "/opt/ml/model"
# What exit_code() says when the engine went away with the container.
LOST_EXIT_CODE = 255
MAXIMUM_SIGNAL = 31
END_WALL_SECONDS = 10.0
MAXIMUM_NAME_CHARACTERS = 100
NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_.-]")
LOGS = LogConfig(type="json-file", config={"max-size": "10m", "max-file": "1"})


class RunningDockerContainer:
    """A container of the engine; when it ends it is removed, its exit code and output kept."""

    def __init__(
        self,
        container: Any,
        *,
        port: int,
        pid: int | None,
        mounts: Mapping[str, Path],
        relay: Relay | None,
    ) -> None:
        self._container = container
        self._port = port
        self._pid = pid
        self._mounts = mounts
        self._code: int | None = None
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._removed = threading.Event()
        self._relay = relay
        threading.Thread(target=self._follow, name="cloud-container", daemon=True).start()

    @property
    def pid(self) -> int | None:
        return self._pid if self._code is None else None

    @property
    def port(self) -> int:
        return self._port

    def exit_code(self) -> int | None:
        return self._code

    def stop(self, grace_seconds: float) -> None:
        # The engine sends SIGTERM, and SIGKILL when the time is up.
        with contextlib.suppress(*ENGINE_ERRORS):
            if grace_seconds > 0:
                self._container.stop(timeout=max(round(grace_seconds), 1))
            else:
                self._container.kill()
        if not self._removed.wait(END_WALL_SECONDS):
            _remove(self._container)

    def lines(self) -> Iterator[str]:
        while (line := self._lines.get()) is not None:
            yield line
        # Whoever reads once more finds the end again.
        self._lines.put(None)

    def path_of(self, path: Path) -> str:
        holding = [(o, i) for i, o in self._mounts.items() if path.is_relative_to(o)]
        if not holding:
            return str(path)
        # Of folders within each other the innermost is meant.
        outside, inside = max(holding, key=lambda pair: len(pair[0].parts))
        return str(PurePosixPath(inside, path.relative_to(outside)))

    def _follow(self) -> None:
        """Read the output until the container ends, then take its exit code and remove it."""
        code = LOST_EXIT_CODE
        try:
            with contextlib.closing(self._container.logs(stream=True, follow=True)) as output:
                for line in whole_lines(output):
                    self._lines.put(line)
            code = exit_code(int(self._container.wait(timeout=None)["StatusCode"]))
        except ENGINE_ERRORS as err:
            # Removed by hand, or the engine has stopped: the container is lost either way.
            self._lines.put(f"the container was lost: {err}")
        self._code = code
        self._lines.put(None)
        if self._relay is not None:
            self._relay.close()
        _remove(self._container)
        self._removed.set()


class DockerRuntime:
    """Starts containers that belong to this process and go with it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._owner: Owner = this_process()
        self._lock = threading.Lock()
        self._isolated: Any = None
        self._shares_network = shares_network(client)
        leftovers = remove_leftovers(client)
        if leftovers:
            logger.info("removed what earlier rehearsals left in Docker count=%d", leftovers)
        self._guard = Guard(self._owner)

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
        if network_isolation and not self._shares_network:
            raise ContainerNotStarted(
                "container did not start: EnableNetworkIsolation needs a Docker engine that runs "
                "on this machine's own Linux; Docker Desktop's runs in a virtual machine"
            )
        whole = {MODEL_DIRECTORY: model_directory, **mounts}
        try:
            container = self._client.containers.create(
                image.engine_id,
                list(arguments),
                name=container_name(name),
                environment={**environment, "SAGEMAKER_BIND_TO_PORT": str(PORT)},
                labels=self._owner.labels,
                log_config=LOGS,
                stop_signal="SIGTERM",
                mounts=[
                    Mount(inside, str(outside), type="bind", read_only=True)
                    for inside, outside in whole.items()
                ],
                **self._network(network_isolation),
            )
        except ImageNotFound as err:
            raise ImageMissing(f"container did not start: {err}") from err
        except ENGINE_ERRORS as err:
            raise ContainerNotStarted(f"container did not start: {err}") from err
        return self._run(container, whole, network_isolation)

    def close(self) -> None:
        # One way out for an orderly end and a kill: the guard removes what there still is.
        self._guard.close()
        self._client.close()

    def _run(
        self, container: Any, mounts: Mapping[str, Path], network_isolation: bool
    ) -> RunningContainer:
        relay: Relay | None = None
        try:
            container.start()
            container.reload()
            if network_isolation:
                address = _address(container, self._isolated.name)
                relay = Relay(address, PORT) if address else None
        except ENGINE_ERRORS as err:
            _remove(container)
            raise ContainerNotStarted(f"container did not start: {err}") from err
        return RunningDockerContainer(
            container,
            port=_published_port(container) if relay is None else relay.port,
            pid=container.attrs["State"]["Pid"] or None if self._shares_network else None,
            mounts=mounts,
            relay=relay,
        )

    def _network(self, network_isolation: bool) -> dict[str, Any]:
        if not network_isolation:
            return {"ports": {f"{PORT}/tcp": ("127.0.0.1", None)}}
        with self._lock:
            if self._isolated is None:
                self._isolated = self._client.networks.create(
                    container_name("isolated"), internal=True, labels=self._owner.labels
                )
        return {"network": self._isolated.name}


def exit_code(status: int) -> int:
    """Return an engine's status as a process's exit code: 137 is -9, killed by SIGKILL."""
    return 128 - status if 128 < status <= 128 + MAXIMUM_SIGNAL else status


def container_name(name: str) -> str:
    """Return a name of its own for a container; the engine refuses one that is taken."""
    text = NOT_A_NAME.sub("-", name)[:MAXIMUM_NAME_CHARACTERS]
    return f"greenlight-{text}-{secrets.token_hex(4)}"


def _published_port(container: Any) -> int:
    """Return the loopback port; 0 when the container has ended already and has none."""
    published = container.attrs["NetworkSettings"]["Ports"].get(f"{PORT}/tcp")
    return int(published[0]["HostPort"]) if published else 0


def _address(container: Any, network: str) -> str:
    """Return the container's own address; empty when it has ended already."""
    return str(container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"])


def _remove(container: Any) -> None:
    try:
        container.remove(force=True, v=True)
    except NotFound:
        return
    except APIError as err:
        # 409: somebody else - the guard, a person - is removing it right now.
        if err.status_code != 409:
            logger.warning("container not removed id=%s: %s", container.short_id, err)
    except ENGINE_ERRORS as err:
        logger.warning("container not removed id=%s: %s", container.short_id, err)


def whole_lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Yield whole lines of a stream of bytes; characters may be cut anywhere."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    held = ""
    for chunk in chunks:
        *whole, held = (held + decoder.decode(chunk)).split("\n")
        yield from (line.rstrip("\r") for line in whole)
    if held:
        yield held
