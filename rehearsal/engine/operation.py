"""One engine operation from start to end: preview, update, refresh or destroy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from rehearsal.engine.state import Deployment

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
    """The project and stack an operation works on; `stack` is the bare name, config keys are `namespace:key`."""

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
    """How an operation ended; `deployment` is the state after it (for a preview, the state before it)."""

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
    """Run one operation and report every event from `preludeEvent` to `cancelEvent`."""
    raise NotImplementedError
