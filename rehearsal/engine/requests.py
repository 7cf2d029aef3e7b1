"""Reads what the program registers into goals, and refuses by name what this engine does not do."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from rehearsal.engine.assets import hash_assets
from rehearsal.engine.errors import EngineError, not_supported
from rehearsal.engine.goal import Alias, Goal
from rehearsal.engine.urn import is_provider
from rehearsal.engine.values import values_from_struct

_UNIT_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_REFUSED = {
    "remote": "a remote component",
    "pluginDownloadURL": "the option plugin_download_url",
    "pluginChecksums": "a plugin checksum",
    "replace_with": "the option replace_with",
    "transforms": "a resource transform run by the engine",
    "packageRef": "a parameterized package",
    "envVarMappings": "the option env_var_mappings",
    "state_migrations": "a state migration",
}


class Inherited:
    """What children take from the parents that were registered before them."""

    def __init__(self) -> None:
        self._goals: dict[str, Goal] = {}
        self._providers: dict[str, dict[str, str]] = {}

    def remember(self, urn: str, goal: Goal, providers: dict[str, str]) -> None:
        """Keep what a registered resource hands down."""
        self._goals[urn] = goal
        self._providers[urn] = {**self._providers.get(goal.parent, {}), **providers}

    def goal(self, urn: str) -> Goal | None:
        """Return the registration of a parent."""
        return self._goals.get(urn)

    def provider(self, parent: str, package: str) -> str:
        """Return the provider reference a parent hands down for a package; "" for none."""
        return self._providers.get(parent, {}).get(package, "")


def goal_from_request(request: Any, inherited: Inherited, root: str, folder: str) -> Goal:
    """Read a RegisterResource request; the provider is filled in by the caller.

    Raises:
        EngineError: the registration uses something this engine does not do, or is malformed.
    """
    _refuse(request)
    if request.custom and request.type.count(":") != 2:
        raise EngineError(
            f"the type {request.type!r} of {request.name!r} is not of the form package:module:Type"
        )
    inputs = hash_assets(values_from_struct(request.object), folder)
    if is_provider(request.type) and request.version:
        inputs |= {"version": request.version, "__internal": {}}
    dependencies = tuple(sorted(set(request.dependencies)))
    by_property = {key: sorted(set(d.urns)) for key, d in request.propertyDependencies.items()}
    if not by_property:
        by_property = {key: list(dependencies) for key in inputs}
    parent = inherited.goal(request.parent)
    protect = (
        request.protect if request.HasField("protect") else parent is not None and parent.protect
    )
    retain = parent is not None and parent.retain_on_delete
    if request.HasField("retainOnDelete"):
        retain = request.retainOnDelete
    first = request.deleteBeforeReplaceDefined or request.deleteBeforeReplace
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=inputs,
        dependencies=dependencies,
        property_dependencies={key: by_property.get(key, []) for key in {**by_property, **inputs}},
        protect=protect,
        retain_on_delete=retain,
        deleted_with=request.deletedWith or ("" if parent is None else parent.deleted_with),
        delete_before_replace=request.deleteBeforeReplace if first else None,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        aliases=_aliases(request),
        import_id=request.importId,
        custom_timeouts=_timeouts(request),
        hide_diff=tuple(request.hideDiffs),
        source_position=_position(request, root),
    )


def read_goal_from_request(request: Any, root: str) -> Goal:
    """Read a ReadResource request; the provider is filled in by the caller."""
    for name in ("pluginDownloadURL", "pluginChecksums", "packageRef"):
        if getattr(request, name):
            raise not_supported(_REFUSED[name])
    return Goal(
        type=request.type,
        name=request.name,
        custom=True,
        parent=request.parent,
        inputs=values_from_struct(request.properties),
        dependencies=tuple(sorted(set(request.dependencies))),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        source_position=_position(request, root),
    )


def _refuse(request: Any) -> None:
    for name, words in _REFUSED.items():
        if getattr(request, name):
            raise not_supported(f"{words} ({request.type} {request.name!r})")
    if request.HasField("replacement_trigger"):
        raise not_supported(f"the option replacement_trigger ({request.type} {request.name!r})")
    if request.HasField("hooks") and any(hooks for _, hooks in request.hooks.ListFields()):
        raise not_supported(f"a resource hook ({request.type} {request.name!r})")


def _aliases(request: Any) -> tuple[Alias, ...]:
    aliases = [Alias(urn=urn) for urn in request.aliasURNs]
    for item in request.aliases:
        if item.WhichOneof("alias") == "urn":
            aliases.append(Alias(urn=item.urn))
            continue
        spec = item.spec
        aliases.append(
            Alias(
                name=spec.name,
                type=spec.type,
                stack=spec.stack,
                project=spec.project,
                parent=spec.parentUrn,
                no_parent=spec.noParent,
            )
        )
    return tuple(aliases)


def _timeouts(request: Any) -> dict[str, float] | None:
    if not request.HasField("customTimeouts"):
        return None
    timeouts = {}
    for kind in ("create", "update", "delete"):
        text = getattr(request.customTimeouts, kind)
        if text:
            timeouts[kind] = duration_seconds(text)
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
    if not request.HasField("sourcePosition"):
        return ""
    path = unquote(urlsplit(request.sourcePosition.uri).path)
    prefix = root.rstrip("/") + "/"
    if not path.startswith(prefix):
        return ""
    return f"project:///{path.removeprefix(prefix)}#{request.sourcePosition.line}"
