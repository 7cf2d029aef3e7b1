"""What several contract tests share and is slow to come by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.container_image import built_image, closed_network, started_container
from tests.support.container_process import Serve, Server, started_server
from tests.support.docker_engine import DockerEngine, running_engine


@pytest.fixture(scope="session")
def docker_engine(request: pytest.FixtureRequest) -> Iterator[DockerEngine]:
    yield from running_engine(request.config)


@pytest.fixture(scope="session")
def server_image(docker_engine: DockerEngine) -> str:
    """The image as `make image` builds it."""
    return built_image(docker_engine)


@pytest.fixture(scope="session")
def server_network(docker_engine: DockerEngine) -> Iterator[str]:
    """A network whose containers reach nothing outside this machine."""
    with closed_network(docker_engine) as name:
        yield name


@pytest.fixture(scope="module", params=["process", "container"])
def serve(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serve]:
    """Start servers as processes, then as containers of the built image, for the same tests.

    A module opts in by taking its server from here instead of from `started_server`:

        @pytest.fixture(scope="module")
        def server(serve: Serve, iris: FittedModel) -> Server:
            started = serve(iris.directory)
            assert started.wait_until_pinged().status_code == 200
            return started

    Its tests then use what `Server` has and nothing of a process. Start few servers and send them
    many requests: each container costs a second or two. Where there is no Docker engine the
    container's half is skipped with the reason.
    """
    with ExitStack() as servers:

        def start_process(model_directory: Path, /, **environment: str) -> Server:
            log_path = tmp_path_factory.mktemp("server") / "server.log"
            return servers.enter_context(started_server(model_directory, log_path, **environment))

        def start_container(model_directory: Path, /, **environment: str) -> Server:
            return servers.enter_context(
                started_container(engine, image, network, model_directory, **environment)
            )

        if request.param == "process":
            yield start_process
            return
        engine: DockerEngine = request.getfixturevalue("docker_engine")
        image: str = request.getfixturevalue("server_image")
        network: str = request.getfixturevalue("server_network")
        yield start_container
