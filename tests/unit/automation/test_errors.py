"""Every error ends the command with the exit code of its nearest class in the table."""

from __future__ import annotations

from pathlib import Path

import pytest
from pulumi.automation import CommandResult
from pulumi.automation.errors import create_command_error

from automation import errors
from automation.errors import EXIT_CODES, GreenlightError, exit_code_for
from automation.workspace import failure_text, pulumi_errors


def all_errors(parent: type[GreenlightError] = GreenlightError) -> list[type[GreenlightError]]:
    children = [child for child in parent.__subclasses__() if child.__module__ == errors.__name__]
    return [parent, *(error for child in children for error in all_errors(child))]


def a_command_error(stderr: str, stdout: str = "") -> Exception:
    return create_command_error(CommandResult(stdout, stderr, 255))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, 2),
        (errors.ModelNotFoundError, 3),
        (errors.EqualityError, 4),
        (errors.SetupError, 5),
        (errors.StackNotFoundError, 6),
        (errors.StackBusyError, 7),
        (errors.UpdateFailedError, 8),
        (errors.SwapRolledBackError, 9),
        (errors.StackError, 1),
    ],
)
def test_an_error_has_the_code_of_its_nearest_class(
    error: type[GreenlightError], code: int
) -> None:
    assert exit_code_for(error("")) == code


def test_every_error_is_drawn_in_the_tree_and_only_usage_exits_as_usage() -> None:
    assert errors.__doc__ is not None
    for error in all_errors():
        assert error.__name__ in errors.__doc__
        assert exit_code_for(error("")) != 0
        assert (exit_code_for(error("")) == 2) is (error is errors.UsageError)


def test_every_code_but_that_of_specs_and_settings_is_one_class() -> None:
    codes = [code for error, code in EXIT_CODES.items() if error is not errors.SpecError]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("stderr", "error", "message"),
    [
        (
            "error: no stack named 'dev-wine' found",
            errors.StackNotFoundError,
            "make it with `greenlight up`",
        ),
        (
            "error: the stack is currently locked by 1 lock(s).\n"
            "  file: created by anna@laptop (pid 7) at 2026-01-01T00:00:00Z",
            errors.StackBusyError,
            r"created by anna@laptop \(pid 7\).*cancel --yes --stack dev-wine",
        ),
        (
            "error: no such bucket",
            errors.UpdateFailedError,
            "stack dev-wine: error: no such bucket",
        ),
    ],
)
def test_what_pulumi_raises_becomes_our_own(
    stderr: str, error: type[GreenlightError], message: str
) -> None:
    with pytest.raises(error, match=message), pulumi_errors("dev-wine", Path("/folder")):
        raise a_command_error(stderr)


def test_a_failure_is_cut_down_to_its_errors() -> None:
    assert failure_text("Updating\n\nerror: one\nnoise\n  error: two\n") == "error: one\nerror: two"
    assert failure_text("first\nsecond") == "first\nsecond"
