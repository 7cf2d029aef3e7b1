"""What a recording keeps of files, event logs and printed text: no times, paths, uuids or salts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support.engine_scenarios.wire import SECRET, SIGNATURE, UNKNOWNS, readable

ITERATIONS = 1_000_000
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
DURATION = re.compile(r"\b\d+(\.\d+)?(s|ms|m\d+s)\b")
TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?:[ \t]+.*\n)+")
VERSION = re.compile(r"\bv?3\.\d+\.\d+(-[\w.+-]+)?")
LOOPBACK = re.compile(r"127\.0\.0\.1:\d+")
# Where in the program a resource was made, and, in a history record or a preview, the machine, the
# versions and how long it took: no step depends on them.
DROPPED = ("sourcePosition", "stackTrace", "environment", "duration")
TIMES = ("created", "modified")


@lru_cache
def _key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, ITERATIONS, 32)


def decrypted(ciphertext: str, *, passphrase: str, salt: str) -> str:
    """The text behind `v1:nonce:data`, given the stack's salt line."""
    _, nonce, data = ciphertext.split(":")
    key = _key(passphrase, base64.b64decode(salt.split(":")[1]))
    return AESGCM(key).decrypt(base64.b64decode(nonce), base64.b64decode(data), None).decode()


class Normaliser:
    """Replaces what differs between two runs or two machines by words.

    Args:
        root: the sandbox's folder, shown as `<sandbox>`.
        prefix: the Python environment's folder, shown as `<venv>`.
        passphrase: opens secrets, so that their plaintext is compared and not their ciphertext.
    """

    def __init__(self, root: Path, prefix: str, passphrase: str) -> None:
        self._places = (
            (str(root.resolve()), "<sandbox>"),
            (str(root), "<sandbox>"),
            (prefix, "<venv>"),
            (f'"{socket.gethostname()}"', '"<host>"'),
        )
        self._passphrase = passphrase

    def text(self, text: str) -> str:
        """Printed text without what changes from run to run."""
        for place, word in self._places:
            text = text.replace(place, word)
        text = TRACEBACK.sub("<traceback>\n", text)
        text = UUID.sub(lambda match: UNKNOWNS.get(match[0], "<uuid>"), text)
        text = DURATION.sub("<duration>", TIME.sub("<time>", text))
        return VERSION.sub("<version>", LOOPBACK.sub("<address>", text))

    def lines(self, text: str) -> list[str]:
        """The lines of a printed text, right-stripped, without empty ones at the end."""
        return [line.rstrip() for line in self.text(text).rstrip().splitlines()]

    def value(self, value: Any) -> Any:
        """A JSON value with every text in it normalised."""
        if isinstance(value, Mapping):
            return {
                self.text(key): self.value(member)
                for key, member in value.items()
                if key not in DROPPED
            }
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def opened(self, value: Any, salt: str) -> Any:
        """The value with each stored secret as `{"<secret>": plaintext value}`."""
        if isinstance(value, list):
            return [self.opened(item, salt) for item in value]
        if not isinstance(value, Mapping):
            return value
        if value.get(SIGNATURE) == SECRET and "ciphertext" in value:
            plain = decrypted(value["ciphertext"], passphrase=self._passphrase, salt=salt)
            return {SIGNATURE: SECRET, "value": self.opened(json.loads(plain), salt)}
        return {key: self.opened(member, salt) for key, member in value.items()}

    def resource(self, resource: Mapping[str, Any], salt: str) -> dict[str, Any]:
        """One resource of the state, its members sorted, its times shown as present."""
        kept = {key: member for key, member in resource.items() if key not in DROPPED}
        opened: dict[str, Any] = self.value(readable(self.opened(kept, salt)))
        for key in TIMES:
            if key in opened:
                opened[key] = "<time>"
        if "dependencies" in opened:
            opened["dependencies"] = sorted(opened["dependencies"])
        return dict(sorted(opened.items()))

    def deployment(self, latest: Mapping[str, Any]) -> dict[str, Any]:
        """The resources by URN, pending operations, and the first broken rule of order, if any."""
        secrets = latest.get("secrets_providers", {})
        salt = secrets.get("state", {}).get("salt", "")
        resources = latest.get("resources", [])
        shown = [self.resource(resource, salt) for resource in resources]
        shown.sort(key=lambda one: (one["urn"], one.get("delete", False), json.dumps(one)))
        pending = [
            {"type": one["type"], "resource": self.resource(one["resource"], salt)}
            for one in latest.get("pending_operations", [])
        ]
        document: dict[str, Any] = {"resources": shown, "secrets": secrets.get("type", "none")}
        if pending:
            document["pending"] = pending
        problem = first_order_problem(resources)
        return document | ({"out_of_order": self.text(problem)} if problem else {})

    def history(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """What a history record says, without times and facts of the machine."""
        names = ("kind", "result", "message", "resourceChanges")
        kept = {name: self.value(record[name]) for name in names if record.get(name)}
        config = _without_ciphertexts(record.get("config", {}))
        return kept | ({"config": config} if config else {})


def _without_ciphertexts(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {"secure"}:
            return "<secure>"
        return {key: _without_ciphertexts(member) for key, member in value.items()}
    return [_without_ciphertexts(item) for item in value] if isinstance(value, list) else value


def first_order_problem(resources: Iterable[Mapping[str, Any]]) -> str | None:
    """The first rule of a checkpoint's order that the official CLI would refuse it for, or None."""
    seen: set[str] = set()
    providers: set[str] = set()
    alive: set[str] = set()
    for resource in resources:
        urn = resource["urn"]
        wanted = [resource.get("parent", ""), resource.get("deletedWith", "")]
        wanted += resource.get("dependencies", [])
        wanted += [
            name for names in resource.get("propertyDependencies", {}).values() for name in names
        ]
        for name in wanted:
            if name and name not in seen:
                return f"{urn} comes before {name}, which it needs"
        provider = resource.get("provider", "")
        if provider and provider not in providers:
            return f"{urn} names the provider {provider}, which is not in the state"
        if not resource.get("delete"):
            if urn in alive:
                return f"{urn} is there twice"
            alive.add(urn)
        seen.add(urn)
        if resource["type"].startswith("pulumi:providers:"):
            providers.add(f"{urn}::{resource.get('id', '')}")
    return None


def settled(items: Iterable[Any], group: Callable[[Any], str | None]) -> list[Any]:
    """The items, each run of one group sorted: several old copies of a thing go in any order.

    Args:
        items: in the order they happened.
        group: the group of an item, None for an item that keeps its place.
    """
    ordered: list[Any] = []
    for name, members in groupby(items, group):
        run = list(members)
        ordered += run if name is None else sorted(run, key=json.dumps)
    return ordered


def short_urn(urn: str) -> str:
    """Type and name of a URN, which is what a reader looks for."""
    parts = urn.split("::", 3)
    return f"{parts[2]} {parts[3]}" if len(parts) == 4 else urn
