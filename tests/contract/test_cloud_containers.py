"""Containers of the tiny image, started and stopped through both runtimes: they behave alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from rehearsal.cloud.fleets.docker_engine import Owner, connect, this_process
from rehearsal.cloud.fleets.docker_images import plan_from_config
from rehearsal.cloud.fleets.docker_runtime import DockerRuntime
from rehearsal.cloud.fleets.dockerfile import plan_from_dockerfile
from rehearsal.cloud.fleets.images import Image, lay_out
from rehearsal.cloud.fleets.runtime import (
    ContainerNotStarted,
    ContainerRuntime,
    ImageMissing,
    ProcessRuntime,
    RunningContainer,
)
from rehearsal.cloud.runtime.connection import ConnectionPool, InstanceUnreachable
from tests.support.cloud import TINY_IMAGE, wait_for
from tests.support.docker_engine import DockerEngine

# An engine may have to be installed and given a base image first.
pytestmark = pytest.mark.timeout(600)
TAG = "greenlight-tests/tiny:1"


@dataclass(frozen=True, kw_only=True)
class Side:
    """A runtime and the tiny image as it takes it."""

    runtime: ContainerRuntime
    image: Image


@pytest.fixture(scope="module")
def process_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    runtime = ProcessRuntime()
    plan = plan_from_dockerfile((TINY_IMAGE / "Dockerfile").read_text())
    root = lay_out(TINY_IMAGE, plan, tmp_path_factory.mktemp("image") / "root")
    yield Side(runtime=runtime, image=Image(digest="sha256:0", root=root, plan=plan))
    runtime.close()


@pytest.fixture(scope="module")
def docker_side(docker_engine: DockerEngine) -> Iterator[Side]:
    image, _ = docker_engine.client.images.build(
        path=str(TINY_IMAGE), tag=TAG, buildargs={"BASE_IMAGE": docker_engine.base_image}, rm=True
    )
    runtime = DockerRuntime(connect())
    plan = plan_from_config(image.attrs["Config"])
    yield Side(
        runtime=runtime,
        image=Image(digest="sha256:0", root=Path("/"), plan=plan, engine_id=image.id),
    )
    runtime.close()
    docker_engine.client.images.remove(TAG, force=True)


@pytest.fixture(params=["process_side", "docker_side"])
def side(request: pytest.FixtureRequest) -> Side:
    found: Side = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def start(side: Side, tmp_path: Path) -> Iterator[Callable[..., RunningContainer]]:
    """Start the tiny image over a folder with one file; stopped when the test is over."""
    started: list[RunningContainer] = []
    models = tmp_path / "model"
    models.mkdir()
    (models / "model.onnx").write_bytes(b"bytes")

    def start(**environment: str) -> RunningContainer:
        running = side.runtime.start(
            side.image, name="tiny", environment=environment, model_directory=models
        )
        started.append(running)
        return running

    yield start
    for running in started:
        running.stop(1)
        # A process's pipe stays open until its output is read to the end.
        list(running.lines())


def answer(running: RunningContainer, method: str, path: str) -> tuple[int, bytes] | None:
    pool = ConnectionPool(running.port)
    try:
        given = pool.request(method, path, timeout_seconds=5)
    except InstanceUnreachable:
        return None
    finally:
        pool.close()
    return given.status, given.body


def wait_until_serving(running: RunningContainer) -> None:
    wait_for(lambda: answer(running, "GET", "/ping") == (200, b""), "the first ping")


@pytest.mark.source("DG your-algorithms-inference-code: docker run <image> serve")
def test_a_container_serves_until_it_is_told_to_stop(
    start: Callable[..., RunningContainer],
) -> None:
    running = start()
    wait_until_serving(running)
    while_serving = running.exit_code()
    pid = running.pid

    running.stop(10)

    assert while_serving is None
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert running.exit_code() == 0
    lines = list(running.lines())
    assert lines[0].startswith("serving ['serve'] on ")
    assert lines[-1] == "stopping"
    assert answer(running, "GET", "/ping") is None


@pytest.mark.source("DG your-algorithms-inference-code: SIGTERM, then SIGKILL")
def test_a_container_that_ignores_sigterm_is_killed(
    start: Callable[..., RunningContainer],
) -> None:
    running = start(TINY_STUBBORN="1")
    wait_until_serving(running)

    running.stop(1)

    assert running.exit_code() == -9
    assert list(running.lines())[-1] == "stopping"


def test_a_container_that_ends_by_itself_has_its_own_exit_code(
    start: Callable[..., RunningContainer],
) -> None:
    running = start(TINY_EXIT="3")

    assert list(running.lines()) == ["exiting as told"]
    assert wait_for(running.exit_code, "the end of the container") == 3
    assert answer(running, "GET", "/ping") is None


@pytest.mark.source("DG your-algorithms-inference-code: /opt/ml/model, environment")
def test_a_container_finds_its_model_and_its_environment(
    start: Callable[..., RunningContainer],
) -> None:
    running = start(TINY_NAME="iris")
    wait_until_serving(running)

    given = answer(running, "POST", "/invocations")

    assert given is not None
    assert b'"name": "iris"' in given[1]
    assert b'"files": ["model.onnx"]' in given[1]


def test_a_container_names_given_files_in_its_own_way(side: Side, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    running = side.runtime.start(
        side.image,
        name="tiny",
        environment={},
        model_directory=tmp_path,
        mounts={"/opt/ml/models": tmp_path / "models"},
    )
    is_process = isinstance(side.runtime, ProcessRuntime)

    named = running.path_of(tmp_path / "models" / "one" / "model")
    running.stop(1)
    list(running.lines())

    assert named == (
        str(tmp_path / "models/one/model") if is_process else "/opt/ml/models/one/model"
    )


def test_an_entry_point_that_is_not_there_does_not_start(
    process_side: Side, tmp_path: Path
) -> None:
    plan = plan_from_dockerfile('FROM x\nENTRYPOINT ["/nowhere/server"]')
    other = Image(digest="sha256:1", root=process_side.image.root, plan=plan)

    with pytest.raises(ContainerNotStarted, match="nowhere"):
        process_side.runtime.start(other, name="tiny", environment={}, model_directory=tmp_path)


def test_an_entry_point_a_container_lacks_does_not_start(
    docker_side: Side, docker_engine: DockerEngine, tmp_path: Path
) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f'FROM {TAG}\nENTRYPOINT ["/nowhere/server"]')
    built, _ = docker_engine.client.images.build(path=str(context), rm=True)
    other = Image(
        digest="sha256:1", root=Path("/"), plan=docker_side.image.plan, engine_id=built.id
    )

    with pytest.raises(ContainerNotStarted, match="nowhere"):
        docker_side.runtime.start(other, name="tiny", environment={}, model_directory=tmp_path)

    assert owned(docker_engine, this_process()) == []


def test_an_image_that_went_away_is_missing(docker_side: Side, tmp_path: Path) -> None:
    gone = Image(
        digest="sha256:1",
        root=Path("/"),
        plan=docker_side.image.plan,
        engine_id=f"sha256:{'0' * 64}",
    )

    with pytest.raises(ImageMissing, match="No such image"):
        docker_side.runtime.start(gone, name="tiny", environment={}, model_directory=tmp_path)


def test_what_a_killed_rehearsal_left_is_removed_by_the_next(
    docker_side: Side, docker_engine: DockerEngine
) -> None:
    dead = Owner(machine=this_process().machine, process="1@0.00")
    elsewhere = Owner(machine="another machine", process="1@0.00")
    for owner in (dead, elsewhere):
        docker_engine.client.containers.create(docker_side.image.engine_id, labels=owner.labels)

    DockerRuntime(connect()).close()

    assert owned(docker_engine, dead) == []
    kept = owned(docker_engine, elsewhere)
    assert len(kept) == 1
    kept[0].remove()


def owned(engine: DockerEngine, owner: Owner) -> list[Any]:
    labels = [f"{name}={value}" for name, value in owner.labels.items()]
    found: list[Any] = engine.client.containers.list(all=True, filters={"label": labels})
    return found
