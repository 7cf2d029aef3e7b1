"""`pulumi up`, `preview`, `refresh` and `destroy`: ask, lock, run, show, record."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn
from urllib.parse import urlsplit

from rehearsal.engine.argv import Command
from rehearsal.engine.backend import Store
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.display import HEAD, Progress
from rehearsal.engine.errors import ChangesError, EngineError, UsageError
from rehearsal.engine.events import EventStream, Sink, event_log
from rehearsal.engine.operation import Kind, Options, Result, Target, run_operation
from rehearsal.engine.project import ORGANIZATION
from rehearsal.engine.secrets import Crypter
from rehearsal.engine.state import VERSION, Deployment, deployment_from_json, verify_deployment

KINDS: Any = {"up": "update", "preview": "update", "refresh": "refresh", "destroy": "destroy"}
Save = Callable[[Deployment], None]
THREADS_PER_CPU = 4
_write = partial(print, flush=True)


class Operation:
    """One command that changes a stack, or shows what would change."""

    def __init__(self, place: Workplace, command: Command, kind: Kind) -> None:
        self.place, self.command, self.kind = place, command, kind
        self.target = _target(place)
        self.cancel = threading.Event()

    def preview(self, *, log: bool) -> Result:
        """Show what would be done; nothing is locked or written."""
        return self._run(self._state()[0], save=None, log=log)

    def perform(self) -> Result:
        """Do it, under the stack's lock, and record it in the history however it ends."""
        place, start, result, stopped = self.place, int(time.time()), None, threading.Event()

        def stop(number: int) -> NoReturn:
            # Calls that break because their provider is killed here must stay pending.
            stopped.set()
            _end_children()
            place.store.record(self._record(start, None))
            lock.unlink(missing_ok=True)
            os._exit(128 + number)

        with place.store.locked() as lock:
            self._listen(stop)
            deployment, crypter = self._state()

            def save(state: Deployment) -> None:
                if not stopped.is_set():
                    place.save(state, crypter)

            try:
                result = self._run(deployment, save=save, log=True)
            finally:
                place.store.record(self._record(start, result))
        return result

    def _state(self) -> tuple[Deployment, Crypter]:
        deployment, crypter = self.place.deployment()
        verify_deployment(deployment)
        return deployment, crypter

    def _run(self, deployment: Deployment, *, save: Save | None, log: bool) -> Result:
        plan: Any = "preview" if self.kind == "update" else f"preview-{self.kind}"
        with event_log(self.command.text("event-log") if log else None) as sinks:
            return run_operation(
                target=self.target,
                options=_options(self.command, plan if save is None else self.kind),
                deployment=deployment,
                save=save,
                emit=EventStream(self._display(preview=save is None), *sinks).emit,
                read_stack=self._read_stack,
                cancel=self.cancel,
            )

    def _display(self, *, preview: bool) -> Sink:
        choice = self.command.text("color") or "auto"
        if choice not in ("always", "never", "raw", "auto"):
            raise EngineError(f"--color {choice!r} is none of always, never, raw, auto")
        automatic = choice == "auto" and sys.stdout.isatty() and "NO_COLOR" not in os.environ
        name, color = f"{self.target.project}-{self.target.stack}", choice == "always" or automatic
        progress = Progress(stack_name=name, preview=preview, color=color, write=_write)
        verb = f"{self.kind.removesuffix('e').capitalize()}ing"
        title = f"Previewing {self.kind}" if preview else verb
        _write(progress.paint(f"{title} ({self.target.stack}):", HEAD))
        return progress.handle

    def _read_stack(self, name: str) -> Deployment | None:
        """Read another stack's state for a StackReference, or return None if there is none."""
        owner, project, stack = name.split("/")
        store = Store(self.place.backend, project, stack)
        if owner != ORGANIZATION or not store.file.is_file():
            return None
        latest = store.read()
        return deployment_from_json(latest, self.place.state_crypter(latest).decrypt)

    def _record(self, start: int, result: Result | None) -> dict[str, Any]:
        environment = {"pulumi.version": VERSION, "exec.kind": self.command.text("exec-kind")}
        return {
            "kind": self.kind,
            "startTime": start,
            "message": self.command.text("message") or "",
            "environment": {key: text for key, text in environment.items() if text},
            "config": self.place.config.raw(),
            "version": 0,
            "result": "succeeded" if result is not None and result.ok else "failed",
            "endTime": int(time.time()),
            "resourceChanges": result.resource_changes if result is not None else {},
        }

    def _listen(self, stop: Callable[[int], NoReturn]) -> None:
        """Make the first Ctrl-C ask the operation to end, and the second end the process."""

        def ask(number: int, _frame: Any) -> None:
            if self.cancel.is_set():
                _write("terminating; what was in progress stays recorded as pending")
                stop(number)
            self.cancel.set()
            _write("^C received; cancelling. To terminate immediately, press ^C again.")

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, ask)


def _end_children() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()


def _target(place: Workplace) -> Target:
    url = place.environ.get("AWS_ENDPOINT_URL", "")
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise EngineError(
            f"AWS_ENDPOINT_URL is {url!r}; the rehearsal engine works on a rehearsal's cloud only, "
            "on this machine (`greenlight rehearsal start`); for real ones use the official CLI"
        )
    config = place.config
    place.check_passphrase("getting stack configuration: get stack secrets manager")
    values = config.values(place.crypter.decrypt)
    return Target(
        project=place.project.name,
        project_root=str(place.project.file.parent),
        program_directory=str(place.project.program_folder),
        stack=place.store.stack,
        runtime_options=dict(place.project.runtime_options),
        config={key: value.text for key, value in values.items()},
        config_secret_keys=tuple(key for key, value in values.items() if value.secret),
    )


def _options(command: Command, kind: Any) -> Options:
    parallel = command.text("parallel") or str(THREADS_PER_CPU * (os.cpu_count() or 1))
    if not parallel.isdigit() or parallel == "0":
        raise EngineError(f"--parallel {parallel!r} is not a whole number above zero")
    return Options(
        kind=kind,
        parallel=int(parallel),
        refresh=command.on("refresh"),
        client=command.text("client"),
    )


def _operate(place: Workplace, command: Command) -> None:
    kind = KINDS[command.name]
    preview_only = command.on("preview-only") or command.name == "preview"
    skip_preview, yes = command.on("skip-preview"), command.on("yes")
    if command.arguments:
        raise EngineError(f"pulumi {command.name} takes no arguments: {command.arguments[0]!r}")
    if not (preview_only or skip_preview or yes or place.interactive):
        # The official CLI's refresh says the same, with the code of any other error.
        raise (EngineError if kind == "refresh" else UsageError)(
            "--yes or --skip-preview or --preview-only must be passed in to proceed when running "
            "in non-interactive mode"
        )
    operation = Operation(place, command, kind)
    if preview_only or not skip_preview:
        result = operation.preview(log=preview_only)
        if result.ok and not preview_only and not yes:
            _ask(kind)
    if not preview_only and (skip_preview or result.ok):
        result = operation.perform()
    if not result.ok:
        raise EngineError
    changed = any(count for op, count in result.resource_changes.items() if op != "same")
    if command.on("expect-no-changes") and changed:
        verb = "preview" if command.name == "preview" else kind
        raise ChangesError(f"no changes were expected for {verb} but changes were proposed")


def _ask(kind: Kind) -> None:
    while (answer := input(f"Do you want to perform this {kind}? [yes/no] ").strip()) != "yes":
        if answer in ("no", ""):
            raise EngineError(f"confirmation declined, not proceeding with the {kind}")


HANDLERS = dict.fromkeys(KINDS, _operate)
