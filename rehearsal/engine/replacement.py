"""Which resources must go before a resource that is deleted before its replacement is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.engine.diff import (
    Diff,
    equal,
    ignore_changes,
    replace_on_changes,
    structural_diff,
)
from rehearsal.engine.registry import Provider, Registry
from rehearsal.engine.run import Run
from rehearsal.engine.state import Resource
from rehearsal.engine.urn import is_provider, parse_reference
from rehearsal.engine.values import UNKNOWN, unwrap_secrets

Server = Provider | Registry


@dataclass(kw_only=True)
class ReplacementPlan:
    """Dependents deleted early: the keys they are replaced for by URN, and which states they
    were."""

    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)


def needs(state: Resource) -> Iterator[str]:
    """Yield the URN of everything that must exist while the resource does."""
    if state.parent:
        yield state.parent
    if state.provider:
        yield parse_reference(state.provider)[0]
    if state.deleted_with:
        yield state.deleted_with
    yield from state.dependencies
    for urns in state.property_dependencies.values():
        yield from urns


def compare(
    server: Server, urn: str, old: Resource, news: dict[str, Any], ignored: Sequence[str]
) -> Diff:
    """Ask a provider what changed; when it does not know, compare the inputs themselves."""
    if not hasattr(server, "diff"):
        return Diff(changed=not equal(old.inputs, news))
    diff = server.diff(urn, old, news, ignored)
    if diff is not None:
        return diff
    kept, _ = ignore_changes(news, old.inputs, ignored)
    return structural_diff(unwrap_secrets(old.inputs), unwrap_secrets(kept))


def dependents_to_replace(
    run: Run, root: Resource, *, impossible: Iterable[str]
) -> list[tuple[Resource, tuple[str, ...]]]:
    """Return the dependents that a replacement of the root would replace too, in dependency order,
    with the keys.

    What this run has already dealt with (`impossible`) can't depend on something that it has not.
    """
    excluded = set(impossible)
    reachable, replaced = {root.urn}, {root.urn}
    result: list[tuple[Resource, tuple[str, ...]]] = []
    for state in run.snapshot.base:
        if state is root or state.urn in excluded or not reachable.intersection(needs(state)):
            continue
        reachable.add(state.urn)
        keys = _replacement_keys(run, state, replaced)
        if keys is not None:
            replaced.add(state.urn)
            result.append((state, keys))
    return result


def _replacement_keys(run: Run, state: Resource, replaced: set[str]) -> tuple[str, ...] | None:
    if not state.custom or state.external:
        return None
    if parse_reference(state.provider)[0] in replaced:
        run.ensure_provider(state.provider)
        return ()
    if state.deleted_with in replaced:
        return ()
    dependencies = state.property_dependencies
    unknown = {k for k in state.inputs if replaced.intersection(dependencies.get(k, ()))}
    if not unknown:
        return None
    if is_provider(state.type):
        run.registry.ensure(state)
    else:
        run.ensure_provider(state.provider)
    server = run.provider_of(state)
    if server is None:
        return None
    news = {key: UNKNOWN if key in unknown else value for key, value in state.inputs.items()}
    diff = compare(server, state.urn, state, news, state.ignore_changes)
    diff = replace_on_changes(diff, state.replace_on_changes, init_errors=False)
    return diff.replace_keys if diff.replaces else None
