"""Leads one operation from its first event to its last: refresh, program, deletes, outputs,
summary."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rehearsal.engine.builtin import BuiltinProvider
from rehearsal.engine.deletes import needed_by, plan_deletes, run_deletes
from rehearsal.engine.errors import EngineError
from rehearsal.engine.executor import Executor
from rehearsal.engine.monitor import Monitor
from rehearsal.engine.planner import Planner
from rehearsal.engine.provider_errors import ProviderError
from rehearsal.engine.provider_host import ProviderHost
from rehearsal.engine.refresh import refresh
from rehearsal.engine.registry import Registry
from rehearsal.engine.run import Bail, Run
from rehearsal.engine.snapshot import Snapshot
from rehearsal.engine.state import Deployment
from rehearsal.engine.step import Emit, Reporter

if TYPE_CHECKING:
    from rehearsal.engine.operation import Options, Program, Result, Target


class Conductor:
    """One operation, used once."""

    def __init__(
        self,
        *,
        target: Target,
        options: Options,
        deployment: Deployment,
        save: Callable[[Deployment], None] | None,
        emit: Emit,
        read_stack: Callable[[str], Deployment | None],
    ) -> None:
        self._target, self._options, self._before, self._emit = target, options, deployment, emit
        dry_run = options.kind.startswith("preview")
        self._reporter = Reporter(emit=emit, planning=dry_run)
        self._host = ProviderHost(target, lambda line, kind: self._reporter.diagnostic(line, kind))
        builtin = BuiltinProvider(
            organization=target.organization,
            project=target.project,
            read_stack=read_stack,
            find=lambda urn: self.run.find(urn),
        )
        # The states are changed in place while the operation runs; the caller's stay as they are.
        base = replace(deployment, resources=[replace(state) for state in deployment.resources])
        self.run = Run(
            dry_run=dry_run,
            continue_on_error=options.continue_on_error,
            snapshot=Snapshot(base, save),
            reporter=self._reporter,
            registry=Registry(self._host, builtin),
            stopping=threading.Event(),
            slots=threading.Semaphore(max(options.parallel, 1)),
            replace_targets=options.replace,
        )
        self._executor = Executor(self.run)
        self._planner = Planner(
            run=self.run, executor=self._executor, stack=target.stack, project=target.project
        )
        self._monitor = Monitor(
            self.run, target, self._planner, self._executor, max(options.parallel, 1)
        )
        self._program_ok = True

    def conduct(self, program: Program | None, cancel: threading.Event) -> Result:
        """Run the operation to its end, whatever the end is."""
        from rehearsal.engine.operation import Result

        start = time.monotonic()
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(cancel, done), daemon=True)
        watcher.start()
        secret = self._target.config_secret_keys
        shown = {k: "[secret]" if k in secret else v for k, v in self._target.config.items()}
        self._emit({"preludeEvent": {"config": shown}})
        try:
            with self._monitor.serving() as address:
                self._host.engine_address = address
                self._work(program, address)
        finally:
            done.set()
            self.run.registry.close()
        run = self.run
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
        run = self.run
        return self._program_ok and not (run.step_failed or run.stopping.is_set())

    def _work(self, program: Program | None, address: str) -> None:
        run = self.run
        try:
            self._settle_past()
            if not run.stopping.is_set() and not self._options.kind.endswith("refresh"):
                self._check_replace_targets()
                if program is not None:
                    self._run_program(program, address)
                if self._program_ok and not run.stopping.is_set():
                    self._delete()
        except (Bail, EngineError, ProviderError) as error:
            if not isinstance(error, Bail):
                run.error(str(error))
            run.fail()
        run.wait_until_idle()
        self._finish_stack()
        if self.run.cancelled or run.step_failed:
            kind = "preview" if run.dry_run else "update"
            run.error(f"{kind} {'failed' if run.step_failed else 'canceled'}")

    def _settle_past(self) -> None:
        options, run = self._options, self.run
        if options.clear_pending_creates:
            run.snapshot.forget_pending_creates()
        run.index_olds()
        if options.refresh or options.kind.endswith("refresh"):
            alone = options.kind.endswith("refresh")
            refresh(run, alone=alone, parallel=options.parallel)
            run.index_olds()
        elif self._before.pending_operations and not run.dry_run:
            self._warn_of_pending()

    def _warn_of_pending(self) -> None:
        pending = self._before.pending_operations
        lines = [f"  * {p.resource.urn}, interrupted while {p.type}" for p in pending]
        self._reporter.diagnostic(
            f"Attempting to deploy or update resources with {len(pending)} pending operations "
            "from previous "
            "deployment.\n"
            + "\n".join(lines)
            + "\nThese resources are in an unknown state because the Pulumi CLI was "
            "interrupted while waiting for changes to these resources to complete. You should "
            "confirm whether or not "
            "the operations listed completed successfully by checking the state of the "
            "appropriate provider. For "
            "example, if you are using AWS, you can confirm using the AWS Console.\n\nOnce you "
            "have confirmed the "
            "status of the interrupted operations, you can repair your stack using `pulumi "
            "refresh` which will refresh "
            "the state from the provider you are using and clear the pending operations if there "
            "are any.\n\nNote that "
            "`pulumi refresh` will need to be run interactively to clear pending CREATE "
            "operations.",
            "warning",
        )

    def _check_replace_targets(self) -> None:
        missing = [urn for urn in self._options.replace if urn not in self.run.olds]
        for urn in missing:
            self.run.error(f"Target '{urn}' could not be found in the stack.")
        if missing:
            raise Bail("replace targets are missing")

    def _run_program(self, program: Program, address: str) -> None:
        outcome = program.run(address, self._reporter.diagnostic, self.run.stopping)
        self.run.wait_until_idle()
        self._program_ok = outcome.ok
        if outcome.error and not self.run.stopping.is_set():
            self.run.error(outcome.error)

    def _delete(self) -> None:
        run, options = self.run, self._options
        spared: set[str] = set()
        if options.exclude_protected:
            spared = needed_by(
                run.snapshot.base, {state.urn for state in run.snapshot.base if state.protect}
            )
        if run.failed_urns:
            spared |= needed_by([*run.snapshot.base, *run.news.values()], run.failed_urns)
        steps = plan_deletes(
            run,
            operated=self._planner.operated | set(self._planner.aliased),
            already=self._planner.replacement.deleted,
            spared=spared,
        )
        run_deletes(run, self._executor, steps, max(options.parallel, 1))

    def _finish_stack(self) -> None:
        step, outputs = self._monitor.stack_step, self._monitor.stack_outputs
        if step is None or step.new is None or outputs is None:
            return
        if not self._ok:
            # A program that ended early exported only part of what it would have.
            outputs = {**step.new.outputs, **outputs}
        self._monitor.finish_outputs(step, outputs)

    def _summarize(self, seconds: int) -> None:
        result = "succeeded" if self._ok else "canceled" if self.run.cancelled else "failed"
        summary: dict[str, Any] = {
            "maybeCorrupt": self.run.maybe_corrupt,
            "durationSeconds": seconds,
            "resourceChanges": dict(self._reporter.counts),
            "PolicyPacks": {},
            "result": result,
        }
        if self.run.dry_run:
            summary["isPreview"] = True
        self._emit({"summaryEvent": summary})
        self._emit({"cancelEvent": {}})

    def _watch(self, cancel: threading.Event, done: threading.Event) -> None:
        while not done.is_set():
            if cancel.wait(timeout=0.1):
                self.run.cancelled = True
                self.run.fail()
                self.run.registry.cancel()
                return
