"""Wire properties to AWS API members and back, guided by botocore's shapes. Pure.

Property names and member names differ in case only (`volumeSizeInGb`, `VolumeSizeInGB`); a type
lists the few that differ otherwise. A property with no member is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from rehearsal.provider.entry import ProviderError
from rehearsal.provider.schema import Kind, Property
from rehearsal.provider.value import DEFAULTS_KEY, Values

Renames = Mapping[str, str]

NO_RENAMES: Renames = {}


def members_from_values(values: Values, shape: Shape, renames: Renames = NO_RENAMES) -> Values:
    """An AWS structure from wire properties.

    Args:
        renames: property name -> member name, where they differ by more than case

    Raises:
        ProviderError: a property the structure has no member for
    """
    if not isinstance(shape, StructureShape):
        raise TypeError(f"{shape.name} is a {shape.type_name}; members need a structure")
    by_lower = {name.lower(): name for name in shape.members}
    found: Values = {}
    for name, value in values.items():
        if name == DEFAULTS_KEY or value is None:
            continue
        member = renames.get(name) or by_lower.get(name.lower())
        if member is None:
            raise ProviderError(
                f"property {name!r} has no member in {shape.name}; it has"
                f" {', '.join(sorted(shape.members))}"
            )
        found[member] = _member(value, shape.members[member], renames)
    return found


def _member(value: Any, shape: Shape, renames: Renames) -> Any:
    if isinstance(shape, StructureShape):
        # Some single blocks stayed lists in Pulumi's schema (`routingConfigs`).
        single = value[0] if isinstance(value, list) else value
        return members_from_values(single, shape, renames)
    if isinstance(shape, ListShape):
        return [_member(item, shape.member, renames) for item in value]
    if isinstance(shape, MapShape):
        return {key: _member(item, shape.value, renames) for key, item in value.items()}
    if shape.type_name in ("float", "double"):
        return float(value)
    if shape.type_name in ("integer", "long"):
        return int(value)
    return str(value) if shape.type_name == "string" else value


def values_from_members(
    members: Mapping[str, Any], properties: Mapping[str, Property], renames: Renames = NO_RENAMES
) -> Values:
    """Wire properties from an AWS structure; members without a property are dropped."""
    by_lower = {name.lower(): value for name, value in members.items()}
    found: Values = {}
    for name, wanted in properties.items():
        value = members.get(renames[name]) if name in renames else by_lower.get(name.lower())
        if value is not None:
            found[name] = _value(value, wanted, renames)
    return found


def _value(member: Any, wanted: Property, renames: Renames) -> Any:
    if wanted.kind is Kind.ARRAY:
        items = member if isinstance(member, list) else [member]
        element = wanted.element or Property(kind=Kind.ANY)
        return [_value(item, element, renames) for item in items]
    if wanted.kind is Kind.OBJECT:
        return values_from_members(member, wanted.members, renames)
    if wanted.kind is Kind.STRING:
        return member if isinstance(member, str) else _number_text(member)
    if wanted.kind is Kind.NUMBER and isinstance(member, float) and member.is_integer():
        return int(member)
    return member


def _number_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
