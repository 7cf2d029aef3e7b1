"""Reads what the program registers, and refuses by name what this engine does not do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from rehearsal.engine.assets import hash_assets
from rehearsal.engine.errors import EngineError, not_supported
from rehearsal.engine.state import Resource
from rehearsal.engine.urn import is_provider, make_urn
from rehearsal.engine.values import values_from_struct

_UNIT_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
# Members of a request that mean what this engine does not do, for every kind of request.
_REFUSED = {
    "remote": "a remote component",
    "pluginDownloadURL": "the option plugin_download_url",
    "pluginChecksums": "a plugin checksum",
    "packageRef": "a parameterized package",
    "importId": "the option import_",
    "deletedWith": "the option deleted_with",
    "replaceOnChanges": "the option replace_on_changes",
    "replace_with": "the option replace_with",
    "replacement_trigger": "the option replacement_trigger",
    "hideDiffs": "the option hide_diffs",
    "transforms": "a resource transform run by the engine",
    "envVarMappings": "the option env_var_mappings",
    "state_migrations": "a state migration",
}


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What the program wants of one resource: its new state, before anything was done."""

    state: Resource
    delete_before_replace: bool | None = None
    aliases: tuple[str, ...] = ()


class Inherited:
    """What children take from the parents that were registered before them."""

    def __init__(self) -> None:
        self._states: dict[str, Resource] = {}
        self._providers: dict[str, dict[str, str]] = {}

    def remember(self, state: Resource, providers: dict[str, str]) -> None:
        """Keep what a registered resource hands down."""
        self._states[state.urn] = state
        self._providers[state.urn] = {**self._providers.get(state.parent, {}), **providers}

    def option(self, request: Any, name: str, parent_name: str) -> bool:
        """Return what a request says of an option, or its parent if it says nothing."""
        if request.HasField(name):
            return bool(getattr(request, name))
        parent = self._states.get(request.parent)
        return parent is not None and bool(getattr(parent, parent_name))

    def provider(self, parent: str, package: str) -> str:
        """Return the provider reference a parent hands down for a package; "" for none."""
        return self._providers.get(parent, {}).get(package, "")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads requests of one program; the provider of a resource is filled in by the caller."""

    stack: str
    project: str
    root: str
    folder: str
    inherited: Inherited

    def urn(self, request: Any) -> str:
        """Return the URN of a registration."""
        return make_urn(self.stack, self.project, request.parent, request.type, request.name)

    def goal(self, request: Any) -> Goal:
        """Read a RegisterResource request.

        Raises:
            EngineError: it uses something this engine does not do, or is malformed.
        """
        refuse(request, f"{request.type} {request.name!r}")
        if request.custom and request.type.count(":") != 2:
            raise EngineError(
                f"the type {request.type!r} of {request.name!r} is not of the form "
                "package:module:Type"
            )
        state = self._state(request, request.object)
        if is_provider(request.type) and request.version:
            state.inputs |= {"version": request.version, "__internal": {}}
        given = {key: sorted(set(d.urns)) for key, d in request.propertyDependencies.items()}
        if not given:
            given = {key: list(state.dependencies) for key in state.inputs}
        keys = {**given, **state.inputs}
        state.property_dependencies = {key: given.get(key, []) for key in keys}
        state.custom = request.custom
        state.protect = self.inherited.option(request, "protect", "protect")
        state.retain_on_delete = self.inherited.option(
            request, "retainOnDelete", "retain_on_delete"
        )
        state.ignore_changes = list(request.ignoreChanges)
        state.custom_timeouts = _timeouts(request)
        first = request.deleteBeforeReplaceDefined or request.deleteBeforeReplace
        return Goal(
            state=state,
            delete_before_replace=request.deleteBeforeReplace if first else None,
            aliases=(*request.aliasURNs, *(alias.urn for alias in request.aliases)),
        )

    def read_state(self, request: Any) -> Resource:
        """Read a ReadResource request."""
        refuse(request, f"{request.type} {request.name!r}")
        state = self._state(request, request.properties)
        state.id, state.external = request.id, True
        return state

    def _state(self, request: Any, properties: Any) -> Resource:
        return Resource(
            urn=self.urn(request),
            type=request.type,
            custom=True,
            parent=request.parent,
            inputs=hash_assets(values_from_struct(properties), self.folder),
            dependencies=sorted(set(request.dependencies)),
            additional_secret_outputs=list(request.additionalSecretOutputs),
            source_position=_position(request, self.root),
        )


def refuse(request: Any, what: str) -> None:
    """Refuse a request of any kind that asks for what this engine does not do.

    Raises:
        EngineError: it does; the text names the option and what it was used for.
    """
    for member, value in request.ListFields():
        words = _REFUSED.get(member.name)
        if words is not None:
            raise not_supported(f"{words} ({what})")
        if member.name == "hooks" and any(hooks for _, hooks in value.ListFields()):
            raise not_supported(f"a resource hook ({what})")
        if member.name == "aliases" and any(alias.WhichOneof("alias") != "urn" for alias in value):
            raise not_supported(f"an alias that is no URN ({what})")


def _timeouts(request: Any) -> dict[str, float] | None:
    texts = {member.name: text for member, text in request.customTimeouts.ListFields()}
    timeouts = {kind: duration_seconds(text) for kind, text in texts.items()}
    return timeouts or None


def duration_seconds(text: str) -> float:
    """Read a Go duration such as `1h30m` or `5m`.

    Raises:
        EngineError: the text is no duration.
    """
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise EngineError(f"the timeout {text!r} is no duration; write it like 90s, 5m or 1h30m")
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    return int(seconds) if seconds == int(seconds) else seconds


def _position(request: Any, root: str) -> str:
    path = unquote(urlsplit(request.sourcePosition.uri).path)
    prefix = root.rstrip("/") + "/"
    if not path.startswith(prefix):
        return ""
    return f"project:///{path.removeprefix(prefix)}#{request.sourcePosition.line}"
