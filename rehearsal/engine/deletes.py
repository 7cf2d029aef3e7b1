"""Deletes at the end of an operation: what no longer has a registration, and left-overs of
replacements."""

from __future__ import annotations

from collections.abc import Iterable, Set
from concurrent.futures import ThreadPoolExecutor

from rehearsal.engine.executor import Executor, StepFailedError
from rehearsal.engine.replacement import needs
from rehearsal.engine.run import Run
from rehearsal.engine.state import Resource
from rehearsal.engine.step import Step


def plan_deletes(
    run: Run, *, operated: Set[str], already: Set[int], spared: Set[str] = frozenset()
) -> list[Step]:
    """Return a delete step for every old state that has no place in the new world.

    Args:
        run: the operation.
        operated: URNs the program registered or read in this run.
        already: identities of states that were deleted early, for a replacement.
        spared: URNs that must stay in any case.
    """
    steps = []
    for state in run.snapshot.base:
        if state.delete:
            if id(state) in already:
                continue
            op = "discard-replaced" if state.external else "delete-replaced"
        elif state.urn in operated or state.urn in spared:
            continue
        elif state.pending_replacement:
            op = "remove-pending-replace"
        else:
            op = "discard" if state.external else "delete"
        run.deletes.add(state.urn)
        steps.append(Step(op=op, urn=state.urn, old=state))
    return steps


def run_deletes(run: Run, executor: Executor, steps: list[Step], parallel: int) -> None:
    """Delete in an order in which nothing loses what it needs, at the same time where that is safe.

    Raises:
        Bail: a provider could not be started, which was reported.
    """
    for step in steps:
        run.ensure_provider(step.state.provider)
    failed: set[str] = set()
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        for layer in delete_layers(steps):
            if run.stopping.is_set():
                return
            going = [step for step in layer if not _is_needed(step.state, failed, steps)]
            for step, ok in zip(
                going, pool.map(lambda s: _try(run, executor, s), going), strict=True
            ):
                if not ok:
                    failed.add(step.urn)


def _try(run: Run, executor: Executor, step: Step) -> bool:
    try:
        executor.execute([step], begun=True)
    except StepFailedError:
        return False
    return True


def _is_needed(state: Resource, failed: set[str], steps: list[Step]) -> bool:
    """Say whether something whose delete failed still needs the resource; its delete then counts as
    failed."""
    for step in steps:
        if step.urn in failed and step.state is not state and state.urn in needs(step.state):
            failed.add(state.urn)
            return True
    return False


def delete_layers(steps: list[Step]) -> list[list[Step]]:
    """Sort deletes into layers: all of a layer can go at once, and nothing in a later one needs an
    earlier one."""
    remaining = list(steps)
    layers: list[list[Step]] = []
    while remaining:
        wanted: set[str] = set()
        for step in remaining:
            wanted.update(urn for urn in needs(step.state) if urn != step.urn)
        layer = [step for step in remaining if step.urn not in wanted]
        if not layer:
            # A circle can only come from a state edited by hand; the order of the file is the best
            # guess.
            layer = [remaining[-1]]
        taken = {id(step) for step in layer}
        remaining = [step for step in remaining if id(step) not in taken]
        layers.append(layer)
    return layers


def needed_by(resources: Iterable[Resource], roots: Set[str]) -> set[str]:
    """Return the roots and everything they need, directly or not."""
    by_urn: dict[str, list[Resource]] = {}
    for resource in resources:
        by_urn.setdefault(resource.urn, []).append(resource)
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        urn = waiting.pop()
        if urn not in found:
            found.add(urn)
            waiting += [other for state in by_urn.get(urn, ()) for other in needs(state)]
    return found
