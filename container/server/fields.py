"""Reading one field of a JSON document of the artifact, or saying what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from .errors import ArtifactError

Choice = TypeVar("Choice", bound=StrEnum)


def choice(
    document: Mapping[str, Any], name: str, choices: type[Choice], where: str = "the manifest"
) -> Choice:
    """Read one of the words of an enumeration.

    Raises:
        ArtifactError: missing, no text, or another word
    """
    value = field(document, name, str, where)
    if value not in tuple(choices):
        raise ArtifactError(
            f"{name} in {where} is {value!r}; it must be one of {', '.join(choices)}"
        )
    return choices(value)


def field(
    document: Mapping[str, Any], name: str, kind: type[Any], where: str = "the manifest"
) -> Any:
    """Read a field of a type.

    Args:
        where: what the document is, for the message

    Raises:
        ArtifactError: missing or of another type
    """
    value = document.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        given = "missing" if value is None else f"a {type(value).__name__}"
        raise ArtifactError(f"{name} is {given} in {where}; it must be a {kind.__name__}")
    return value


def names(document: Mapping[str, Any], name: str, where: str = "the manifest") -> tuple[str, ...]:
    """Read a list of different names; numbers count as their text.

    Raises:
        ArtifactError: missing, empty, or a name given twice
    """
    values = field(document, name, list, where)
    if not values or len(set(map(str, values))) != len(values):
        raise ArtifactError(f"{name} in {where} must be a list of different names, not {values!r}")
    return tuple(map(str, values))
