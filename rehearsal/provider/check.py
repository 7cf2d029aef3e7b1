"""Check: are these inputs right, and what does the provider add to them? Pure.

Source: pulumi-terraform-bridge, pkg/tfbridge/provider.go `Check` and schema.go `applyDefaults`;
messages as Terraform's SDK words them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.provider.autoname import AutonamingDisabledError, ProposedName, physical_name
from rehearsal.provider.entry import ProviderError, ResourceType, Rule
from rehearsal.provider.enumeration import shape_choices
from rehearsal.provider.schema import Kind, Property, Schema
from rehearsal.provider.tagging import Tagging
from rehearsal.provider.value import DEFAULTS_KEY, UNKNOWN, Asset, Values, contains_unknown

Inputs = Mapping[str, Property]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One thing wrong with the inputs: the property's path and the reason."""

    property: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class CheckRequest:
    """The question: the program's inputs, the inputs of last time, and what names are made from."""

    logical_name: str
    news: Values
    olds: Values
    seed: bytes = b""
    proposed: ProposedName | None = None
    tagging: Tagging = field(default_factory=Tagging)
    region: str | None = None


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The answer: inputs with defaults filled in, or what is wrong."""

    inputs: Values
    failures: tuple[Failure, ...]


def check(entry: ResourceType, schema: Schema, request: CheckRequest) -> Checked:
    """Validate and complete the inputs of one resource."""
    found: list[Failure] = []
    news = _coerce_members(schema.inputs, request.news, "", found)
    if entry.taggable:
        news = {**news, "tagsAll": request.tagging.all_tags(news.get("tags"))}
    inputs, failures = _with_name(entry, _with_defaults(entry, schema.inputs, news), request)
    found += failures
    found += _missing(schema.inputs, inputs, "")
    found += _broken_rules(entry, inputs)
    found += _refusals(entry, inputs, request.region)
    if not found and entry.prepare is not None:
        try:
            inputs = entry.prepare(inputs)
        except ProviderError as err:
            found.append(Failure(property="", reason=str(err)))
    return Checked(inputs=inputs, failures=tuple(found))


def _coerce_members(
    members: Inputs, values: Values, prefix: str, found: list[Failure]
) -> dict[str, Any]:
    coerced: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if name == DEFAULTS_KEY or value is None:
            continue
        if name not in members:
            found.append(Failure(property=path, reason=_unknown_reason(name, members)))
            continue
        coerced[name] = _coerce(members[name], value, path, found)
    return coerced


def _unknown_reason(name: str, members: Inputs) -> str:
    near = difflib.get_close_matches(name, members, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"an unexpected argument {name!r} is not allowed here; allowed: " + (
        ", ".join(sorted(members)) + hint
    )


def _coerce(wanted: Property, value: Any, path: str, found: list[Failure]) -> Any:
    if value is UNKNOWN or wanted.kind is Kind.ANY:
        return value
    if wanted.kind is Kind.OBJECT and isinstance(value, dict):
        return _coerce_members(wanted.members, value, f"{path}.", found)
    if wanted.kind is Kind.MAP and isinstance(value, dict):
        items = {key: item for key, item in value.items() if item is not None}
        element = wanted.element or Property(kind=Kind.ANY)
        return {
            key: _coerce(element, item, f"{path}.{key}", found)
            for key, item in items.items()
            if key != DEFAULTS_KEY
        }
    if wanted.kind is Kind.ARRAY and isinstance(value, list):
        element = wanted.element or Property(kind=Kind.ANY)
        return [
            _coerce(element, item, f"{path}[{index}]", found) for index, item in enumerate(value)
        ]
    if wanted.kind is Kind.ASSET and isinstance(value, Asset):
        return value
    return _coerce_scalar(wanted.kind, value, path, found)


def _coerce_scalar(wanted: Kind, value: Any, path: str, found: list[Failure]) -> Any:
    """Terraform's own leniency: "3" is a number, 3 is a text, "true" is a boolean."""
    if wanted is Kind.STRING and isinstance(value, bool):
        return "true" if value else "false"
    if wanted is Kind.STRING and isinstance(value, str | int | float):
        return str(value)
    if wanted is Kind.BOOLEAN and value in (True, False, "true", "false"):
        return value in (True, "true")
    if wanted is Kind.NUMBER and isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if wanted is Kind.NUMBER and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            pass
        else:
            return int(number) if number.is_integer() else number
    reason = f"expected type {wanted.value!r}, got {type(value).__name__} {value!r}"
    found.append(Failure(property=path, reason=reason))
    return value


def _with_defaults(entry: ResourceType, members: Inputs, news: Values) -> Values:
    by_parent: dict[str, dict[str, Any]] = {}
    for path, value in entry.defaults.items():
        parent, _, name = path.rpartition(".")
        by_parent.setdefault(parent, {})[name] = value
    return _fill(news, members, "", by_parent)


def _fill(
    values: Values, members: Inputs, path: str, by_parent: Mapping[str, Mapping[str, Any]]
) -> Values:
    """The object with its defaults, and in `__defaults` the names of those that were filled in."""
    prefix = f"{path}." if path else ""
    filled: Values = {}
    for name, value in values.items():
        member = members.get(name, Property(kind=Kind.ANY))
        filled[name] = _fill_value(value, member, f"{prefix}{name}", by_parent)
    added = [name for name in by_parent.get(path, {}) if name not in filled]
    filled.update({name: by_parent[path][name] for name in added})
    filled[DEFAULTS_KEY] = sorted(added)
    return filled


def _fill_value(
    value: Any, member: Property, path: str, by_parent: Mapping[str, Mapping[str, Any]]
) -> Any:
    if isinstance(value, list) and member.element is not None:
        element = member.element
        return [_fill_value(item, element, path, by_parent) for item in value]
    if isinstance(value, dict) and member.kind is Kind.OBJECT:
        return _fill(value, member.members, path, by_parent)
    return value


def _with_name(
    entry: ResourceType, inputs: Values, request: CheckRequest
) -> tuple[Values, list[Failure]]:
    """Keep last time's automatic name, or make a new one; a given name is left alone."""
    rule = entry.autoname
    if rule is None or rule.property in inputs or _has_prefix(rule.property, inputs):
        return inputs, []
    old_defaults = request.olds.get(DEFAULTS_KEY, [rule.property])
    if rule.property in request.olds and rule.property in old_defaults:
        name = request.olds[rule.property]
    else:
        try:
            name = physical_name(rule, request.logical_name, request.seed, request.proposed)
        except AutonamingDisabledError as err:
            return inputs, [Failure(property=rule.property, reason=str(err))]
    defaults = sorted([*inputs.get(DEFAULTS_KEY, []), rule.property])
    return {**inputs, rule.property: name, DEFAULTS_KEY: defaults}, []


def _has_prefix(name: str, inputs: Values) -> bool:
    return f"{name}Prefix" in inputs


def _missing(members: Inputs, values: Values, prefix: str) -> list[Failure]:
    found: list[Failure] = []
    for name, wanted in members.items():
        path = f"{prefix}{name}"
        if name not in values:
            if wanted.required:
                reason = f"the argument {name!r} is required, but no definition was found"
                found.append(Failure(property=path, reason=reason))
            continue
        found += _missing_inside(wanted, values[name], path)
    return found


def _missing_inside(wanted: Property, value: Any, path: str) -> list[Failure]:
    if wanted.kind is Kind.OBJECT and isinstance(value, dict):
        return _missing(wanted.members, value, f"{path}.")
    if wanted.kind is Kind.ARRAY and isinstance(value, list) and wanted.element is not None:
        element = wanted.element
        return [
            failure
            for index, item in enumerate(value)
            for failure in _missing_inside(element, item, f"{path}[{index}]")
        ]
    return []


def _refusals(entry: ResourceType, inputs: Values, region: str | None) -> list[Failure]:
    """Inputs the rehearsal can't honour; accepting and ignoring them would be a lie."""
    found: list[Failure] = []
    for path, reason in entry.unsupported.items():
        for where, value in _values_at(inputs, path.split("."), ""):
            # What Check itself filled in was not asked for.
            if value is not None and value is not False:
                found.append(
                    Failure(property=where, reason=f"not supported in a rehearsal: {reason}")
                )
    given = inputs.get("region")
    if entry.regional and region is not None and given not in (None, UNKNOWN, region):
        reason = f"the rehearsal's cloud has one region, {region!r}, but {given!r} is given"
        found.append(Failure(property="region", reason=reason))
    return found


def _broken_rules(entry: ResourceType, inputs: Values) -> list[Failure]:
    found: list[Failure] = []
    for path, rule in entry.rules.items():
        for where, value in _values_at(inputs, path.split("."), ""):
            reason = None if contains_unknown(value) else _broken(rule, where, value)
            if reason is not None:
                found.append(Failure(property=where, reason=reason))
    return found


def _values_at(value: Any, names: list[str], where: str) -> list[tuple[str, Any]]:
    """Every value at a path without indexes, with its path including them."""
    if not names:
        return [(where, value)]
    if isinstance(value, list):
        return [
            hit
            for index, item in enumerate(value)
            for hit in _values_at(item, names, f"{where}[{index}]")
        ]
    if not isinstance(value, dict) or names[0] not in value:
        return []
    prefix = f"{where}." if where else ""
    return _values_at(value[names[0]], names[1:], f"{prefix}{names[0]}")


def _broken(rule: Rule, where: str, value: Any) -> str | None:
    choices = rule.choices if rule.shape is None else shape_choices(*rule.shape)
    if choices and value not in choices:
        return f"expected {where} to be one of [{', '.join(map(str, choices))}], got {value}"
    measured = len(value) if isinstance(value, str | list) else value
    low = rule.minimum if rule.minimum is not None else measured
    high = rule.maximum if rule.maximum is not None else measured
    if not low <= measured <= high:
        what = "length of " if isinstance(value, str | list) else ""
        bounds = f"({rule.minimum} - {rule.maximum})"
        return f"expected {what}{where} to be in the range {bounds}, got {value}"
    if rule.pattern is not None and re.fullmatch(rule.pattern, value) is None:
        return f"{where} {value!r} does not match {rule.pattern}"
    return None
