"""What all parts of one running operation share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from rehearsal.engine.registry import Provider, Registry
from rehearsal.engine.snapshot import Snapshot
from rehearsal.engine.state import Resource
from rehearsal.engine.step import Reporter
from rehearsal.engine.urn import is_provider, parse_reference


class Bail(Exception):
    """Ends the work on a resource after its error was reported."""


@dataclass(kw_only=True)
class Run:
    """One operation under way.

    `olds` are the live states before it, by URN; `news` those it made, read or confirmed.
    `stopping` is set once no new step may start: after a failure, or when a person cancelled.
    """

    dry_run: bool
    continue_on_error: bool
    snapshot: Snapshot
    reporter: Reporter
    registry: Registry
    stopping: threading.Event
    slots: threading.Semaphore
    replace_targets: tuple[str, ...] = ()
    olds: dict[str, Resource] = field(default_factory=dict)
    news: dict[str, Resource] = field(default_factory=dict)
    # URNs that are being deleted, which is how `deletedWith` knows it has nothing to do.
    deletes: set[str] = field(default_factory=set)
    failed_urns: set[str] = field(default_factory=set)
    step_failed: bool = False
    cancelled: bool = False
    maybe_corrupt: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    idle: threading.Condition = field(default_factory=threading.Condition)
    busy: int = 0

    def enter(self) -> None:
        """Count a registration in; what it began is finished before the operation ends."""
        with self.idle:
            self.busy += 1

    def leave(self) -> None:
        """Count a registration out."""
        with self.idle:
            self.busy -= 1
            self.idle.notify_all()

    def wait_until_idle(self) -> None:
        """Wait until no registration is being worked on."""
        with self.idle:
            self.idle.wait_for(lambda: self.busy == 0)

    def index_olds(self) -> None:
        """Take the live resources of the snapshot as the past this run compares with."""
        self.olds = {state.urn: state for state in self.snapshot.base if not state.delete}

    def find(self, urn: str) -> Resource | None:
        """Return a resource of this run."""
        return self.news.get(urn)

    def provider_of(self, state: Resource) -> Provider | Registry | None:
        """Return what serves a resource: a provider, the registry for providers, or nothing for
        components."""
        if not state.custom:
            return None
        if is_provider(state.type):
            return self.registry
        return self.registry.get(state.provider)

    def ensure_provider(self, reference: str) -> None:
        """Start the provider of an old resource if this run has not done so."""
        if not reference or self.registry.has(reference):
            return
        urn, identifier = parse_reference(reference)
        for state in self.snapshot.base:
            if state.urn == urn and state.id == identifier:
                self.registry.ensure(state)
                return
        raise Bail(self.error(f"could not find provider {reference} in the old state"))

    def error(self, message: str, urn: str = "") -> str:
        """Report an error and return its text."""
        self.reporter.diagnostic(message, urn=urn)
        return message

    def fail(self) -> None:
        """Start no more steps."""
        self.stopping.set()
