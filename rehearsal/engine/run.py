"""What all parts of one running operation share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from rehearsal.engine.errors import EngineError
from rehearsal.engine.provider_errors import UNKNOWN_STATUS
from rehearsal.engine.registry import Provider, Registry
from rehearsal.engine.snapshot import Snapshot
from rehearsal.engine.state import Resource
from rehearsal.engine.step import Reporter, Step
from rehearsal.engine.urn import is_default_provider, is_provider, parse_reference


class Bail(Exception):
    """Ends the work on a resource after its error was reported."""


@dataclass(kw_only=True)
class Run:
    """One operation under way.

    `olds` are the live states before it, by URN; `news` those it made, read or confirmed.
    `stopping` is set once no new step may start: after a failure, or when a person cancelled.
    """

    dry_run: bool
    parallel: int
    snapshot: Snapshot
    reporter: Reporter
    registry: Registry
    stopping: threading.Event = field(default_factory=threading.Event)
    olds: dict[str, Resource] = field(default_factory=dict)
    news: dict[str, Resource] = field(default_factory=dict)
    step_failed: bool = False
    cancelled: bool = False
    maybe_corrupt: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    idle: threading.Condition = field(default_factory=threading.Condition)
    busy: int = 0

    def __post_init__(self) -> None:
        self.slots = threading.Semaphore(self.parallel)

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
        raise EngineError(f"could not find provider {reference} in the old state")

    def error(self, message: str, urn: str = "") -> str:
        """Report an error and return its text."""
        self.reporter.diagnostic(message, urn=urn)
        return message

    def fail(self, step: Step, error: Exception, status: int) -> None:
        """Report that a step failed, and let no other start."""
        urn = "" if is_default_provider(step.urn) else step.urn
        self.error(f"Preview failed: {error}" if self.dry_run else str(error), urn)
        if not self.dry_run:
            self.reporter.failed(step, status)
            self.maybe_corrupt = self.maybe_corrupt or status == UNKNOWN_STATUS
        self.step_failed = True
        self.stopping.set()
