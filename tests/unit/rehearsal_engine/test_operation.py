"""What an operation refuses before it begins, and which interpreter runs its program."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.errors import EngineError
from rehearsal.engine.operation import Options, Target, run_operation
from rehearsal.engine.program import ProgramError, interpreter
from rehearsal.engine.state import Deployment
from tests.support.engine_states import a_resource


def a_target(root: Path, **options: Any) -> Target:
    return Target(
        project="p",
        project_root=str(root),
        program_directory=str(root),
        stack="dev",
        runtime_options=options,
    )


@pytest.mark.parametrize("member", ["taint", "deleted_with", "replace_with"])
def test_a_state_that_holds_what_is_not_done_is_refused_by_name(
    member: str, tmp_path: Path
) -> None:
    deployment = Deployment(resources=[a_resource("a", **{member: "x"})])

    with pytest.raises(EngineError, match=rf"{member} in the state of .*::a"):
        run_operation(
            target=a_target(tmp_path),
            options=Options(kind="update"),
            deployment=deployment,
            save=None,
            emit=lambda event: None,
            read_stack=lambda name: None,
            cancel=threading.Event(),
        )


def test_the_virtual_environment_of_the_project_runs_the_program(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()

    command, environment = interpreter(a_target(tmp_path, virtualenv="venv", toolchain="pip"))

    assert command == str(python)
    assert environment["VIRTUAL_ENV"] == str(tmp_path / "venv")
    assert environment["PATH"].startswith(f"{python.parent}:")


def test_a_missing_virtual_environment_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"'virtualenv' option in Pulumi\.yaml is set to 'gone'"):
        interpreter(a_target(tmp_path, virtualenv="gone"))


@pytest.mark.parametrize("options", [{"toolchain": "poetry"}, {"typechecker": "mypy"}])
def test_runtime_options_that_are_not_done_are_refused(
    options: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(ProgramError, match=next(iter(options.values()))):
        interpreter(a_target(tmp_path, **options))


def test_without_options_the_engines_own_interpreter_runs_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_PYTHON_CMD", raising=False)

    assert interpreter(a_target(tmp_path))[0] == sys.executable
