"""Property values as plain Python, and their form on the wire.

A value is None, bool, int, float, str, list or dict, plus the classes below. Secrets are unwrapped
here: the provider says that it does not accept them, and the engine wraps results again by key.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format, struct_pb2

Values = dict[str, Any]

DEFAULTS_KEY: Final = "__defaults"
SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
REFERENCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_TEXTS: Final = frozenset(
    {
        UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


class WireError(ValueError):
    """A special object on the wire that this provider can't hold."""


class Unknown(enum.Enum):
    """The kind of a value that is not known before the update."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file-like value: one of `text`, `path`, `uri`, or `hash` alone in olds.

    Args:
        signature: `ASSET` or `ARCHIVE`
        members: the object's other members as they came
    """

    signature: str
    members: tuple[tuple[str, Any], ...]

    def get(self, member: str) -> Any:
        """One member, None when it did not come."""
        return dict(self.members).get(member)

    def same_content(self, other: object) -> bool:
        """True when both hashes are known and equal."""
        return isinstance(other, Asset) and self.get("hash") == other.get("hash")


def contains_unknown(value: Any) -> bool:
    """True when the value or anything inside it is not known yet."""
    if value is UNKNOWN:
        return True
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    return isinstance(value, list) and any(contains_unknown(item) for item in value)


def values_from_struct(struct: struct_pb2.Struct) -> Values:
    """The members of a protobuf Struct as plain values."""
    return {key: from_json(value) for key, value in json_format.MessageToDict(struct).items()}


def struct_from_values(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Plain values as a protobuf Struct."""
    struct = struct_pb2.Struct()
    struct.update({key: to_json(value) for key, value in values.items()})
    return struct


def from_json(value: Any) -> Any:
    """One wire value, already JSON-like, as a plain value.

    Raises:
        WireError: an object with a signature that is none of Pulumi's
    """
    if isinstance(value, str):
        return UNKNOWN if value in UNKNOWN_TEXTS else value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if SIGNATURE_KEY in value:
        return _special_from_json(value)
    return {key: from_json(item) for key, item in value.items()}


def _special_from_json(value: dict[str, Any]) -> Any:
    signature = value[SIGNATURE_KEY]
    if signature == SECRET:
        return from_json(value.get("value"))
    if signature == OUTPUT:
        return from_json(value["value"]) if "value" in value else UNKNOWN
    if signature == REFERENCE:
        if "id" not in value:
            return value["urn"]
        return UNKNOWN if value["id"] in ("", *UNKNOWN_TEXTS) else value["id"]
    if signature in (ASSET, ARCHIVE):
        # Sorted, as a protobuf map has no order and equal assets must compare equal.
        members = tuple(sorted((key, item) for key, item in value.items() if key != SIGNATURE_KEY))
        return Asset(signature=signature, members=members)
    raise WireError(
        f"a value with signature {signature!r} came; secrets, outputs, references, assets and"
        " archives are understood"
    )


def to_json(value: Any) -> Any:
    """A plain value in its JSON-like wire form."""
    if value is UNKNOWN:
        return UNKNOWN_TEXT
    if isinstance(value, Asset):
        return {SIGNATURE_KEY: value.signature, **dict(value.members)}
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def without_defaults(value: Any) -> Any:
    """The value without the `__defaults` members that Check adds at every level."""
    if isinstance(value, dict):
        return {key: without_defaults(item) for key, item in value.items() if key != DEFAULTS_KEY}
    if isinstance(value, list):
        return [without_defaults(item) for item in value]
    return value


def is_zero(value: Any) -> bool:
    """True for what Terraform can't tell from an absent value: null, "", 0, false, empty."""
    return value is None or value in ("", 0, False) or value in ([], {})
