"""Property values of the provider protocol as readable Python values, for logs and comparison.

Recorded values name what the wire spells by signatures: `{"<secret>": value}`, `<unknown>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
KINDS = {
    SECRET: "<secret>",
    ASSET: "<asset>",
    ARCHIVE: "<archive>",
    "5cf8f73096256a8f31e491e813e4eb8e": "<resource>",
    "d0e6a833031e9bbcd3f4e8bde6ca49a4": "<output>",
}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWNS = {
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7": "<unknown bool>",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421": "<unknown number>",
    UNKNOWN: "<unknown>",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2": "<unknown array>",
    "030794c1-ac77-496b-92df-f27374a8bd58": "<unknown asset>",
    "e48ece36-62e2-4504-bad9-02848725956a": "<unknown archive>",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff": "<unknown object>",
}


def python_from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The members of a Struct with whole numbers as `int`, special objects left as they came."""
    return {key: _python_from_value(value) for key, value in sorted(struct.fields.items())}


def _python_from_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return python_from_struct(value.struct_value)
    if kind == "list_value":
        return [_python_from_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return None if kind in (None, "null_value") else getattr(value, kind)


def struct_from_python(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """A Struct with the given members."""
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def secret(value: Any) -> dict[str, Any]:
    """The wire form of a secret value."""
    return {SIGNATURE: SECRET, "value": value}


def without_secrets(value: Any) -> Any:
    """The same value with every secret replaced by what it holds."""
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET and "value" in value:
            return without_secrets(value["value"])
        return {key: without_secrets(member) for key, member in value.items()}
    return [without_secrets(item) for item in value] if isinstance(value, list) else value


def comparable(value: Any) -> Any:
    """The value without secrets' wrapping, and with assets and archives as their hashes alone."""
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET and "value" in value:
            return comparable(value["value"])
        if value.get(SIGNATURE) in (ASSET, ARCHIVE):
            return value.get("hash")
        return {key: comparable(member) for key, member in value.items()}
    return [comparable(item) for item in value] if isinstance(value, list) else value


def is_known(value: Any) -> bool:
    """Whether no part of the value is an unknown."""
    if isinstance(value, Mapping):
        return all(is_known(member) for member in value.values())
    if isinstance(value, list):
        return all(is_known(item) for item in value)
    return not (isinstance(value, str) and value in UNKNOWNS)


def readable(value: Any) -> Any:
    """The value with signatures and sentinels spelt as words."""
    if isinstance(value, Mapping):
        members = {key: readable(member) for key, member in value.items() if key != SIGNATURE}
        kind = value.get(SIGNATURE)
        if kind is None:
            return members
        word = KINDS.get(str(kind), f"<{kind}>")
        return {word: members["value"]} if set(members) == {"value"} else {word: members}
    if isinstance(value, list):
        return [readable(item) for item in value]
    return UNKNOWNS.get(value, value) if isinstance(value, str) else value
