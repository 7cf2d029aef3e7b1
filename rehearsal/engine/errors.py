"""What the `pulumi` command says when it can't do what was asked, and with which exit code.

EngineError             1  anything the person or program can mend
  UsageError            2  a flag is missing in this mode
  LoginError            3  no back end, or one that isn't a folder
  StackNotFoundError    6  no stack of that name
  ChangesError          7  `--expect-no-changes` and there were some
"""

from __future__ import annotations


class EngineError(Exception):
    """Ends the command with `error: <text>` on stderr; without a text, silently."""

    exit_code = 1


class UsageError(EngineError):
    """A flag is needed that was not given."""

    exit_code = 2


class LoginError(EngineError):
    """The state has no place to be."""

    exit_code = 3


class StackNotFoundError(EngineError):
    """The stack named does not exist."""

    exit_code = 6


class ChangesError(EngineError):
    """Changes were proposed where none were expected."""

    exit_code = 7


def not_supported(what: str) -> EngineError:
    """Refuse by name something the official CLI has."""
    return EngineError(f"{what} is not supported by the rehearsal engine, use the official CLI")
