"""What a scenario is: steps that write programs, run `pulumi` and change the imaginary cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from textwrap import dedent
from typing import Any

from tests.support.engine_scenarios.provider import Fault

STACK = "dev"


class Capture(StrEnum):
    """What of a command's printed text is compared."""

    NOTHING = "nothing"
    TEXT = "text"
    JSON = "json"
    ERRORS = "errors"


@dataclass(frozen=True, kw_only=True)
class Pulumi:
    """Run one `pulumi` command and record what came of it.

    Args:
        argv: the arguments; `--non-interactive` is added.
        stack: whether `--stack dev` is added.
        capture: which printed text is compared; errors are the lines of standard error.
        events: whether the command is an operation with an event log, history and state.
        environment: variables set for this command alone; None removes one.
        stdin: text on standard input.
        folder: the project's folder in the sandbox.
    """

    argv: tuple[str, ...]
    capture: Capture = Capture.ERRORS
    events: bool = False
    environment: Mapping[str, str | None] = field(default_factory=dict)
    stdin: str = ""
    folder: str = "project"
    stack: bool = True


@dataclass(frozen=True, kw_only=True)
class Write:
    """Write a file; the path is relative to the sandbox."""

    path: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Change outputs (and inputs of the same name) of a thing behind the engine's back."""

    identity: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Vanish:
    """Remove a thing behind the engine's back."""

    identity: str


@dataclass(frozen=True, kw_only=True)
class Exists:
    """Put a thing into the imaginary cloud that no engine made."""

    identity: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class EditExport:
    """Replace a text in a file that an earlier command wrote; for `stack import` and locks."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class EditState:
    """Set members of the stack's deployment in its state file, as a killed engine may."""

    members: Mapping[str, Any]


Step = Pulumi | Write | Drift | Vanish | Exists | EditExport | EditState | Fault


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One story that both engines are run through.

    Args:
        name: the file name of its recording.
        story: one sentence on what it shows.
        steps: in order.
        seeded: whether the stack exists, empty, before the first step.
        ordered: whether the order of all changes is compared; False where independent resources
            may change in any order.
    """

    name: str
    story: str
    steps: tuple[Step, ...]
    seeded: bool = True
    ordered: bool = True


def program(text: str, *, folder: str = "project") -> Write:
    """The program of the project from now on; `pulumi` and the things are imported already."""
    head = "import pulumi\nfrom pulumi import Output, ResourceOptions, export\n"
    head += "from things import Group, Region, Thing\n\n"
    return Write(path=f"{folder}/__main__.py", text=head + dedent(text).strip() + "\n")


def operation(
    verb: str, *flags: str, environment: Mapping[str, str | None] | None = None
) -> Pulumi:
    """An operation without questions, with its event log."""
    changes = {} if environment is None else environment
    asks = verb != "preview" and "--preview-only" not in flags
    answers = ("--yes", "--skip-preview") if asks else ()
    return Pulumi(argv=(verb, *answers, *flags), events=True, environment=changes)


def up(*flags: str) -> Pulumi:
    """`pulumi up`."""
    return operation("up", *flags)


def preview(*flags: str) -> Pulumi:
    """`pulumi preview`."""
    return operation("preview", *flags)


def refresh(*flags: str) -> Pulumi:
    """`pulumi refresh`."""
    return operation("refresh", *flags)


def destroy(*flags: str) -> Pulumi:
    """`pulumi destroy`."""
    return operation("destroy", *flags)


def text(*argv: str, **extra: Any) -> Pulumi:
    """A command whose printed lines are compared."""
    return Pulumi(argv=argv, capture=Capture.TEXT, **extra)


def json_of(*argv: str, **extra: Any) -> Pulumi:
    """A command whose printed JSON document is compared."""
    return Pulumi(argv=argv, capture=Capture.JSON, **extra)


def quiet(*argv: str, **extra: Any) -> Pulumi:
    """A command of which only the exit code and the errors are compared."""
    return Pulumi(argv=argv, **extra)
