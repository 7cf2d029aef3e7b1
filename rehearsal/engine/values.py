"""Property values as the engine holds them, and their form on the wire.

A value is plain JSON-like Python (None, bool, int, float, str, list, dict) plus the classes below.
Nothing here may know about resources, providers or files; assets are hashed in `assets.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from rehearsal.engine.errors import EngineError, not_supported

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"
ASSET_SIGNATURE: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIGNATURE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
REFERENCE_SIGNATURE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# Every kind of unknown is read; the string one, which stands for all of them, is written.
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


class ValueEncodingError(EngineError):
    """A special object on the wire or in a state file that has no meaning here."""


class Unknown:
    """A value that is not known before the update; `UNKNOWN` is its only instance."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that must be encrypted at rest and hidden in every display."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(...)"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file given by text, path or uri; two assets are equal when their hashes are."""

    hash: str = ""
    text: str | None = None
    path: str | None = None
    uri: str | None = None


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A packed tree of files given by path or uri; two are equal when their hashes are."""

    hash: str = ""
    path: str | None = None
    uri: str | None = None


@dataclass(frozen=True, kw_only=True)
class ResourceReference:
    """Another resource as a value; `id` is None for a component."""

    urn: str
    id: str | Unknown | None = None
    package_version: str = ""


def decode(plain: Any) -> Any:
    """Turn a JSON-like value with signatures into an engine value.

    An output value, which only remote components use, becomes what it says of itself: unknown,
    secret or plain.

    Raises:
        ValueEncodingError: the signature is not one of those this engine knows, or is an encrypted
            secret.
    """
    if isinstance(plain, str):
        return UNKNOWN if plain in UNKNOWN_TEXTS else plain
    if isinstance(plain, list):
        return [decode(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if SIGNATURE_KEY in plain:
        return _decode_special(plain)
    return {key: decode(item) for key, item in plain.items()}


def _decode_special(plain: dict[str, Any]) -> Any:
    signature = plain[SIGNATURE_KEY]
    if signature == SECRET_SIGNATURE and "value" in plain:
        return Secret(decode(plain["value"]))
    members = {key: item for key, item in plain.items() if key != SIGNATURE_KEY}
    if signature == ASSET_SIGNATURE:
        return Asset(**members)
    if signature == ARCHIVE_SIGNATURE:
        if members.pop("assets", None) is not None:
            raise not_supported("an archive made of a map of assets")
        return Archive(**members)
    if signature == REFERENCE_SIGNATURE:
        identifier = plain.get("id")
        return ResourceReference(
            urn=plain["urn"],
            id=UNKNOWN if identifier == "" else decode(identifier),
            package_version=plain.get("packageVersion", ""),
        )
    if signature == OUTPUT_SIGNATURE:
        inner = decode(plain["value"]) if "value" in plain else UNKNOWN
        return Secret(inner) if plain.get("secret") else inner
    raise ValueEncodingError(
        f"a special object has the signature {signature!r} with members {sorted(plain)}; known are "
        "secret (with a value), asset, archive, resource reference and output value"
    )


def encode(
    value: Any,
    *,
    secret: Callable[[Secret], Any] | None = None,
    keep_references: bool = True,
    asset_content: bool = True,
) -> Any:
    """Turn an engine value into its JSON-like form with signatures.

    Args:
        value: an engine value.
        secret: what a secret becomes; the wire form with its plaintext when left out.
        keep_references: False writes a reference as the id of the resource, or its URN when it has
            none.
        asset_content: False keeps only the hash of assets and archives.
    """

    def walk(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: walk(member) for key, member in item.items()}
        if isinstance(item, list):
            return [walk(member) for member in item]
        if isinstance(item, Unknown):
            return UNKNOWN_TEXT
        if isinstance(item, Secret):
            if secret is not None:
                return secret(item)
            return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": walk(item.value)}
        if isinstance(item, Asset | Archive):
            return _encode_asset(item, asset_content)
        if isinstance(item, ResourceReference):
            return _encode_reference(item, keep_references)
        return item

    return walk(value)


def _encode_asset(item: Asset | Archive, content: bool) -> Any:
    signature = ASSET_SIGNATURE if isinstance(item, Asset) else ARCHIVE_SIGNATURE
    given = {"hash": item.hash} | (vars(item) if content else {})
    told = {key: text for key, text in given.items() if text or (text == "" and key != "hash")}
    return {SIGNATURE_KEY: signature, **told}


def _encode_reference(item: ResourceReference, keep: bool) -> Any:
    unknown = isinstance(item.id, Unknown)
    if not keep:
        return UNKNOWN_TEXT if unknown else item.urn if item.id is None else item.id
    plain: dict[str, Any] = {SIGNATURE_KEY: REFERENCE_SIGNATURE, "urn": item.urn}
    if item.id is not None:
        plain["id"] = "" if unknown else item.id
    if item.package_version:
        plain["packageVersion"] = item.package_version
    return plain


def plain_from_struct(struct: Any) -> dict[str, Any]:
    """Read a protobuf Struct as JSON-like values; whole doubles become ints, so that files print
    `1`."""
    return {key: _plain_from_value(value) for key, value in struct.fields.items()}


def _plain_from_value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return plain_from_struct(value.struct_value)
    if kind == "list_value":
        return [_plain_from_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < 1e21 else number
    if kind is None or kind == "null_value":
        return None
    return getattr(value, kind)


def struct_from_plain(plain: dict[str, Any]) -> Any:
    """Make a protobuf Struct of JSON-like values."""
    from google.protobuf.struct_pb2 import Struct

    struct = Struct()
    struct.update(plain)
    return struct


def values_from_struct(struct: Any) -> dict[str, Any]:
    """Read a protobuf Struct as engine values."""
    return {key: decode(item) for key, item in plain_from_struct(struct).items()}


def walk_values(value: Any) -> Iterator[Any]:
    """Yield the value and every value inside it, secrets' contents included."""
    yield value
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    elif isinstance(value, Secret):
        inner = [value.value]
    for item in inner:
        yield from walk_values(item)


def contains_unknown(value: Any) -> bool:
    """Say whether the value is unknown or holds an unknown at any depth."""
    return any(
        isinstance(item, Unknown)
        or (isinstance(item, ResourceReference) and isinstance(item.id, Unknown))
        for item in walk_values(value)
    )


def contains_secret(value: Any) -> bool:
    """Say whether the value is secret or holds a secret at any depth."""
    return any(isinstance(item, Secret) for item in walk_values(value))


def unwrap_secrets(value: Any) -> Any:
    """Return the value with every secret replaced by what it hides."""
    if isinstance(value, Secret):
        return unwrap_secrets(value.value)
    if isinstance(value, dict):
        return {key: unwrap_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrap_secrets(item) for item in value]
    return value


def make_secret(value: Any) -> Any:
    """Wrap a value as secret once."""
    return value if isinstance(value, Secret) else Secret(value)
