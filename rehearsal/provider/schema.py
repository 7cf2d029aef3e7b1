"""Which properties a resource has, read from the installed Pulumi package on first use.

The generated Python classes carry each property's wire name, its type and whether it is required,
so that what the program can say and what the stand-in accepts come from one place.
"""

from __future__ import annotations

import collections.abc
import enum
import importlib
import inspect
import threading
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

# Importing a service's package takes up to half a second, and not all of Pulumi's is safe to import
# from two threads at once.
_import_lock = threading.Lock()


class Kind(StrEnum):
    """The shape of a property's value."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    OBJECT = "object"
    ARRAY = "array"
    MAP = "map"
    ASSET = "asset"
    ANY = "any"


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property: its kind, what it holds, and whether it must be given.

    Args:
        members: of an object, by wire name
        element: of an array or a map
    """

    kind: Kind
    required: bool = False
    members: Mapping[str, Property] = field(default_factory=dict)
    element: Property | None = None


@dataclass(frozen=True, kw_only=True)
class Schema:
    """A resource's inputs, and the names of everything it has once it exists."""

    inputs: Mapping[str, Property]
    outputs: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class SchemaSource:
    """Where to read a schema: the package and its generated classes.

    Args:
        package: e.g. `pulumi_aws.s3`
        resource: class with the outputs, e.g. `Bucket`; None for a provider's configuration
        arguments: class with the inputs, e.g. `BucketArgs`
    """

    package: str
    resource: str | None
    arguments: str


@cache
def read_schema(source: SchemaSource) -> Schema:
    """The schema of one resource type; imports the package the first time."""
    with _import_lock:
        package = importlib.import_module(source.package)
        arguments = getattr(package, source.arguments)
        resource = None if source.resource is None else getattr(package, source.resource)
        outputs = frozenset() if resource is None else frozenset(_wire_properties(resource))
        return Schema(inputs=_object_members(arguments, ()), outputs=outputs)


def _wire_properties(owner: type) -> dict[str, tuple[str, Any]]:
    """Wire name -> (Python name, annotation) of a generated class's properties."""
    found: dict[str, tuple[str, Any]] = {}
    for name, member in vars(owner).items():
        if isinstance(member, property) and member.fget is not None:
            wire_name = getattr(member.fget, "_pulumi_name", name)
            found[wire_name] = (name, member.fget.__annotations__.get("return", Any))
    return found


def _object_members(owner: type, outer: tuple[type, ...]) -> dict[str, Property]:
    parameters = inspect.signature(owner).parameters
    members: dict[str, Property] = {}
    for wire_name, (name, annotation) in _wire_properties(owner).items():
        found = _property(annotation, owner, (*outer, owner))
        required = name in parameters and parameters[name].default is inspect.Parameter.empty
        members[wire_name] = Property(
            kind=found.kind, required=required, members=found.members, element=found.element
        )
    return members


def _property(annotation: Any, owner: type, outer: tuple[type, ...]) -> Property:
    annotation = _without_wrappers(annotation)
    if isinstance(annotation, typing.ForwardRef | str):
        text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
        annotation = getattr(importlib.import_module(owner.__module__), text, Any)
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin in (collections.abc.Mapping, dict):
        return Property(kind=Kind.MAP, element=_property(arguments[1], owner, outer))
    if origin in (collections.abc.Sequence, list):
        return Property(kind=Kind.ARRAY, element=_property(arguments[0], owner, outer))
    if isinstance(annotation, type):
        return _class_property(annotation, outer)
    return Property(kind=Kind.ANY)


def _class_property(found: type, outer: tuple[type, ...]) -> Property:
    for python_type, kind in ((bool, Kind.BOOLEAN), (int, Kind.NUMBER), (float, Kind.NUMBER)):
        if found is python_type:
            return Property(kind=kind)
    if issubclass(found, str | enum.Enum):
        return Property(kind=Kind.STRING)
    if found.__module__ == "pulumi.asset":
        return Property(kind=Kind.ASSET)
    # A type that holds itself is cut off; none of the types here needs more.
    if found in outer or (not hasattr(found, "_pulumi_type") and not _wire_properties(found)):
        return Property(kind=Kind.ANY)
    return Property(kind=Kind.OBJECT, members=_object_members(found, outer))


def _without_wrappers(annotation: Any) -> Any:
    """The plain type inside `Input[Optional[T]]`; of several plain ones the structured one."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation
    plain = [item for item in typing.get_args(annotation) if not _is_wrapper(item)]
    return plain[0] if plain else Any


def _is_wrapper(annotation: Any) -> bool:
    if annotation is type(None) or typing.get_origin(annotation) is collections.abc.Awaitable:
        return True
    return isinstance(annotation, typing.ForwardRef) and annotation.__forward_arg__.startswith(
        "Output["
    )
