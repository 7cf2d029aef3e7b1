"""The local Docker engine: how it is reached, and what of it belongs to which rehearsal.

Source: Docker Engine API reference; docker-py's guide; "Docker object labels", read 2026.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import psutil
import requests
from docker.context import ContextAPI
from docker.errors import APIError, DockerException

from rehearsal.cloud.errors import SetupError

LABEL = "io.greenlight.rehearsal"
MACHINE_LABEL = f"{LABEL}.machine"
OWNER_LABEL = f"{LABEL}.owner"
ENGINE_TIMEOUT_SECONDS = 60
# Each running container holds one connection for its output.
MAXIMUM_CONNECTIONS = 128
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
ENGINE_ERRORS = (DockerException, requests.RequestException)


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The process that containers belong to, told apart from a later one with its number."""

    machine: str
    process: str

    @property
    def labels(self) -> dict[str, str]:
        return {MACHINE_LABEL: self.machine, OWNER_LABEL: self.process}


def this_process() -> Owner:
    """Return this process as an owner of containers."""
    return Owner(machine=_machine(), process=_process_mark(psutil.Process()))


def connect() -> Any:
    """Return a client of the engine that the `docker` command would use.

    Raises:
        SetupError: no engine answers, or it runs on another machine
    """
    host = engine_address()
    if not _is_here(host):
        raise SetupError(
            f"--runtime docker needs a Docker engine on this machine, and DOCKER_HOST is {host!r}; "
            "model files are mounted into containers, which no other machine can do: unset it"
        )
    try:
        knock(host)
        client = docker.from_env(
            environment={**os.environ, "DOCKER_HOST": host},
            timeout=ENGINE_TIMEOUT_SECONDS,
            max_pool_size=MAXIMUM_CONNECTIONS,
        )
    except (*ENGINE_ERRORS, OSError) as err:
        raise SetupError(
            f"--runtime docker needs a Docker engine, and none answers at {host!r} ({err}); "
            "start Docker, or use --runtime process"
        ) from err
    return client


def engine_address() -> str:
    """Return where the `docker` command finds its engine; the library ignores contexts."""
    named = os.environ.get("DOCKER_HOST")
    if named:
        return named
    context = ContextAPI.get_current_context()
    host: str | None = None if context is None else context.Host
    return "unix:///var/run/docker.sock" if host is None else host


def knock(host: str) -> None:
    """Connect to a local socket once: the library leaks the one it can't connect.

    Raises:
        OSError: nobody listens there
    """
    parts = urlsplit(host)
    if parts.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(parts.path)


def shares_network(client: Any) -> bool:
    """Tell whether containers' own addresses and processes can be seen from this machine."""
    if sys.platform != "linux":
        return False
    return "Docker Desktop" not in client.info().get("OperatingSystem", "")


def remove_owned(client: Any, owner: Owner) -> None:
    """Remove every container and network of one owner, running or not."""
    for thing in _labelled(client, owner.labels):
        _remove(thing)


def remove_leftovers(client: Any) -> int:
    """Remove what rehearsals on this machine left behind that don't run any more.

    Returns:
        how many containers and networks there were
    """
    count = 0
    for thing in _labelled(client, {MACHINE_LABEL: _machine()}):
        if not _runs(_labels(thing)[OWNER_LABEL]):
            _remove(thing)
            count += 1
    return count


def _labelled(client: Any, labels: dict[str, str]) -> list[Any]:
    """Return containers, then networks: a network goes only after what is in it."""
    chosen = {"label": [f"{name}={value}" for name, value in labels.items()]}
    containers = client.containers.list(all=True, filters=chosen, ignore_removed=True)
    return [*containers, *client.networks.list(filters=chosen)]


def _labels(thing: Any) -> dict[str, str]:
    attributes = thing.attrs
    found: dict[str, str] = attributes.get("Labels") or attributes["Config"]["Labels"]
    return found


def _remove(thing: Any) -> None:
    is_container = hasattr(thing, "logs")
    # Another rehearsal's look for leftovers, or the engine itself, may be removing it as well.
    with contextlib.suppress(APIError):
        if is_container:
            thing.remove(force=True, v=True)
        else:
            thing.remove()


def _machine() -> str:
    """Name this machine, or this container when the engine's socket was passed into one."""
    namespace = Path("/proc/self/ns/pid")
    inside = os.readlink(namespace) if sys.platform == "linux" else ""
    return f"{socket.gethostname()}/{inside}"


def _process_mark(process: psutil.Process) -> str:
    return f"{process.pid}@{process.create_time():.2f}"


def _runs(mark: str) -> bool:
    number = mark.partition("@")[0]
    try:
        return _process_mark(psutil.Process(int(number))) == mark
    except (psutil.NoSuchProcess, ValueError):
        return False


def _is_here(host: str) -> bool:
    parts = urlsplit(host)
    return parts.scheme in ("unix", "npipe", "") or parts.hostname in LOOPBACK_HOSTS
