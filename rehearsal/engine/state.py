"""The state of a stack as values, and its JSON form inside a checkpoint.

Only the form of a `deployment` lives here (Pulumi's checkpoint version 3): no files, no locks, no
encryption. Secrets cross this border through two functions that the caller gives, so that one text
serves the state file (ciphertext), `stack export --show-secrets` (plaintext) and `preview --json`
(`[secret]`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from rehearsal.engine.errors import EngineError, not_supported
from rehearsal.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY, Secret, decode, encode

VERSION = "v3.272.0"
SCHEMA_VERSION = 3

# Makes the stored form of a secret from the JSON text of its value and the place it lies at.
SecretWriter = Callable[[str, str], Any]
# Makes the JSON text of a secret's value from its ciphertext and the place it lies at.
SecretReader = Callable[[str, str], str]


class StateError(EngineError):
    """A deployment is not what it must be."""


@dataclass(kw_only=True)
class Resource:
    """One resource as the state keeps it; what isn't set is not written."""

    urn: str
    custom: bool
    delete: bool = False
    id: str = ""
    type: str
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    parent: str = ""
    protect: bool = False
    taint: bool = False
    external: bool = False
    dependencies: list[str] = field(default_factory=list)
    init_errors: list[str] = field(default_factory=list)
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    pending_replacement: bool = False
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] | None = None
    import_id: str = ""
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)
    created: str | None = None
    modified: str | None = None
    source_position: str = ""
    stack_trace: list[dict[str, Any]] = field(default_factory=list)
    ignore_changes: list[str] = field(default_factory=list)
    hide_diff: list[Any] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)

    def needs(self) -> set[str]:
        """Return the URNs that must exist for this resource to, its provider's aside."""
        urns = {self.parent, self.deleted_with, *self.dependencies}
        return urns.union(*self.property_dependencies.values()) - {""}


@dataclass(kw_only=True)
class PendingOperation:
    """A provider call without a recorded end: creating, updating, deleting, reading, importing."""

    resource: Resource
    type: str


@dataclass(kw_only=True)
class Deployment:
    """Everything a stack holds; what a resource needs comes before it."""

    resources: list[Resource] = field(default_factory=list)
    pending_operations: list[PendingOperation] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


def _member(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join("ID" if part == "id" else part.capitalize() for part in rest)


# Pulumi's member names in Pulumi's order, which is the order of the fields above.
MEMBERS: dict[str, str] = {_member(item.name): item.name for item in fields(Resource)}


def value_to_json(value: Any, write_secret: SecretWriter, place: str = "") -> Any:
    """Turn property values into JSON; `write_secret` gets the JSON text of a secret's value."""

    def secret(item: Secret) -> Any:
        plain = encode(item.value, secret=lambda inner: encode(inner.value))
        return write_secret(json.dumps(plain, separators=(",", ":"), ensure_ascii=False), place)

    return encode(value, secret=secret)


def value_from_json(value: Any, read_secret: SecretReader, place: str = "") -> Any:
    """Undo `value_to_json`; secrets may come as ciphertext or as plaintext."""

    def reveal(item: Any) -> Any:
        if isinstance(item, list):
            return [reveal(member) for member in item]
        if not isinstance(item, dict):
            return item
        if item.get(SIGNATURE_KEY) != SECRET_SIGNATURE:
            return {key: reveal(member) for key, member in item.items()}
        given = item.get("plaintext")
        text = read_secret(item["ciphertext"], place) if given is None else given
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": json.loads(text)}

    return decode(reveal(value))


def resource_to_json(resource: Resource, write_secret: SecretWriter) -> dict[str, Any]:
    """Write one resource with Pulumi's member names and order, without those that say nothing."""
    document: dict[str, Any] = {}
    for member, name in MEMBERS.items():
        value = getattr(resource, name)
        if name in ("inputs", "outputs"):
            value = value_to_json(value, write_secret, f"{resource.urn}#{name}")
        if value or name in ("urn", "custom", "type"):
            document[member] = value
    return document


def resource_from_json(document: Mapping[str, Any], read_secret: SecretReader) -> Resource:
    """Read one resource.

    Raises:
        StateError: a member is missing, or is one that this engine would lose.
    """
    urn = document.get("urn")
    if unknown := sorted(set(document) - set(MEMBERS)):
        raise not_supported(f"the member {unknown[0]!r} of {urn}")
    if missing := sorted({"urn", "type"} - set(document)):
        raise StateError(f"resource {urn} lacks the member {missing[0]!r}")
    members = {"custom": False, **{MEMBERS[key]: value for key, value in document.items()}}
    for name in ("inputs", "outputs"):
        members[name] = value_from_json(members.get(name) or {}, read_secret, f"{urn}#{name}")
    # Go writes an empty list as null.
    needed = (members.get("property_dependencies") or {}).items()
    members["property_dependencies"] = {key: urns or [] for key, urns in needed}
    return Resource(**members)


def deployment_to_json(
    deployment: Deployment,
    write_secret: SecretWriter,
    *,
    secrets_provider: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Write a deployment with a fresh manifest and how its ciphertexts were made."""
    document = {
        "manifest": {"time": now_rfc3339(), "magic": magic(VERSION), "version": VERSION},
        "secrets_providers": secrets_provider,
        "resources": [resource_to_json(r, write_secret) for r in deployment.resources],
        "pending_operations": [
            {"resource": resource_to_json(p.resource, write_secret), "type": p.type}
            for p in deployment.pending_operations
        ],
        "metadata": deployment.metadata,
    }
    return {key: value for key, value in document.items() if value or key == "metadata"}


def deployment_from_json(
    document: Mapping[str, Any] | None, read_secret: SecretReader
) -> Deployment:
    """Read a deployment; nothing at all reads as an empty one."""
    document = document or {}
    resources = [resource_from_json(r, read_secret) for r in document.get("resources") or []]
    pending = [
        PendingOperation(resource=resource_from_json(p["resource"], read_secret), type=p["type"])
        for p in document.get("pending_operations") or []
    ]
    metadata = document.get("metadata") or {}
    return Deployment(resources=resources, pending_operations=pending, metadata=metadata)


def verify_deployment(deployment: Deployment) -> None:
    """Check what the official CLI checks on load.

    Raises:
        StateError: a reference to what doesn't come earlier, a URN twice, a component's id.
    """
    live: dict[str, bool] = {}
    provider_ids: set[str] = set()
    for resource in deployment.resources:
        urn = resource.urn
        if resource.provider and resource.provider not in provider_ids:
            raise StateError(f"resource {urn} refers to unknown provider {resource.provider}")
        for other in sorted(resource.needs() - set(live)):
            raise StateError(f"resource {urn} refers to {other}, which does not come before it")
        if not resource.delete and live.get(urn):
            raise StateError(f"duplicate resource {urn} (not marked for deletion)")
        if not resource.custom and resource.id:
            raise StateError(f"resource {urn} is a component and has the id {resource.id!r}")
        live[urn] = live.get(urn, False) or not resource.delete
        if resource.type.startswith("pulumi:providers:"):
            provider_ids.add(f"{urn}::{resource.id}")


def plaintext_secret(text: str, place: str = "") -> dict[str, str]:
    """Write a secret readable, as `stack export --show-secrets` does."""
    return {SIGNATURE_KEY: SECRET_SIGNATURE, "plaintext": text}


def hidden_secret(text: str, place: str = "") -> str:
    """Write a secret as the word people see."""
    return "[secret]"


def magic(version: str) -> str:
    """Return the manifest's checksum, by which Pulumi knows a state edited by hand."""
    return hashlib.sha256(version.encode()).hexdigest()


def now_rfc3339() -> str:
    """Return the time with nanoseconds, as Go writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
