"""Carries steps out: calls the provider, keeps the snapshot safe around the call, and tells what
happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.engine.diff import equal
from rehearsal.engine.errors import EngineError
from rehearsal.engine.provider_client import Answer
from rehearsal.engine.provider_errors import ProviderError, init_error_text
from rehearsal.engine.registry import Registry
from rehearsal.engine.run import Run
from rehearsal.engine.snapshot import must_write
from rehearsal.engine.state import Resource, now_rfc3339
from rehearsal.engine.step import Step
from rehearsal.engine.urn import is_default_provider, is_provider
from rehearsal.engine.values import UNKNOWN_TEXT, Secret, make_secret

_PENDING = {
    "create": "creating",
    "create-replacement": "creating",
    "update": "updating",
    "delete": "deleting",
    "delete-replaced": "deleting",
    "discard": "deleting",
    "discard-replaced": "deleting",
    "read": "reading",
    "read-replacement": "reading",
    "import": "importing",
    "import-replacement": "importing",
}
OK, PARTIAL, UNKNOWN_STATUS = 0, 1, 2


class StepFailedError(Exception):
    """A step failed and said so."""


class PartialFailureError(ProviderError):
    """The resource exists, but not as it should be."""


class Executor:
    """Runs steps of one operation, each in the thread that asks for it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._apply: dict[str, Callable[[Step], None]] = {
            "same": self._same,
            "create": self._create,
            "create-replacement": self._create,
            "replace": _nothing,
            "update": self._update,
            "delete": self._delete,
            "delete-replaced": self._delete,
            "discard": self._delete,
            "discard-replaced": self._delete,
            "remove-pending-replace": _nothing,
            "read": self._read,
            "read-replacement": self._read,
            "import": self._import,
            "import-replacement": self._import,
        }

    def execute(self, steps: list[Step], *, begun: bool = False) -> None:
        """Run steps one after the other.

        Args:
            steps: what to do.
            begun: the steps belong to a set that was begun before something failed.

        Raises:
            StepFailedError: one failed, or no new step may start; the rest was not begun.
        """
        for step in steps:
            with self.run.slots:
                if self.run.stopping.is_set() and not (begun and not self.run.cancelled):
                    raise StepFailedError("no new step may start")
                self._execute_one(step)

    def _execute_one(self, step: Step) -> None:
        run = self.run
        run.reporter.started(step, step.op)
        pending = _PENDING.get(step.op)
        calls = step.state.custom and not is_provider(step.state.type)
        if pending is not None and calls and not run.dry_run:
            run.snapshot.begin(step.state, pending)
        try:
            self._apply[step.op](step)
        except PartialFailureError as error:
            self._finish(step)
            self._settle(step)
            self._failed(step, error, PARTIAL)
        except (ProviderError, EngineError) as error:
            run.snapshot.end(step.urn, _PENDING.get(step.op, ""))
            run.snapshot.write()
            self._failed(step, error, error.status if isinstance(error, ProviderError) else OK)
        else:
            self._finish(step)
            self._succeeded(step)
            self._settle(step)

    def _finish(self, step: Step) -> None:
        if step.new is not None and step.op != "replace":
            hide_secret_outputs(step.new)
            self.run.news[step.urn] = step.new

    def _succeeded(self, step: Step) -> None:
        run = self.run
        if step.logical:
            run.reporter.count(step, step.op)
        if run.dry_run or step.state.custom or step.op == "delete":
            run.reporter.outputs(step, step.op)

    def _failed(self, step: Step, error: Exception, status: int) -> None:
        run = self.run
        urn = "" if is_default_provider(step.urn) else step.urn
        run.error(f"Preview failed: {error}" if run.dry_run else str(error), urn)
        if not run.dry_run:
            run.reporter.failed(step, status)
            run.maybe_corrupt = run.maybe_corrupt or status == UNKNOWN_STATUS
        run.step_failed = True
        run.failed_urns.add(step.urn)
        if not run.continue_on_error:
            run.fail()
        raise StepFailedError(str(error)) from error

    def _settle(self, step: Step) -> None:
        """Bring the snapshot up to what the step did, and save it unless nothing is new."""
        snapshot, old, new = self.run.snapshot, step.old, step.new
        snapshot.end(step.urn, _PENDING.get(step.op, ""))
        if step.op == "replace":
            return
        if new is not None:
            replaced = step.op in ("create-replacement", "read-replacement", "import-replacement")
            if old is not None and (not replaced or old.pending_replacement):
                snapshot.remove(old)
            snapshot.add(new)
            if step.op == "same" and old is not None and not must_write(old, new):
                return
        elif old is not None and not step.deletes_first:
            snapshot.remove(old)
        snapshot.write()

    def _same(self, step: Step) -> None:
        old, new = _both(step)
        new.id, new.outputs = old.id, old.outputs
        if is_provider(new.type):
            self.run.registry.same(new.urn, new.id, old.inputs)

    def _create(self, step: Step) -> None:
        new = step.state
        provider: Any = self.run.provider_of(new)
        answer = Answer()
        if provider is not None:
            answer = provider.create(new, preview=self.run.dry_run)
        new.id = "" if self.run.dry_run and not is_provider(new.type) else answer.id
        new.outputs = dict(answer.outputs or {})
        new.created = new.modified = now_rfc3339()
        if step.old is not None and step.keeps_old:
            step.old.delete = True
        _check_whole(new, answer)

    def _update(self, step: Step) -> None:
        old, new = _both(step)
        new.id, new.created, new.modified = old.id, old.created, old.modified
        provider: Any = self.run.provider_of(new)
        if provider is None:
            new.outputs = {}
            return
        answer = provider.update(old, new, step.ignore_changes, preview=self.run.dry_run)
        new.outputs = dict(answer.outputs or {})
        new.modified = now_rfc3339()
        if answer.reasons:
            # What exists was not made from the new inputs.
            new.inputs = old.inputs
        _check_whole(new, answer)

    def _delete(self, step: Step) -> None:
        old = step.state
        if step.op == "delete" and old.protect:
            raise EngineError(protected_message(old.urn))
        spared = old.external or old.retain_on_delete or old.deleted_with in self.run.deletes
        if old.custom and not (spared or self.run.dry_run or old.pending_replacement):
            provider: Any = self.run.provider_of(old)
            provider.delete(old)
        if step.deletes_first:
            old.pending_replacement = True

    def _read(self, step: Step) -> None:
        new, old = step.state, step.old
        if new.id != UNKNOWN_TEXT:
            provider = self._reader(new)
            answer = provider.read(new.urn, new.id, new.inputs, new.inputs)
            if answer.outputs is None:
                raise ProviderError(f"resource '{new.id}' does not exist")
            new.outputs = answer.outputs
            new.id = answer.id if answer.id else new.id
        else:
            answer = Answer()
        if old is not None:
            if step.op == "read-replacement":
                old.delete = True
            new.created, new.modified = old.created, old.modified
            if not (equal(new.inputs, old.inputs) and equal(new.outputs, old.outputs)):
                new.modified = now_rfc3339()
        _check_whole(new, answer)

    def _import(self, step: Step) -> None:
        new, original = step.state, step.old
        answer = self._reader(new).read(new.urn, new.import_id, {}, {})
        if answer.outputs is None:
            raise ProviderError(f"resource '{new.import_id}' does not exist")
        if answer.inputs is None:
            raise ProviderError("the provider does not support importing: it read no inputs")
        new.id = answer.id if answer.id else new.import_id
        new.inputs, new.outputs = answer.inputs, answer.outputs
        new.init_errors = list(answer.reasons)
        new.created = new.modified = now_rfc3339()
        if original is not None:
            original.delete = True

    def _reader(self, state: Resource) -> Any:
        provider = self.run.provider_of(state)
        if provider is None or isinstance(provider, Registry):
            raise ProviderError(f"a resource of type {state.type!r} can't be read or imported")
        return provider


def hide_secret_outputs(state: Resource) -> None:
    """Make secret the outputs that were asked to be, and those whose input of the same name is."""
    outputs = dict(state.outputs)
    for key, value in outputs.items():
        if key in state.additional_secret_outputs or isinstance(state.inputs.get(key), Secret):
            outputs[key] = make_secret(value)
    state.outputs = outputs


def protected_message(urn: str) -> str:
    """Say that a resource may not be deleted, and what to do."""
    return (
        f'resource "{urn}" cannot be deleted\nbecause it is protected. To unprotect the resource, '
        "either remove the "
        "`protect` flag from the resource in your Pulumi program and run `pulumi up`, or use the "
        "command:\n"
        f"`pulumi state unprotect '{urn}'`"
    )


def _check_whole(state: Resource, answer: Answer) -> None:
    if answer.reasons:
        state.init_errors = list(answer.reasons)
        raise PartialFailureError(init_error_text(answer.reasons))


def _both(step: Step) -> tuple[Resource, Resource]:
    if step.old is None or step.new is None:
        raise AssertionError(f"a {step.op} step of {step.urn} needs an old and a new state")
    return step.old, step.new


def _nothing(_: Step) -> None:
    """Do nothing: the other steps of the replacement do the work."""
