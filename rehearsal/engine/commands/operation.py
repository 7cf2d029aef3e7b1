"""`pulumi up`, `preview`, `refresh` and `destroy`: ask, lock, run, show, record."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, NoReturn
from urllib.parse import urlsplit

from rehearsal.engine.argv import Command
from rehearsal.engine.backend import Store
from rehearsal.engine.commands.stack import remove_stack
from rehearsal.engine.commands.tables import print_json
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.display import HEAD, Difference, Progress
from rehearsal.engine.errors import ChangesError, EngineError, UsageError, not_supported
from rehearsal.engine.events import EventStream, Sink, open_event_log
from rehearsal.engine.operation import Options, Result, Target, run_operation
from rehearsal.engine.planjson import PlanDocument
from rehearsal.engine.project import ORGANIZATION
from rehearsal.engine.secrets import Crypter
from rehearsal.engine.state import VERSION, Deployment, deployment_from_json, verify_deployment

Kind = Literal["update", "refresh", "destroy"]
PLANS: dict[Kind, Any] = {
    "update": "preview",
    "refresh": "preview-refresh",
    "destroy": "preview-destroy",
}
THREADS_PER_CPU = 4


class Operation:
    """One command that changes a stack, or shows what would change."""

    def __init__(self, place: Workplace, command: Command, kind: Kind) -> None:
        self.place, self.command, self.kind = place, command, kind
        self.target = _target(place)
        self.cancel = threading.Event()
        self.seen: list[dict[str, Any]] = []

    def preview(self, *, log: bool) -> Result:
        """Show what would be done; nothing is locked or written."""
        return self._run(PLANS[self.kind], self._state()[0], save=None, log=log)

    def perform(self) -> Result:
        """Do it, under the stack's lock, and record it in the history however it ends."""
        place, start, result = self.place, int(time.time()), None

        stopped = threading.Event()

        def stop(number: int) -> NoReturn:
            # Calls that break because their provider is killed here must stay pending.
            stopped.set()
            _end_children()
            place.store.record(self._record(start, None))
            lock.unlink(missing_ok=True)
            os._exit(128 + number)

        with place.store.locked() as lock, self._signals(stop):
            deployment, crypter = self._state()

            def save(state: Deployment) -> None:
                if not stopped.is_set():
                    place.save(state, crypter)

            try:
                result = self._run(self.kind, deployment, save=save, log=True)
            finally:
                place.store.record(self._record(start, result))
        return result

    def _state(self) -> tuple[Deployment, Crypter]:
        deployment, crypter = self.place.deployment()
        verify_deployment(deployment)
        return deployment, crypter

    def _run(
        self,
        kind: Any,
        deployment: Deployment,
        *,
        save: Callable[[Deployment], None] | None,
        log: bool,
    ) -> Result:
        target = self.command.text("event-log") if log else None
        events = open_event_log(target) if target else None
        plan = PlanDocument(deployment) if self.command.on("json") else None
        sinks: list[Sink] = [plan.handle if plan else self._display(preview=save is None)]
        if save is None:
            sinks.append(self.seen.append)
        if events is not None:
            sinks.append(events.write)
        try:
            result = run_operation(
                target=self.target,
                options=_options(self.command, kind),
                deployment=deployment,
                save=save,
                emit=EventStream(*sinks).emit,
                read_stack=self._read_stack,
                cancel=self.cancel,
            )
        finally:
            if events is not None:
                events.close()
        if plan is not None:
            print_json(plan.document(), indent=4)
        return result

    def _display(self, *, preview: bool) -> Sink:
        """Choose what shows the events: lines as they come, or a diff."""
        choice = self.command.text("color") or "auto"
        if choice not in ("always", "never", "raw", "auto"):
            raise EngineError(f"--color {choice!r} is none of always, never, raw, auto")
        automatic = choice == "auto" and sys.stdout.isatty() and "NO_COLOR" not in os.environ
        progress = Progress(
            stack_name=f"{self.target.project}-{self.target.stack}",
            preview=preview,
            color=choice == "always" or automatic,
            show_outputs=not self.command.on("suppress-outputs"),
            debug=self.command.on("debug"),
            write=_write,
        )
        verb = {"update": "Updating", "refresh": "Refreshing", "destroy": "Destroying"}[self.kind]
        title = f"Previewing {self.kind}" if preview else verb
        _write(progress.paint(f"{title} ({self.target.stack}):", HEAD))
        if self.command.on("diff"):
            return Difference(preview=preview, paint=progress.paint, write=_write).handle
        return progress.handle

    def _read_stack(self, name: str) -> Deployment | None:
        """Read another stack's state for a StackReference, or return None if there is none."""
        *owner, stack = name.split("/")
        if owner and owner[0] != ORGANIZATION:
            return None
        store = Store(self.place.backend, (*owner[1:], self.target.project)[0], stack)
        if not store.file.is_file():
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

    @contextlib.contextmanager
    def _signals(self, stop: Callable[[int], NoReturn]) -> Iterator[None]:
        """Make the first Ctrl-C ask the operation to end, and the second end the process."""

        def ask(number: int, _frame: Any) -> None:
            if self.cancel.is_set():
                _write("terminating; what was in progress stays recorded as pending")
                stop(number)
            self.cancel.set()
            _write("^C received; cancelling. To terminate immediately, press ^C again.")

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _end_children() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()


def _write(text: str) -> None:
    print(text, flush=True)


def _target(place: Workplace) -> Target:
    url = place.environ.get("AWS_ENDPOINT_URL", "")
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise EngineError(
            f"AWS_ENDPOINT_URL is {url!r}; the rehearsal engine works on a rehearsal's cloud only, "
            "which is on this machine (`greenlight rehearsal start`); for real ones use the "
            "official CLI"
        )
    crypter = place.crypter
    try:
        crypter.check()
    except EngineError as err:
        text = f"getting stack configuration: get stack secrets manager: {err}"
        raise EngineError(text) from err
    values = place.config.values(crypter.decrypt)
    folder, entry_point = place.project.program()
    return Target(
        project=place.project.name,
        project_root=str(place.project.file.parent),
        program_directory=str(folder),
        stack=place.store.stack,
        entry_point=entry_point,
        runtime_options=dict(place.project.runtime_options),
        organization=ORGANIZATION,
        config={key: value.text for key, value in values.items()},
        config_secret_keys=tuple(key for key, value in values.items() if value.secret),
    )


def _options(command: Command, kind: Any) -> Options:
    parallel = command.text("parallel") or str(THREADS_PER_CPU * (os.cpu_count() or 1))
    if not parallel.isdigit() or parallel == "0":
        raise EngineError(f"--parallel {parallel!r} is not a whole number above zero")
    replaced = command.all("target-replace")
    return Options(
        kind=kind,
        parallel=int(parallel),
        refresh=command.on("refresh"),
        continue_on_error=command.on("continue-on-error"),
        targets=(*command.all("target"), *replaced),
        replace=(*command.all("replace"), *replaced),
        target_dependents=command.on("target-dependents"),
        exclude_protected=command.on("exclude-protected"),
        run_program=command.on("run-program"),
        client=command.text("client"),
        clear_pending_creates=command.on("clear-pending-creates"),
    )


def _operate(place: Workplace, command: Command, kind: Kind) -> int:
    preview_only = command.on("preview-only") or command.name == "preview"
    skip_preview, yes = command.on("skip-preview"), command.on("yes")
    if command.arguments:
        raise EngineError(f"pulumi {command.name} takes no arguments: {command.arguments[0]!r}")
    if command.on("json") and not preview_only:
        raise not_supported(f"--json of `pulumi {command.name}`")
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
            _ask(operation)
    if not preview_only and (skip_preview or result.ok):
        result = operation.perform()
    if not result.ok:
        return 1
    changed = any(count for op, count in result.resource_changes.items() if op != "same")
    if command.on("expect-no-changes") and changed:
        verb = "preview" if command.name == "preview" else kind
        raise ChangesError(f"no changes were expected for {verb} but changes were proposed")
    if kind == "destroy" and not preview_only:
        _say_goodbye(place, command)
    return 0


def _say_goodbye(place: Workplace, command: Command) -> None:
    if command.on("remove"):
        remove_stack(place)
        return
    _write(
        "The resources in the stack have been deleted, but the history and configuration "
        "associated with the stack are still maintained. \nIf you want to remove the stack "
        f"completely, run `pulumi stack rm {place.store.stack}`."
    )


def _ask(operation: Operation) -> None:
    question = f"Do you want to perform this {operation.kind}? [yes/no/details] "
    while (answer := input(question).strip().lower()) != "yes":
        if answer in ("no", ""):
            text = f"confirmation declined, not proceeding with the {operation.kind}"
            raise EngineError(text)
        if answer == "details":
            details = Difference(preview=True, write=_write)
            for event in operation.seen:
                details.handle(event)


HANDLERS: dict[str, Callable[[Workplace, Command], int]] = {
    "up": lambda place, command: _operate(place, command, "update"),
    "preview": lambda place, command: _operate(place, command, "update"),
    "refresh": lambda place, command: _operate(place, command, "refresh"),
    "destroy": lambda place, command: _operate(place, command, "destroy"),
}
