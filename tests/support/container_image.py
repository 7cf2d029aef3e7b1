"""The serving image, built for real, and servers that are containers of it; no tests here.

A container has what a hardened host gives it: a read-only root filesystem without /tmp, no rights
beyond its user's, the artifact read-only, and a network that leads nowhere but to its own port.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import NotFound
from docker.types import Mount

from tests.support.container_process import CONTAINER, STOP_SECONDS, Server
from tests.support.docker_engine import DockerEngine

REPOSITORY = "greenlight-tests/server"
MODEL_DIRECTORY = "/opt/ml/model"
PORT = 8080
HEALTH_INTERVAL_NS = 2_000_000_000
# Without it nothing carries the container's packets further than the bridge, whereas an internal
# network would not publish the port either.
NO_WAY_OUT = {"com.docker.network.bridge.enable_ip_masquerade": "false"}


@dataclass(frozen=True, kw_only=True)
class ServerContainer(Server):
    """A server that is a container.

    Args:
        container: removed with the context that started it
    """

    container: Any

    def log_text(self) -> str:
        return bytes(self.container.logs()).decode()

    def exit_code(self) -> int | None:
        self.container.reload()
        state = self.container.attrs["State"]
        return None if state["Running"] else int(state["ExitCode"])

    def terminate(self) -> None:
        self.container.kill("SIGTERM")

    def wait(self, seconds: float) -> int:
        return int(self.container.wait(timeout=seconds)["StatusCode"])

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command beside the server, as its user; give its exit code and its output."""
        result = self.container.exec_run(list(command))
        return result.exit_code, result.output.decode()

    def health(self) -> str:
        """Give what Docker's health check found: starting, healthy or unhealthy."""
        self.container.reload()
        return str(self.container.attrs["State"]["Health"]["Status"])


def built_image(engine: DockerEngine, **arguments: str) -> str:
    """Build `container/` and give the image's id; a second time nothing is left to do.

    Args:
        arguments: further build arguments
    """
    image, _ = engine.client.images.build(
        path=str(CONTAINER),
        tag=f"{REPOSITORY}:{secrets.token_hex(4)}",
        buildargs={"BASE_IMAGE": engine.base_image, **arguments},
        rm=True,
        forcerm=True,
    )
    return str(image.id)


@contextmanager
def closed_network(engine: DockerEngine) -> Iterator[str]:
    """Make a network whose containers reach nothing outside this machine; give its name."""
    network = engine.client.networks.create(
        f"greenlight-tests-{secrets.token_hex(4)}", driver="bridge", options=NO_WAY_OUT
    )
    yield str(network.name)
    network.remove()


@contextmanager
def started_container(
    engine: DockerEngine, image: str, network: str, model_directory: Path, **environment: str
) -> Iterator[ServerContainer]:
    """Start a container of the image and remove it when the context ends; it may not be ready yet.

    Args:
        network: the name of a network
        model_directory: what it has in /opt/ml/model
        environment: further variables
    """
    make_readable(model_directory)
    container = engine.client.containers.run(
        image,
        ["serve"],
        detach=True,
        environment={"SAGEMAKER_MODEL_SERVER_WORKERS": "1", **environment},
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        network=network,
        ports={f"{PORT}/tcp": ("127.0.0.1", None)},
        # What checks is the image's own; only that it begins at once is not.
        healthcheck={"interval": HEALTH_INTERVAL_NS},
        mounts=[Mount(MODEL_DIRECTORY, str(model_directory), type="bind", read_only=True)],
    )
    try:
        container.reload()
        published = container.attrs["NetworkSettings"]["Ports"].get(f"{PORT}/tcp")
        # A container that has ended already publishes nothing; its exit code is what to look at.
        port = int(published[0]["HostPort"]) if published else 0
        yield ServerContainer(container=container, port=port)
    finally:
        try:
            container.stop(timeout=STOP_SECONDS)
            container.remove(force=True, v=True)
        except NotFound:
            pass


def make_readable(directory: Path) -> None:
    """Let the image's user read a folder; pytest's own are for the user who runs the tests."""
    for path in (directory, *directory.rglob("*")):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
