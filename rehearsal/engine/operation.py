"""One engine operation from its first event to its last: refresh, program, deletes, outputs,
summary."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from rehearsal.engine.errors import EngineError, not_supported
from rehearsal.engine.program import InlineProgram, LocalProgram
from rehearsal.engine.state import Deployment

if TYPE_CHECKING:
    from rehearsal.engine.monitor import Monitor
    from rehearsal.engine.run import Run

Program = LocalProgram | InlineProgram
Kind = Literal["update", "preview", "refresh", "destroy", "preview-refresh", "preview-destroy"]
# What a state made by the official CLI may hold that would change what must be done.
_REFUSED_MEMBERS = ("taint", "deleted_with", "replace_with")
_PENDING_WARNING = """\
Attempting to deploy or update resources with {count} pending operations from previous deployment.
{lines}
These resources are in an unknown state because the Pulumi CLI was interrupted while waiting for \
changes to these resources to complete. You should confirm whether or not the operations listed \
completed successfully by checking the state of the appropriate provider. For example, if you are \
using AWS, you can confirm using the AWS Console.

Once you have confirmed the status of the interrupted operations, you can repair your stack using \
`pulumi refresh` which will refresh the state from the provider you are using and clear the \
pending operations if there are any.

Note that `pulumi refresh` will need to be run interactively to clear pending CREATE operations."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asked of one operation."""

    kind: Kind
    parallel: int = 16
    refresh: bool = False
    client: str | None = None

    @property
    def dry_run(self) -> bool:
        """Whether nothing may change."""
        return self.kind.startswith("preview")

    @property
    def only_refreshes(self) -> bool:
        """Whether the operation is a refresh and no more."""
        return self.kind.endswith("refresh")


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
        EngineError: the state holds what is not supported, or the program can't be started.
    """
    for state in deployment.resources:
        for member in _REFUSED_MEMBERS:
            if getattr(state, member):
                raise not_supported(f"{member} in the state of {state.urn}")
    program: Program | None = None
    if options.kind in ("update", "preview"):
        # Started first of all: its imports take longer than everything the engine does until it is
        # needed.
        program = (LocalProgram if options.client is None else InlineProgram)(target, options)
    try:
        operation = _Operation(target, options, deployment, save, emit, read_stack)
        return operation.conduct(program, cancel)
    finally:
        if program is not None:
            program.close()


class _Operation:
    """One operation, used once."""

    run: Run
    monitor: Monitor

    def __init__(
        self,
        target: Target,
        options: Options,
        deployment: Deployment,
        save: Callable[[Deployment], None] | None,
        emit: Callable[[dict[str, Any]], None],
        read_stack: Callable[[str], Deployment | None],
    ) -> None:
        # These import gRPC, which takes longer than starting the program that runs meanwhile.
        from rehearsal.engine.builtin import BuiltinProvider
        from rehearsal.engine.monitor import Monitor
        from rehearsal.engine.provider_host import ProviderHost
        from rehearsal.engine.registry import Registry
        from rehearsal.engine.run import Run
        from rehearsal.engine.snapshot import Snapshot
        from rehearsal.engine.step import Reporter

        self._target, self._options, self._before, self._emit = target, options, deployment, emit
        self._reporter = Reporter(emit=emit, planning=options.dry_run)
        self._host = ProviderHost(target, self._reporter.diagnostic)
        builtin = BuiltinProvider(target.organization, target.project, read_stack)
        # The states are changed in place while the operation runs; the caller's stay as they are.
        base = replace(deployment, resources=[replace(state) for state in deployment.resources])
        self.run = Run(
            dry_run=options.dry_run,
            parallel=max(options.parallel, 1),
            snapshot=Snapshot(base, None if options.dry_run else save),
            reporter=self._reporter,
            registry=Registry(self._host, builtin),
        )
        self.monitor = Monitor(self.run, target)
        self._program_ok = True

    def conduct(self, program: Program | None, cancel: threading.Event) -> Result:
        """Run the operation to its end, whatever the end is."""
        start, run = time.monotonic(), self.run
        done = threading.Event()
        threading.Thread(target=self._watch, args=(cancel, done), daemon=True).start()
        secret = self._target.config_secret_keys
        shown = {k: "[secret]" if k in secret else v for k, v in self._target.config.items()}
        self._emit({"preludeEvent": {"config": shown}})
        try:
            with self.monitor.serving() as address:
                self._host.engine_address = address
                self._work(program, address)
        finally:
            done.set()
            run.registry.close()
        if not run.dry_run:
            run.snapshot.write()
        self._summarize(math.ceil(time.monotonic() - start))
        return Result(
            ok=self._ok,
            resource_changes=dict(self._reporter.counts),
            deployment=self._before if run.dry_run else run.snapshot.deployment(),
        )

    @property
    def _ok(self) -> bool:
        return self._program_ok and not (self.run.step_failed or self.run.stopping.is_set())

    def _work(self, program: Program | None, address: str) -> None:
        from rehearsal.engine.deletes import plan_deletes, run_deletes

        run, monitor = self.run, self.monitor
        try:
            self._settle_past()
            if program is not None and not run.stopping.is_set():
                self._run_program(program, address)
            # A preview goes on after a step that an update would fail at.
            goes_on = self._program_ok and not run.stopping.is_set()
            if goes_on and not self._options.only_refreshes:
                run_deletes(run, monitor.executor, plan_deletes(run, monitor.planner.seen))
        except EngineError as error:
            run.error(str(error))
            run.stopping.set()
        run.wait_until_idle()
        self._finish_stack()
        if run.cancelled or run.step_failed:
            kind = "preview" if run.dry_run else "update"
            run.error(f"{kind} {'failed' if run.step_failed else 'canceled'}")

    def _settle_past(self) -> None:
        from rehearsal.engine.refresh import refresh

        options, run = self._options, self.run
        run.index_olds()
        pending = self._before.pending_operations
        if options.refresh or options.only_refreshes:
            refresh(run, alone=options.only_refreshes)
            run.index_olds()
        elif pending and not run.dry_run:
            lines = "\n".join(f"  * {p.resource.urn}, interrupted while {p.type}" for p in pending)
            text = _PENDING_WARNING.format(count=len(pending), lines=lines)
            self._reporter.diagnostic(text, "warning")

    def _run_program(self, program: Program, address: str) -> None:
        outcome = program.run(address, self._reporter.diagnostic, self.run.stopping)
        self.run.wait_until_idle()
        self._program_ok = outcome.ok
        if outcome.error and not self.run.stopping.is_set():
            self.run.error(outcome.error)

    def _finish_stack(self) -> None:
        step, outputs = self.monitor.stack_step, self.monitor.stack_outputs
        if step is None or step.new is None or outputs is None:
            return
        if not self._ok:
            # A program that ended early exported only part of what it would have.
            outputs = {**step.new.outputs, **outputs}
        self.monitor.finish_outputs(step, outputs)

    def _summarize(self, seconds: int) -> None:
        summary: dict[str, Any] = {
            "maybeCorrupt": self.run.maybe_corrupt,
            "durationSeconds": seconds,
            "resourceChanges": dict(self._reporter.counts),
            "PolicyPacks": {},
            "result": "succeeded" if self._ok else "canceled" if self.run.cancelled else "failed",
        }
        if self.run.dry_run:
            summary["isPreview"] = True
        self._emit({"summaryEvent": summary})
        self._emit({"cancelEvent": {}})

    def _watch(self, cancel: threading.Event, done: threading.Event) -> None:
        while not done.is_set():
            if cancel.wait(timeout=0.1):
                self.run.cancelled = True
                self.run.stopping.set()
                self.run.registry.cancel()
                return
