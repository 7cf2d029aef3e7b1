"""The project file and the names of its stacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.engine.errors import EngineError
from rehearsal.engine.project import bare_stack_name, find_project


def test_project_is_found_upward_with_its_program(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(
        "name: p5\ndescription: d\nmain: code\n"
        "runtime:\n  name: python\n  options:\n    virtualenv: .venv\n"
    )
    (tmp_path / "code/deep").mkdir(parents=True)

    project = find_project(tmp_path / "code/deep")

    assert (project.name, dict(project.runtime_options)) == ("p5", {"virtualenv": ".venv"})
    assert project.program_folder == tmp_path / "code"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: p\nruntime: nodejs\n", "runtime 'nodejs'.*allowed: python"),
        ("runtime: python\n", "lacks a `name`"),
        ("name: p\nruntime: python\nplugins: {}\n", "'plugins'.*not supported"),
        ("name: p\nruntime: python\nmain: app.py\n", "main 'app.py'.*allowed: a folder"),
        ("name: p\nruntime: python\nbackend: {}\n", "'backend'.*not supported"),
        ("name: p\nruntime: python\nconfig: {}\n", "'config'.*not supported"),
        ("- a\n", "must hold a mapping"),
        ("a: [\n", "not valid YAML"),
    ],
)
def test_project_that_is_no_python_project_is_refused(
    tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)

    with pytest.raises(EngineError, match=problem):
        find_project(tmp_path)


def test_missing_project_says_where_it_was_sought(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"searching upwards from {tmp_path}"):
        find_project(tmp_path)


def test_stack_names_lose_organisation_and_project() -> None:
    assert {bare_stack_name(n, "p") for n in ("dev", "organization/dev", "organization/p/dev")} == {
        "dev"
    }


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("acme/p/dev", "organization name must be 'organization'"),
        ("organization/other/dev", "'other' doesn't match Pulumi.yaml"),
        ("organization/p/x/dev", "'p/x' doesn't match"),
        ("a b", "invalid character ' ' at position 1"),
        ("", "may only contain"),
    ],
)
def test_stack_name_of_another_place_or_form_is_refused(name: str, problem: str) -> None:
    with pytest.raises(EngineError, match=problem):
        bare_stack_name(name, "p")
