"""Carries steps out: calls the provider, keeps the snapshot safe around the call, and tells what
happened."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.diff import equal
from rehearsal.engine.errors import EngineError
from rehearsal.engine.provider_client import Answer
from rehearsal.engine.provider_errors import ProviderError, init_error_text
from rehearsal.engine.run import Run
from rehearsal.engine.snapshot import must_write
from rehearsal.engine.state import Resource, now_rfc3339
from rehearsal.engine.step import Step
from rehearsal.engine.urn import is_provider
from rehearsal.engine.values import UNKNOWN_TEXT, Secret, make_secret

# For each kind of step its method, and what is pending in the state while a provider is called.
_STEPS = {
    "same": ("_same", ""),
    "create": ("_create", "creating"),
    "create-replacement": ("_create", "creating"),
    "replace": ("", ""),
    "update": ("_update", "updating"),
    "delete": ("_delete", "deleting"),
    "delete-replaced": ("_delete", "deleting"),
    "discard": ("_delete", "deleting"),
    "discard-replaced": ("_delete", "deleting"),
    "remove-pending-replace": ("", ""),
    "read": ("_read", "reading"),
    "read-replacement": ("_read", "reading"),
}


class StepFailedError(Exception):
    """A step failed and said so."""


class PartialFailureError(ProviderError):
    """The resource exists, but not as it should be."""


class Executor:
    """Runs steps of one operation, each in the thread that asks for it."""

    def __init__(self, run: Run) -> None:
        self.run = run

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
        method, kind = _STEPS[step.op]
        pending = None
        if kind and step.state.custom and not is_provider(step.state.type) and not run.dry_run:
            pending = run.snapshot.begin(step.state, kind)
        try:
            if method:
                getattr(self, method)(step)
        except EngineError as error:
            run.snapshot.end(pending)
            if isinstance(error, PartialFailureError):
                self._settle(step)
            else:
                run.snapshot.write()
            run.fail(step, error, error.status if isinstance(error, ProviderError) else 0)
            raise StepFailedError(str(error)) from error
        run.snapshot.end(pending)
        self._settle(step, succeeded=True)

    def _settle(self, step: Step, *, succeeded: bool = False) -> None:
        """Bring snapshot and listeners up to what the step did; saved unless nothing is new."""
        run, old, new = self.run, step.old, step.new
        if new is not None and step.op != "replace":
            hide_secret_outputs(new)
            run.news[step.urn] = new
        if succeeded and step.logical:
            run.reporter.count(step, step.op)
        if succeeded and (run.dry_run or step.state.custom or step.op == "delete"):
            run.reporter.outputs(step, step.op)
        if step.op == "replace":
            return
        if new is not None:
            replaced = step.op in ("create-replacement", "read-replacement")
            if old is not None and (not replaced or old.pending_replacement):
                run.snapshot.remove(old)
            run.snapshot.add(new)
            if step.op == "same" and old is not None and not must_write(old, new):
                return
        elif old is not None and not step.deletes_first:
            run.snapshot.remove(old)
        run.snapshot.write()

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
        answer = provider.update(old, new, new.ignore_changes, preview=self.run.dry_run)
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
        spared = old.external or old.retain_on_delete or old.pending_replacement
        if old.custom and not (spared or self.run.dry_run):
            provider: Any = self.run.provider_of(old)
            provider.delete(old)
        if step.deletes_first:
            old.pending_replacement = True

    def _read(self, step: Step) -> None:
        new, old = step.state, step.old
        answer = Answer()
        if new.id != UNKNOWN_TEXT:
            provider: Any = self.run.registry.get(new.provider)
            answer = provider.read(new.urn, new.id, new.inputs, new.inputs)
            if answer.outputs is None:
                raise ProviderError(f"resource '{new.id}' does not exist")
            new.outputs = answer.outputs
            new.id = answer.id if answer.id else new.id
        if old is not None:
            if step.op == "read-replacement":
                old.delete = True
            new.created, new.modified = old.created, old.modified
            if not (equal(new.inputs, old.inputs) and equal(new.outputs, old.outputs)):
                new.modified = now_rfc3339()
        _check_whole(new, answer)


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
        "either remove the `protect` flag from the resource in your Pulumi program and run "
        f"`pulumi up`, or use the command:\n`pulumi state unprotect '{urn}'`"
    )


def _check_whole(state: Resource, answer: Answer) -> None:
    if answer.reasons:
        state.init_errors = list(answer.reasons)
        raise PartialFailureError(init_error_text(answer.reasons), 1)


def _both(step: Step) -> tuple[Resource, Resource]:
    if step.old is None or step.new is None:
        raise AssertionError(f"a {step.op} step of {step.urn} needs an old and a new state")
    return step.old, step.new
