"""One engine operation from start to end: preview, update, refresh or destroy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from rehearsal.engine.errors import not_supported
from rehearsal.engine.program import InlineProgram, LocalProgram
from rehearsal.engine.state import Deployment

Program = LocalProgram | InlineProgram
Kind = Literal["update", "preview", "refresh", "destroy", "preview-refresh", "preview-destroy"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asked of one operation."""

    kind: Kind
    parallel: int = 16
    refresh: bool = False
    continue_on_error: bool = False
    targets: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    target_dependents: bool = False
    exclude_protected: bool = False
    run_program: bool = False
    client: str | None = None
    clear_pending_creates: bool = False


@dataclass(frozen=True, kw_only=True)
class Target:
    """The project and stack an operation works on; `stack` is the bare name, config keys are
    `namespace:key`."""

    project: str
    project_root: str
    program_directory: str
    stack: str
    entry_point: str = "."
    runtime_options: dict[str, Any] = field(default_factory=dict)
    organization: str = "organization"
    config: dict[str, str] = field(default_factory=dict)
    config_secret_keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """How an operation ended; `deployment` is the state after it (for a preview, the state before
    it)."""

    ok: bool
    resource_changes: dict[str, int]
    deployment: Deployment


def run_operation(
    *,
    target: Target,
    options: Options,
    deployment: Deployment,
    save: Callable[[Deployment], None] | None,
    emit: Callable[[dict[str, Any]], None],
    read_stack: Callable[[str], Deployment | None],
    cancel: threading.Event,
) -> Result:
    """Run one operation and report every event from `preludeEvent` to `cancelEvent`.

    Args:
        target: the project and stack.
        options: what was asked.
        deployment: the state before; it is not changed.
        save: stores a state, called before each call to a provider and after each step; None for
            previews.
        emit: takes one event payload, from any thread, one at a time.
        read_stack: returns another stack's state by its full name, or None.
        cancel: once set, no new step starts; what runs is asked to stop, and waited for.

    Raises:
        EngineError: an option is not supported, or the program can't be started.
    """
    _refuse(options)
    dry_run = options.kind.startswith("preview")
    program: Program | None = None
    if options.kind in ("update", "preview"):
        # Started first of all: its imports take longer than everything the engine does until it is
        # needed.
        kind = LocalProgram if options.client is None else InlineProgram
        program = kind(target, options, dry_run=dry_run)
    try:
        from rehearsal.engine.conductor import Conductor

        conductor = Conductor(
            target=target,
            options=options,
            deployment=deployment,
            save=None if dry_run else save,
            emit=emit,
            read_stack=read_stack,
        )
        return conductor.conduct(program, cancel)
    finally:
        if program is not None:
            program.close()


def _refuse(options: Options) -> None:
    refused = {
        "--target": bool(options.targets),
        "--target-dependents": options.target_dependents,
        "--run-program": options.run_program,
    }
    for flag, given in refused.items():
        if given:
            raise not_supported(flag)
    if options.exclude_protected and not options.kind.endswith("destroy"):
        raise not_supported(f"--exclude-protected of {options.kind}")
