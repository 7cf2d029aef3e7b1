"""State made by either engine previews as no change in the other, and survives the way back."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.engine_scenarios.recorder import write_file
from tests.support.engine_scenarios.sandbox import Finished, Sandbox, open_sandbox
from tests.support.engine_scenarios.scenario import STACK, Write, program

ROOT = Path(__file__).parents[2]
EMBEDDED = (sys.executable, "-m", "rehearsal.engine")
OFFICIAL = shutil.which("pulumi")

pytestmark = pytest.mark.skipif(
    OFFICIAL is None,
    reason="the official pulumi CLI is not on PATH; install it to check the hand-over of state",
)

ROWS = """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class RowProvider(ResourceProvider):
    def create(self, props):
        return CreateResult(id_="row-1", outs=props)


class Row(Resource, module="table", name="Row"):
    def __init__(self, name, value, opts=None):
        super().__init__(RowProvider(), name, {"value": value}, opts)
"""

PROGRAM = """
from rows import Row

config = pulumi.Config()
region = Region("region", region="north", options={"retries": 3, "fast": True})
group = Group("group", ResourceOptions(providers={"test": region}))
a = Thing("a", ResourceOptions(parent=group), value=config.require_secret("key"), token="t")
b = Thing(
    "b",
    ResourceOptions(
        version="1.2.3", protect=True, depends_on=[group], additional_secret_outputs=["shout"],
        custom_timeouts=pulumi.CustomTimeouts(create="5m", delete="90s"), retain_on_delete=True,
    ),
    value={"whole": 1, "part": 0.5, "nothing": [None], "big": 12345678901},
    names=["é<&>", "", "\\u2028", Output.secret("inner")],
)
c = Thing("c", source=pulumi.FileAsset("./one.txt"), packed=pulumi.FileArchive("./packed.zip"),
          held=pulumi.StringAsset("held"))
row = Row("row", "first")
group.register_outputs({"shout": a.shout, "open": {"a": [1, True]}})
export("shout", a.shout)
export("table", {"row": row.id, "b": b.value, "names": b.names})
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A project with a bit of everything, whose commands run the embedded engine."""
    made = open_sandbox(tmp_path / "s", EMBEDDED, {"PYTHONPATH": str(ROOT)})
    made.add_project()
    made.add_stack()
    for step in (
        Write(path="project/rows.py", text=ROWS),
        Write(path="project/one.txt", text="first"),
        Write(path="project/packed.zip", text="a"),
        program(PROGRAM),
    ):
        write_file(made, step)
    yield made
    made.provider.stop()


def official(sandbox: Sandbox) -> Sandbox:
    """The same sandbox with the official CLI's commands."""
    assert OFFICIAL is not None
    return replace(sandbox, pulumi=(OFFICIAL,), variables={})


def pulumi(sandbox: Sandbox, *argv: str) -> Finished:
    """Run a command on the stack, which must succeed."""
    done = sandbox.run([*argv, "--stack", STACK, "--non-interactive"])
    assert done.exit_code == 0, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("first", ["official", "embedded"])
def test_state_of_one_engine_is_no_change_to_the_other(first: str, sandbox: Sandbox) -> None:
    engines = [official(sandbox), sandbox] if first == "official" else [sandbox, official(sandbox)]
    maker, taker = engines
    pulumi(maker, "config", "set", "--secret", "key", "hush")
    pulumi(maker, "up", "--yes", "--skip-preview")

    pulumi(taker, "preview", "--expect-no-changes")
    pulumi(taker, "refresh", "--preview-only", "--expect-no-changes")
    pulumi(taker, "up", "--yes", "--skip-preview", "--expect-no-changes")
    pulumi(maker, "preview", "--expect-no-changes")

    assert not list((sandbox.state / ".pulumi" / "locks").rglob("*.json"))
    shown = [pulumi(one, "stack", "output", "--json", "--show-secrets").stdout for one in engines]
    assert json.loads(shown[0]) == json.loads(shown[1])


@pytest.mark.parametrize("first", ["official", "embedded"])
def test_the_other_engine_updates_and_destroys_what_one_made(first: str, sandbox: Sandbox) -> None:
    engines = [official(sandbox), sandbox] if first == "official" else [sandbox, official(sandbox)]
    maker, taker = engines
    pulumi(maker, "config", "set", "--secret", "key", "hush")
    pulumi(maker, "up", "--yes", "--skip-preview")

    pulumi(taker, "config", "set", "--secret", "key", "other")
    write_file(sandbox, program(PROGRAM.replace("protect=True, ", "")))
    pulumi(taker, "up", "--yes", "--skip-preview")
    pulumi(maker, "up", "--yes", "--skip-preview", "--expect-no-changes")
    pulumi(taker, "destroy", "--yes", "--skip-preview")

    # b is retained on delete.
    assert sorted(sandbox.provider.world.things) == ["b-1"]
