"""The embedded engine interrupted: what it leaves behind, and how the next operation goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.engine_scenarios.sandbox import PROJECT, Sandbox, open_sandbox
from tests.support.engine_scenarios.scenario import STACK

ROOT = Path(__file__).parents[2]
# Waits until a file appears; says that it began by another.
PROGRAM = """
import pathlib, time
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Slow(ResourceProvider):
    def create(self, props):
        folder = pathlib.Path(props["folder"])
        (folder / "began").touch()
        while not (folder / "go").exists():
            time.sleep(0.02)
        return CreateResult("slow-1", props)

class Thing(Resource):
    def __init__(self, name, opts=None):
        super().__init__(Slow(), name, {"folder": str(pathlib.Path.cwd())}, opts)

first = Thing("first")
Thing("second", pulumi.ResourceOptions(depends_on=[first]))
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Sandbox]:
    variables = {"PYTHONPATH": str(ROOT)}
    sandbox = open_sandbox(tmp_path / "s", (sys.executable, "-m", "rehearsal.engine"), variables)
    sandbox.add_project()
    sandbox.add_stack()
    (sandbox.root / "project" / "__main__.py").write_text(PROGRAM)
    yield sandbox
    sandbox.provider.stop()


def begin_update(place: Sandbox) -> subprocess.Popen[str]:
    """Start an update and wait until it is inside the first create."""
    process = subprocess.Popen(
        [*place.pulumi, "up", "--yes", "--skip-preview", "--stack", STACK],
        cwd=place.root / "project",
        env=place.environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for("the create to begin", (place.root / "project" / "began").exists)
    return process


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read the process's output up to the line with the text."""
    assert process.stdout is not None
    assert any(text in line for line in process.stdout), f"the output ended without {text!r}"


def wait_for(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline, f"waited 30 seconds for {what}"
        time.sleep(0.02)


def state(place: Sandbox) -> dict[str, Any]:
    path = place.state / ".pulumi" / "stacks" / PROJECT / f"{STACK}.json"
    latest: dict[str, Any] = json.loads(path.read_text())["checkpoint"]["latest"]
    return latest


def names(resources: list[dict[str, Any]]) -> list[str]:
    return [item["urn"].rpartition("::")[2] for item in resources]


def test_an_interrupted_update_finishes_what_it_began_and_begins_nothing_new(
    place: Sandbox,
) -> None:
    process = begin_update(place)

    process.send_signal(signal.SIGINT)
    read_until(process, "^C received")
    (place.root / "project" / "go").touch()
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 1, output
    assert "first" in names(state(place)["resources"])
    assert "second" not in names(state(place)["resources"])
    assert "pending_operations" not in state(place)
    assert "update canceled" in output
    again = place.run(["up", "--yes", "--skip-preview", "--stack", STACK])
    assert again.exit_code == 0, again.stdout
    assert "second" in names(state(place)["resources"])


def test_a_killed_engine_leaves_the_pending_create_in_the_state_and_no_process(
    place: Sandbox,
) -> None:
    process = begin_update(place)
    children = psutil.Process(process.pid).children(recursive=True)

    process.kill()
    process.communicate(timeout=10)

    assert len(children) >= 2
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert len(gone) == len(children)
    pending = state(place)["pending_operations"]
    assert [(p["type"], *names([p["resource"]])) for p in pending] == [("creating", "first")]
    (place.root / "project" / "go").touch()
    locked = place.run(["up", "--yes", "--skip-preview", "--stack", STACK])
    assert "the stack is currently locked by" in locked.stderr
    assert place.run(["cancel", "--yes", "--stack", STACK]).exit_code == 0
    again = place.run(["up", "--yes", "--skip-preview", "--stack", STACK])
    assert again.exit_code == 0, again.stdout
    assert "1 pending operations from previous deployment" in again.stdout
    assert names(state(place)["resources"])[-2:] == ["first", "second"]
