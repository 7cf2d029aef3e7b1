"""What the embedded engine does not do is refused by name, whatever way it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine_scenarios.recorder import write_file
from tests.support.engine_scenarios.sandbox import Sandbox, open_sandbox
from tests.support.engine_scenarios.scenario import STACK, Write, program

ROOT = Path(__file__).parents[2]
UP = ("up", "--yes", "--skip-preview", "--non-interactive", "--stack", STACK)
PAIR = 'a = Thing("a", exclusive=1)\nb = Thing("b", value=a.name)'


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A project whose stack holds the resources `a` and `b`, and a folder."""
    made = open_sandbox(
        tmp_path / "s", (sys.executable, "-m", "rehearsal.engine"), {"PYTHONPATH": str(ROOT)}
    )
    made.add_project()
    made.add_stack()
    write_file(made, Write(path="project/folder/a.txt", text="a"))
    write_file(made, program(PAIR))
    assert made.run([*UP]).exit_code == 0
    yield made
    made.provider.stop()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('Thing("c", ResourceOptions(import_="c-1"))', "the option import_"),
        (f'{PAIR}\nThing("c", ResourceOptions(deleted_with=a))', "the option deleted_with"),
        (
            'Thing("c", ResourceOptions(replace_on_changes=["x"]))',
            "the option replace_on_changes",
        ),
        ('Thing("c", ResourceOptions(hide_diffs=["x"]))', "the option hide_diffs"),
        (
            'Thing("new", ResourceOptions(aliases=[pulumi.Alias(name="a")]))',
            "an alias that renames",
        ),
        ('Thing("c", x=pulumi.FileArchive("./folder"))', "an archive made of a folder"),
        (
            'Thing("c", x=pulumi.AssetArchive({"a": pulumi.StringAsset("a")}))',
            "an archive made of a map of assets",
        ),
        (PAIR.replace("exclusive=1", "exclusive=2"), "before it is replaced, while"),
    ],
)
def test_a_program_that_asks_for_it_fails_and_changes_nothing(
    text: str, words: str, sandbox: Sandbox
) -> None:
    before = sorted(sandbox.provider.world.things)
    write_file(sandbox, program(text))

    done = sandbox.run([*UP])

    assert done.exit_code != 0
    assert words in done.stdout + done.stderr
    assert "is not supported by the rehearsal engine, use the official CLI" in done.stdout
    assert sorted(sandbox.provider.world.things) == before
