"""Builders for the embedded engine's states and runs, and a provider that is plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rehearsal.engine.builtin import BuiltinProvider
from rehearsal.engine.diff import Diff
from rehearsal.engine.executor import Executor
from rehearsal.engine.planner import Planner
from rehearsal.engine.provider_client import Answer
from rehearsal.engine.registry import Registry
from rehearsal.engine.run import Run
from rehearsal.engine.snapshot import Snapshot
from rehearsal.engine.state import Deployment, Resource
from rehearsal.engine.step import Reporter

PROVIDER_URN = "urn:pulumi:dev::p::pulumi:providers:test::default"
PROVIDER = f"{PROVIDER_URN}::provider-1"


def urn_of(name: str) -> str:
    """The URN of a top-level test resource."""
    return f"urn:pulumi:dev::p::test:index:Thing::{name}"


def a_resource(name: str, **members: Any) -> Resource:
    """A custom resource that exists."""
    values: dict[str, Any] = {
        "urn": urn_of(name),
        "type": "test:index:Thing",
        "custom": True,
        "id": f"{name}-1",
        "provider": PROVIDER,
        "inputs": {"value": 1},
        "outputs": {"value": 1},
    }
    return Resource(**(values | members))


def the_provider() -> Resource:
    """The provider resource the others name."""
    return Resource(urn=PROVIDER_URN, type="pulumi:providers:test", custom=True, id="provider-1")


class PlainProvider(BuiltinProvider):
    """Replaces a resource when one of `fixed` changes, and records every call."""

    def __init__(self, *, fixed: Sequence[str] = (), delete_first: bool = False) -> None:
        super().__init__("o", "p", lambda _: None)
        self.fixed, self.delete_first = fixed, delete_first
        self.failures: list[tuple[str, str]] = []
        self.calls: list[tuple[str, str]] = []

    def check(
        self, urn: str, olds: dict[str, Any], news: dict[str, Any], random_seed: bytes
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Give a resource a name that it keeps for as long as it lives."""
        self.calls.append(("check", urn))
        name = olds.get("name", f"auto-{len(self.calls)}")
        return {"name": name, **news}, self.failures

    def diff(
        self, urn: str, old: Resource, news: dict[str, Any], ignored: Sequence[str]
    ) -> Diff | None:
        """Compare by key."""
        self.calls.append(("diff", urn))
        keys = tuple(k for k in sorted({*old.inputs, *news}) if old.inputs.get(k) != news.get(k))
        return Diff(
            changed=bool(keys),
            changed_keys=keys,
            replace_keys=tuple(key for key in keys if key in self.fixed),
            delete_before_replace=self.delete_first,
        )

    def create(self, new: Resource, *, preview: bool) -> Answer:
        """Make it."""
        self.calls.append(("create", new.urn))
        return Answer(id=f"{new.urn.rpartition('::')[2]}-2", outputs=dict(new.inputs))

    def update(
        self, old: Resource, new: Resource, ignored: Sequence[str], *, preview: bool
    ) -> Answer:
        """Change it."""
        self.calls.append(("update", new.urn))
        return Answer(id=old.id, outputs=dict(new.inputs))

    def delete(self, old: Resource) -> None:
        """Delete it."""
        self.calls.append(("delete", old.urn))

    def read(
        self, urn: str, identifier: str, inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> Answer:
        """Find it as it is."""
        self.calls.append(("read", urn))
        return Answer(id=identifier, outputs=outputs, inputs={"name": "found", "value": 1})


class OneProviderRegistry(Registry):
    """Serves every resource by one provider that is already there."""

    def __init__(self, provider: PlainProvider) -> None:
        self._provider = provider

    def get(self, reference: str) -> PlainProvider:
        """Return the provider."""
        return self._provider

    def has(self, reference: str) -> bool:
        """Every provider is ready."""
        return True


class Stage:
    """A run over given states, with everything it says and saves kept."""

    def __init__(
        self,
        *resources: Resource,
        provider: PlainProvider | None = None,
        dry_run: bool = False,
    ) -> None:
        self.events: list[dict[str, Any]] = []
        self.saves: list[Deployment] = []
        self.provider = PlainProvider() if provider is None else provider
        base = Deployment(resources=[the_provider(), *resources])
        self.run = Run(
            dry_run=dry_run,
            parallel=4,
            snapshot=Snapshot(base, None if dry_run else self.saves.append),
            reporter=Reporter(emit=self.events.append, planning=dry_run),
            registry=OneProviderRegistry(self.provider),
        )
        self.run.index_olds()
        self.executor = Executor(self.run)
        self.planner = Planner(run=self.run)

    @property
    def errors(self) -> list[str]:
        """The error diagnostics so far."""
        told = [event["diagnosticEvent"] for event in self.events if "diagnosticEvent" in event]
        return [item["message"] for item in told if item["severity"] == "error"]
