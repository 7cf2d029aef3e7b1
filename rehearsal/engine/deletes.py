"""Deletes at the end of an operation: what no longer has a registration, and left-overs of
replacements."""

from __future__ import annotations

from collections.abc import Set
from concurrent.futures import ThreadPoolExecutor

from rehearsal.engine.executor import Executor, StepFailedError
from rehearsal.engine.run import Run
from rehearsal.engine.state import Resource
from rehearsal.engine.step import Step
from rehearsal.engine.urn import parse_reference


def needs(state: Resource) -> set[str]:
    """Return the URN of everything that must exist while the resource does."""
    return (state.needs() | {parse_reference(state.provider)[0]}) - {""}


def plan_deletes(run: Run, kept: Set[str]) -> list[Step]:
    """Return a delete step for every old state that has no place in the new world.

    Args:
        run: the operation.
        kept: URNs the program registered or read in this run.
    """
    steps = []
    for state in run.snapshot.base:
        if state.delete:
            op = "discard-replaced" if state.external else "delete-replaced"
        elif state.urn in kept:
            continue
        elif state.pending_replacement:
            op = "remove-pending-replace"
        else:
            op = "discard" if state.external else "delete"
        steps.append(Step(op=op, urn=state.urn, old=state))
    return steps


def run_deletes(run: Run, executor: Executor, steps: list[Step]) -> None:
    """Delete in an order in which nothing loses what it needs, at the same time where that is safe.

    Raises:
        EngineError: a provider could not be started.
    """

    def delete(step: Step) -> None:
        try:
            executor.execute([step], begun=True)
        except StepFailedError:
            return  # It was told; no later layer begins.

    for step in steps:
        run.ensure_provider(step.state.provider)
    with ThreadPoolExecutor(max_workers=run.parallel) as pool:
        for layer in delete_layers(steps):
            if run.stopping.is_set():
                return
            list(pool.map(delete, layer))


def delete_layers(steps: list[Step]) -> list[list[Step]]:
    """Sort deletes into layers: all of a layer can go at once, and nothing in a later one needs an
    earlier one."""
    remaining = list(steps)
    layers: list[list[Step]] = []
    while remaining:
        wanted: set[str] = set()
        for step in remaining:
            wanted |= needs(step.state) - {step.urn}
        # A circle can only come from a state edited by hand; the order of the file is the best
        # guess.
        layer = [step for step in remaining if step.urn not in wanted] or [remaining[-1]]
        remaining = [step for step in remaining if not any(step is one for one in layer)]
        layers.append(layer)
    return layers
