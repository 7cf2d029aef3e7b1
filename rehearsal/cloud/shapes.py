"""Server-side input checks driven by botocore's own service models, with the service's texts.

botocore's client checks only required members, types and lower bounds; lengths, patterns and
enums are the server's business, and their messages are what users see.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import botocore.loaders
import botocore.model

from rehearsal.cloud.errors import ApiError, validation_exception

# Java's character classes in the service's patterns, as ranges of Python's; a pattern with any
# other class isn't checked. Letters and numbers are Python's \w, which also takes the underscore
# that every pattern with them allows.
JAVA_CLASSES = {
    "L": r"\w",
    "N": r"\w",
    "Z": r" \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    "Print": r"\x20-\x7e",
    "Alnum": "a-zA-Z0-9",
    "ASCII": r"\x00-\x7f",
    "Graph": r"\x21-\x7e",
}
JAVA_CLASS = re.compile(r"\\p\{(\w+)\}")


@functools.cache
def service_model(service: str) -> botocore.model.ServiceModel:
    """Return botocore's model of a service; loading takes long, so it is kept."""
    loader = botocore.loaders.Loader()
    return botocore.model.ServiceModel(loader.load_service_model(service, "service-2"), service)


def validated_input(service: str, operation: str, body: bytes) -> dict[str, Any]:
    """Return the members sent for an operation.

    Raises:
        ApiError: not JSON, an unknown member, a wrong type, or a constraint not satisfied
    """
    members = json_members(operation, body)
    problem = input_problem(service, operation, members)
    if problem is not None:
        raise validation_exception(problem)
    return members


def json_members(operation: str, body: bytes) -> dict[str, Any]:
    """Return the members sent for an operation, before any is looked at; none without a body.

    Raises:
        ApiError: not a JSON object
    """
    try:
        members = json.loads(body) if body else {}
    except ValueError as err:
        raise ApiError("SerializationException", f"body is not JSON: {err}") from err
    if not isinstance(members, dict):
        raise ApiError("SerializationException", f"{operation} takes a JSON object")
    return members


def input_problem(service: str, operation: str, members: dict[str, Any]) -> str | None:
    """Return the text that refuses members, or None; for operations that don't come as JSON."""
    shape = service_model(service).operation_model(operation).input_shape
    problems = list(_problems(shape, members, ""))
    if not problems:
        return None
    word = "error" if len(problems) == 1 else "errors"
    return f"{len(problems)} validation {word} detected: {'; '.join(problems)}"


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    check = CHECKS.get(shape.type_name)
    if check is not None:
        yield from check(shape, value, path)


def _structure(shape: Any, value: Any, path: str) -> Iterator[str]:
    _expect(isinstance(value, dict), path, "a structure", value)
    for name in value:
        if name not in shape.members:
            allowed = ", ".join(sorted(shape.members))
            raise ApiError(
                "SerializationException",
                f"unknown member {_join(path, name)} of {shape.name}; it has {allowed}",
            )
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"Value null at '{_join(path, name)}' failed to satisfy constraint: " + (
                "Member must not be null"
            )
    for name, member in value.items():
        if member is not None:
            yield from _problems(shape.members[name], member, _join(path, name))


def _list(shape: Any, value: Any, path: str) -> Iterator[str]:
    _expect(isinstance(value, list), path, "a list", value)
    yield from _bounds(shape, len(value), value, path, "length")
    for index, member in enumerate(value, start=1):
        yield from _problems(shape.member, member, f"{path}.{index}.member")


def _map(shape: Any, value: Any, path: str) -> Iterator[str]:
    _expect(isinstance(value, dict), path, "a map", value)
    yield from _bounds(shape, len(value), value, path, "length")
    for key, member in value.items():
        yield from _problems(shape.key, key, f"{path}.{key}.key")
        yield from _problems(shape.value, member, f"{path}.{key}.member")


def _string(shape: Any, value: Any, path: str) -> Iterator[str]:
    _expect(isinstance(value, str), path, "a string", value)
    if shape.enum:
        if value not in shape.enum:
            yield _problem(value, path, f"satisfy enum value set: [{', '.join(shape.enum)}]")
        return
    yield from _bounds(shape, len(value), value, path, "length")
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not _matches(pattern, value):
        yield _problem(value, path, f"satisfy regular expression pattern: {pattern}")


def _number(shape: Any, value: Any, path: str) -> Iterator[str]:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    _expect(numeric, path, "a number", value)
    if shape.type_name in ("integer", "long"):
        _expect(float(value).is_integer(), path, "a whole number", value)
    yield from _bounds(shape, value, value, path, "value")


def _boolean(shape: Any, value: Any, path: str) -> Iterator[str]:
    _expect(isinstance(value, bool), path, "a boolean", value)
    yield from ()


CHECKS: dict[str, Callable[[Any, Any, str], Iterator[str]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _number,
    "long": _number,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
}


def _bounds(shape: Any, size: float, value: Any, path: str, what: str) -> Iterator[str]:
    minimum = shape.metadata.get("min")
    maximum = shape.metadata.get("max")
    if minimum is not None and size < minimum:
        yield _problem(value, path, f"have {what} greater than or equal to {minimum}")
    if maximum is not None and size > maximum:
        yield _problem(value, path, f"have {what} less than or equal to {maximum}")


def _problem(value: Any, path: str, constraint: str) -> str:
    shown = value if isinstance(value, str | int | float) else json.dumps(value)
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: Member must {constraint}"


def _expect(holds: bool, path: str, wanted: str, value: Any) -> None:
    if not holds:
        raise ApiError(
            "SerializationException", f"{path or 'body'} is {type(value).__name__}, not {wanted}"
        )


def _join(path: str, name: str) -> str:
    camel = name[:1].lower() + name[1:]
    return f"{path}.{camel}" if path else camel


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Return the pattern, or None for one Python can't read (it is then not checked)."""
    # A class that stands alone needs brackets; within a set it has them.
    pattern = re.sub(r"^\\p\{\w+\}", lambda found: f"[{found[0]}]", pattern)
    try:
        return re.compile(JAVA_CLASS.sub(_in_python, pattern).replace(r"\z", r"\Z"))
    except (re.error, KeyError):
        return None


def _in_python(match: re.Match[str]) -> str:
    """Return a class as a range, in brackets of its own when it stands outside of any."""
    before = match.string[: match.start()]
    inside = before.rfind("[") > before.rfind("]")
    characters = JAVA_CLASSES[match[1]]
    return characters if inside else f"[{characters}]"
