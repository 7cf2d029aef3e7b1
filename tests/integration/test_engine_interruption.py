"""An operation that is interrupted: gently, by force, and by a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PULUMI = (sys.executable, "-m", "rehearsal.engine")
# The first resource takes as long as the file `go` is away.
PROGRAM = """
import pathlib, time
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Waiting(ResourceProvider):
    def create(self, props):
        pathlib.Path(props["file"] + "-began").touch()
        deadline = time.monotonic() + 60
        while not pathlib.Path(props["file"]).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        return CreateResult("made", props)

class Made(Resource):
    def __init__(self, name, opts=None):
        super().__init__(Waiting(), name, {"file": FILE}, opts)

first = Made("first")
Made("second", pulumi.ResourceOptions(depends_on=[first]))
"""


class Place:
    """A project with a stack, and the environment to work in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("state", "home", "project"):
            (folder / name).mkdir()
        project = folder / "project"
        (project / "Pulumi.yaml").write_text("name: p5\nruntime: python\n")
        (project / "__main__.py").write_text(PROGRAM.replace("FILE", repr(str(folder / "go"))))
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        }
        assert self.run("stack", "init", "dev").returncode == 0

    def start(self, *argv: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PULUMI, *argv, "--non-interactive"],
            cwd=self.folder / "project",
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*argv)
        out, _ = process.communicate(timeout=90)
        return subprocess.CompletedProcess(argv, process.returncode, out)

    def start_update(self) -> subprocess.Popen[str]:
        """Start an update and wait until its first provider call runs."""
        process = self.start("up", "--yes", "--skip-preview")
        deadline = time.monotonic() + 60
        while not (self.folder / "go-began").exists():
            assert time.monotonic() < deadline, "the first resource was not begun within a minute"
            time.sleep(0.05)
        return process

    def state(self) -> dict[str, Any]:
        document = json.loads((self.folder / "state/.pulumi/stacks/p5/dev.json").read_text())
        latest: dict[str, Any] = document["checkpoint"]["latest"]
        return latest

    def names(self) -> list[str]:
        return [r["urn"].split("::")[-1] for r in self.state()["resources"]]

    def pending(self) -> list[str]:
        found = self.state().get("pending_operations", [])
        return [f"{p['type']} {p['resource']['urn'].split('::')[-1]}" for p in found]

    def locks(self) -> int:
        return len(list((self.folder / "state/.pulumi/locks").rglob("*.json")))

    def results(self) -> list[str]:
        out = self.run("stack", "history", "--json").stdout
        return [entry["result"] for entry in json.loads(out)]


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"the operation ended without saying {text!r}")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_first_interrupt_lets_what_runs_end_and_starts_nothing_new(place: Place) -> None:
    process = place.start_update()

    process.send_signal(signal.SIGINT)
    read_until(process, "^C received")
    (place.folder / "go").touch()
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 1, out
    assert "first" in place.names()
    assert "second" not in place.names()
    assert (place.pending(), place.locks(), place.results()) == ([], 0, ["failed"])


def test_second_interrupt_ends_at_once_and_keeps_what_was_pending(place: Place) -> None:
    process = place.start_update()

    process.send_signal(signal.SIGINT)
    read_until(process, "^C received")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 128 + signal.SIGINT
    assert place.pending() == ["creating first"]
    assert (place.locks(), place.results()) == (0, ["failed"])


def test_killed_operation_leaves_a_valid_state_and_a_lock_that_cancel_removes(place: Place) -> None:
    process = place.start_update()

    process.kill()
    process.communicate(timeout=30)
    (place.folder / "go").touch()

    assert (place.pending(), place.locks()) == (["creating first"], 1)
    refused = place.run("up", "--yes", "--skip-preview")
    assert refused.returncode == 1
    assert "the stack is currently locked by 1 lock(s)" in refused.stdout
    assert place.run("cancel", "--yes").returncode == 0
    again = place.run("up", "--yes", "--skip-preview")
    assert again.returncode == 0, again.stdout
    assert {"first", "second"} <= set(place.names())
