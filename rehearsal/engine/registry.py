"""Provider resources: which connection serves a resource, and the life of default and explicit
providers.

For the step machinery a provider resource is a resource like any other; this module is the provider
of providers.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from typing import Any

from rehearsal.engine.builtin import BuiltinProvider
from rehearsal.engine.diff import Diff, equal
from rehearsal.engine.provider_client import Answer, Failures, ProviderClient, Values
from rehearsal.engine.provider_errors import ProviderError
from rehearsal.engine.provider_host import ProviderHost
from rehearsal.engine.state import Resource
from rehearsal.engine.urn import package_of, type_of
from rehearsal.engine.values import UNKNOWN_TEXT

Provider = ProviderClient | BuiltinProvider
INTERNAL = "__internal"


def provider_inputs(values: Values) -> Values:
    """Return a provider resource's inputs without what only the engine reads."""
    return {key: value for key, value in values.items() if key != INTERNAL}


class Registry:
    """Every provider connection of one operation, by reference `URN::ID`."""

    def __init__(self, host: ProviderHost, builtin: BuiltinProvider) -> None:
        self._host = host
        self._builtin = builtin
        self._ready: dict[str, Provider] = {}
        self._checked: dict[str, Provider] = {}
        self._opened: list[ProviderClient] = []
        self._lock = threading.RLock()

    def get(self, reference: str) -> Provider:
        """Return the configured provider of a reference.

        Raises:
            ProviderError: no provider of that reference was registered.
        """
        with self._lock:
            provider = self._ready.get(reference)
        if provider is None:
            raise ProviderError(
                f"unknown provider {reference!r}: no resource of this run registered it"
            )
        return provider

    def has(self, reference: str) -> bool:
        """Say whether the provider is ready."""
        return reference in self._ready

    def ensure(self, state: Resource) -> None:
        """Start a provider from its state, for resources that the program no longer has."""
        with self._lock:
            if f"{state.urn}::{state.id}" not in self._ready:
                self._configure(state.urn, state.id, state.inputs, self._open(state.urn))

    def check(
        self, urn: str, olds: Values, news: Values, random_seed: bytes
    ) -> tuple[Values, Failures]:
        """Connect, and have the provider check its configuration."""
        with self._lock:
            provider = self._open(urn)
            self._checked[urn] = provider
        if isinstance(provider, BuiltinProvider):
            return dict(news), []
        inputs, failures = provider.check_config(urn, provider_inputs(olds), provider_inputs(news))
        for key in ("version", INTERNAL):
            if key in news:
                inputs.setdefault(key, news[key])
        return inputs, failures

    def diff(self, urn: str, old: Resource, news: Values, ignored: Sequence[str]) -> Diff | None:
        """Compare configurations; a provider that does not say changes in place."""
        provider = self._checked.get(urn) or self._ready.get(f"{urn}::{old.id}")
        after = provider_inputs(news)
        diff = None
        if isinstance(provider, ProviderClient):
            diff = provider.diff_config(urn, provider_inputs(old.inputs), old.outputs, after)
        return Diff(changed=not equal(old.outputs, after)) if diff is None else diff

    def same(self, urn: str, identifier: str, old_inputs: Values) -> None:
        """Configure an unchanged provider with its old inputs."""
        with self._lock:
            if not self.has(f"{urn}::{identifier}"):
                self._configure(urn, identifier, old_inputs, self._taken(urn))

    def create(self, new: Resource, *, preview: bool) -> Answer:
        """Configure a new provider under a new id."""
        with self._lock:
            identifier = UNKNOWN_TEXT if preview else str(uuid.uuid4())
            self._configure(new.urn, identifier, new.inputs, self._taken(new.urn))
        return Answer(id=identifier, outputs=provider_inputs(new.inputs))

    def update(
        self, old: Resource, new: Resource, ignored: Sequence[str], *, preview: bool
    ) -> Answer:
        """Configure a provider anew under its old id."""
        with self._lock:
            self._configure(new.urn, old.id, new.inputs, self._taken(new.urn))
        return Answer(id=old.id, outputs=provider_inputs(new.inputs))

    def delete(self, old: Resource) -> None:
        """Forget a provider; connections are closed at the end of the operation."""
        with self._lock:
            self._ready.pop(f"{old.urn}::{old.id}", None)

    def cancel(self) -> None:
        """Ask every provider to give up what it is doing."""
        for provider in list(self._opened):
            provider.cancel()

    def close(self) -> None:
        """End every connection."""
        for provider in self._opened:
            provider.cancel()
            provider.close()
        self._opened = []

    def _open(self, urn: str) -> Provider:
        package = package_of(type_of(urn))
        if package == "pulumi":
            return self._builtin
        client = self._host.connect(package)
        self._opened.append(client)
        return client

    def _taken(self, urn: str) -> Provider:
        return self._checked.pop(urn) if urn in self._checked else self._open(urn)

    def _configure(self, urn: str, identifier: str, inputs: Values, provider: Any) -> None:
        if isinstance(provider, ProviderClient):
            provider.configure(urn, identifier, provider_inputs(inputs))
        self._ready[f"{urn}::{identifier}"] = provider
