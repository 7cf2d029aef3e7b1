"""Models and endpoint configs as they were sent, their tags, and the names they take."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.hosting import messages
from rehearsal.cloud.hosting.tags import merged_tags

MODEL = "model"
CONFIG = "endpoint-config"
ENDPOINT = "endpoint"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model or endpoint config: immutable after its creation."""

    name: str
    arn: str
    creation_time: float
    members: Mapping[str, Any]


@dataclass
class Catalog:
    """Everything hosting knows beside endpoints; guarded by the hosting lock."""

    account_id: str
    region: str
    models: dict[str, Entry] = field(default_factory=dict)
    configs: dict[str, Entry] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)

    def arn(self, kind: str, name: str) -> str:
        """Return the ARN of a name; today's case of names in ARNs is kept as given (assumed)."""
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:{kind}/{name}"

    def create(self, kind: str, name: str, members: Mapping[str, Any], now: float) -> Entry:
        """Add an entry; a taken name is refused, so that entries never change."""
        entries = self._entries(kind)
        arn = self.arn(kind, name)
        if name in entries:
            raise messages.already_exists(kind, arn)
        self.put_tags(arn, members.get("Tags", ()))
        kept = {key: value for key, value in members.items() if key != "Tags"}
        entry = Entry(name=name, arn=arn, creation_time=now, members=copy.deepcopy(kept))
        entries[name] = entry
        return entry

    def get(self, kind: str, name: str) -> Entry:
        """Return an entry, or refuse as not found."""
        entry = self._entries(kind).get(name)
        if entry is None:
            raise messages.not_found(kind, self.arn(kind, name))
        return entry

    def delete(self, kind: str, name: str) -> None:
        """Remove an entry; one in use by an endpoint is removed as well, as on AWS."""
        entry = self.get(kind, name)
        del self._entries(kind)[name]
        self.tags.pop(entry.arn, None)

    def entries(self, kind: str) -> list[Entry]:
        """Return every entry of a kind."""
        return list(self._entries(kind).values())

    def put_tags(self, arn: str, tags: Any) -> None:
        """Set tags by key."""
        if tags:
            self.tags[arn] = merged_tags(self.tags.get(arn, {}), tags)

    def _entries(self, kind: str) -> dict[str, Entry]:
        return self.models if kind == MODEL else self.configs
