"""Reads every resource anew and takes over what the world says of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from rehearsal.engine.diff import equal, invert
from rehearsal.engine.errors import EngineError
from rehearsal.engine.executor import hide_secret_outputs
from rehearsal.engine.planner import compare
from rehearsal.engine.provider_client import Answer
from rehearsal.engine.provider_errors import ProviderError
from rehearsal.engine.run import Run
from rehearsal.engine.snapshot import without_dangling
from rehearsal.engine.state import Resource, now_rfc3339
from rehearsal.engine.step import Step
from rehearsal.engine.urn import is_provider


def refresh(run: Run, *, alone: bool) -> None:
    """Refresh all resources of the snapshot.

    Args:
        run: the operation.
        alone: the operation is a refresh; otherwise it precedes an update, and its results are not
            counted.
    """
    base = list(run.snapshot.base)
    for state in base:
        if state.custom and not is_provider(state.type):
            run.ensure_provider(state.provider)
    with ThreadPoolExecutor(max_workers=run.parallel) as pool:
        results = list(pool.map(lambda state: _refresh_one(run, state, alone=alone), base))
    kept = [state for state in results if state is not None]
    run.snapshot.rebase(without_dangling(kept))


def _refresh_one(run: Run, old: Resource, *, alone: bool) -> Resource | None:
    """Return the new state; None when the resource is gone, the old one when it could not be
    read."""
    if run.cancelled:
        return old
    step = Step(op="refresh", urn=old.urn, old=old, new=old)
    run.reporter.started(step, "refresh")
    try:
        new, op = _read(run, step, old)
    except EngineError as error:
        run.fail(step, error, error.status if isinstance(error, ProviderError) else 0)
        return old
    step.new = new
    if alone:
        run.reporter.count(step, op)
    run.reporter.outputs(step, op if alone else "refresh")
    return new


def _read(run: Run, step: Step, old: Resource) -> tuple[Resource | None, str]:
    if not old.custom or is_provider(old.type) or old.pending_replacement:
        return old, "same"
    provider: Any = run.provider_of(old)
    answer: Answer = provider.read(old.urn, old.id, old.inputs, old.outputs)
    if answer.outputs is None or not answer.id:
        return None, "delete"
    new = replace(
        old,
        id=answer.id,
        outputs=answer.outputs,
        inputs=old.inputs if answer.inputs is None else answer.inputs,
        init_errors=list(answer.reasons),
    )
    if answer.reasons:
        text = "Refreshed resource is in an unhealthy state:\n* " + "\n* ".join(answer.reasons)
        run.reporter.diagnostic(text, "warning", old.urn)
    hide_secret_outputs(new)
    changed = not equal(new.outputs, old.outputs)
    if changed or not equal(new.inputs, old.inputs):
        new.modified = now_rfc3339()
    if not old.external:
        # What a person would see of an update right after this: the other way round it is what
        # changed outside.
        diff = invert(compare(provider, new, old.inputs, old.ignore_changes))
        changed = diff.changed
        if changed:
            step.changed_keys, step.detailed = diff.changed_keys, diff.detailed
    return new, "update" if changed else "same"
