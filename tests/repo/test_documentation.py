"""What a person can type or set is written down, and what is written down exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

ROOT = Path(__file__).resolve().parents[2]
TARGETS = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "rehearsal" / "README.md"]
ADR_PARTS = ("Status:", "## Context", "## Options", "## Decision", "## Consequences")


def commands() -> list[str]:
    from automation.cli import app
    from automation.rehearsal import app as rehearsal_app

    # The rehearsal's commands hang below a stub, so that the others start without their imports.
    own, rehearsal = typer.main.get_command(app), typer.main.get_command(rehearsal_app)
    assert isinstance(own, TyperGroup)
    assert isinstance(rehearsal, TyperGroup)
    names = [name for name in own.commands if name != "rehearsal"]
    return names + [f"rehearsal {name}" for name in rehearsal.commands]


def test_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()

    assert "make demo" in readme
    assert "make test" in readme


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_is_documented(target: str) -> None:
    assert f"`make {target}`" in (ROOT / "CONTRIBUTING.md").read_text()


def test_every_command_is_documented_and_has_help() -> None:
    written = (ROOT / "docs" / "commands.md").read_text()

    assert [name for name in commands() if f"`greenlight {name}" not in written] == []


def test_no_command_is_documented_that_does_not_exist() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    written = re.findall(r"^\| `greenlight ([a-z ]+)", page, flags=re.MULTILINE)

    assert [name for name in written if name.strip() not in commands()] == []


def test_every_setting_is_documented() -> None:
    from components.settings import setting_keys

    written = (ROOT / "docs" / "settings.md").read_text()

    assert [key for key in setting_keys() if f"`{key}`" not in written] == []


@pytest.mark.parametrize("adr", ADRS, ids=lambda adr: adr.stem)
def test_decision_records_have_every_part_and_fit_a_screen(adr: Path) -> None:
    text = adr.read_text()

    assert [part for part in ADR_PARTS if part not in text] == []
    assert text.count("\n") <= 60


def test_there_are_decision_records() -> None:
    assert ADRS


def test_relative_links_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
        if not target.startswith("http") and not (page.parent / target).exists()
    ]

    assert broken == []
