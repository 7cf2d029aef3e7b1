"""Containers of the tiny image, started and stopped through a runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.cloud.fleets.dockerfile import plan_from_dockerfile
from rehearsal.cloud.fleets.images import Image, lay_out
from rehearsal.cloud.fleets.runtime import ContainerNotStarted, ProcessRuntime, RunningContainer
from rehearsal.cloud.runtime.connection import ConnectionPool, InstanceUnreachable
from tests.support.cloud import TINY_IMAGE, wait_for


@pytest.fixture
def runtime() -> Iterator[ProcessRuntime]:
    runtime = ProcessRuntime()
    yield runtime
    runtime.close()


@pytest.fixture
def image(tmp_path: Path) -> Image:
    plan = plan_from_dockerfile((TINY_IMAGE / "Dockerfile").read_text())
    return Image(digest="sha256:0", root=lay_out(TINY_IMAGE, plan, tmp_path / "image"), plan=plan)


def answers(running: RunningContainer) -> bool:
    pool = ConnectionPool(running.port)
    try:
        return pool.request("GET", "/ping", timeout_seconds=2).status == 200
    except InstanceUnreachable:
        return False
    finally:
        pool.close()


@pytest.mark.source("DG your-algorithms-inference-code: docker run <image> serve")
def test_a_container_serves_until_it_is_told_to_stop(
    runtime: ProcessRuntime, image: Image, tmp_path: Path
) -> None:
    running = runtime.start(image, name="tiny", environment={}, model_directory=tmp_path)
    wait_for(lambda: answers(running), "the first ping")
    while_serving = running.exit_code()

    running.stop(10)

    assert while_serving is None
    assert running.exit_code() == -15
    assert "serving ['serve']" in next(running.lines())
    assert not answers(running)


def test_a_container_that_ends_by_itself_has_its_own_exit_code(
    runtime: ProcessRuntime, image: Image, tmp_path: Path
) -> None:
    running = runtime.start(
        image, name="tiny", environment={"TINY_EXIT": "3"}, model_directory=tmp_path
    )

    assert list(running.lines()) == ["exiting as told"]
    assert wait_for(running.exit_code, "the end of the container") == 3


def test_an_entry_point_that_is_not_there_does_not_start(
    runtime: ProcessRuntime, image: Image, tmp_path: Path
) -> None:
    plan = plan_from_dockerfile('FROM x\nENTRYPOINT ["/nowhere/server"]')
    other = Image(digest="sha256:1", root=image.root, plan=plan)

    with pytest.raises(ContainerNotStarted, match="nowhere"):
        runtime.start(other, name="tiny", environment={}, model_directory=tmp_path)
