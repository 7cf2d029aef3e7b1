"""The state while an operation runs: saved whole before each call to a provider and after each
step.

The resources of this run come first, in the order they were done, so that what a resource needs
precedes it; the old ones that were not touched follow in their old order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from rehearsal.engine.diff import equal
from rehearsal.engine.state import Deployment, PendingOperation, Resource

_COMPARED = ("custom", "custom_timeouts", "retain_on_delete", "provider", "parent", "protect")


class Snapshot:
    """What is known to exist, at every moment of an operation."""

    def __init__(self, base: Deployment, save: Callable[[Deployment], None] | None) -> None:
        self.base = list(base.resources)
        self._metadata = base.metadata
        self._save = save
        self._new: list[Resource] = []
        self._done: set[int] = set()
        # A create that never ended needs a person's decision; every other one is settled by the
        # next look.
        self._left_over = [p for p in base.pending_operations if p.type == "creating"]
        self._pending: list[PendingOperation] = []
        self._lock = threading.RLock()

    def begin(self, state: Resource, kind: str) -> PendingOperation:
        """Record that a provider is about to be called for a resource."""
        operation = PendingOperation(resource=replace(state), type=kind)
        with self._lock:
            self._pending.append(operation)
            self.write()
        return operation

    def end(self, operation: PendingOperation | None) -> None:
        """Forget a pending call; the caller saves."""
        with self._lock:
            self._pending = [other for other in self._pending if other is not operation]

    def remove(self, old: Resource) -> None:
        """Let an old state go."""
        with self._lock:
            self._done.add(id(old))
            self._new = [state for state in self._new if state is not old]

    def add(self, new: Resource) -> None:
        """Take a state of this run in."""
        with self._lock:
            self._new.append(new)

    def rebase(self, resources: list[Resource]) -> None:
        """Replace all old states, as a refresh does, and save."""
        with self._lock:
            self.base = resources
            self.write()

    def write(self) -> None:
        """Save what is known now."""
        with self._lock:
            if self._save is not None:
                self._save(self.deployment())

    def deployment(self) -> Deployment:
        """Return what is known now."""
        with self._lock:
            old = [state for state in self.base if id(state) not in self._done]
            return Deployment(
                # Copies: the operation goes on changing the states that it works on.
                resources=[replace(state) for state in (*self._new, *old)],
                pending_operations=[*self._left_over, *self._pending],
                metadata=self._metadata,
            )


def must_write(old: Resource, new: Resource) -> bool:
    """Say whether an unchanged resource still has something new to save."""
    if any(getattr(old, name) != getattr(new, name) for name in _COMPARED):
        return True
    if sorted(old.dependencies) != sorted(new.dependencies):
        return True
    return not (equal(old.inputs, new.inputs) and equal(old.outputs, new.outputs))


def without_dangling(resources: list[Resource]) -> list[Resource]:
    """Drop references to what is no longer there, as after a refresh that found some gone."""
    there: set[str] = set()
    kept = []
    for resource in resources:
        by_property = {
            key: [urn for urn in urns if urn in there]
            for key, urns in resource.property_dependencies.items()
        }
        kept.append(
            replace(
                resource,
                dependencies=[urn for urn in resource.dependencies if urn in there],
                # The official engine drops empty entries here, too.
                property_dependencies={key: urns for key, urns in by_property.items() if urns},
                parent=resource.parent if resource.parent in there else "",
            )
        )
        there.add(resource.urn)
    return kept
