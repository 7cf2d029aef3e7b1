"""Reading JSON text strictly, and writing it.

JSON is read by orjson; it is read again by the standard library only where orjson cannot vouch for
it (it refuses NaN without saying where, and keeps the last of duplicate keys).
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from ..errors import MalformedBodyError, shown
from ..instances import LARGEST_WRITABLE, SMALLEST_WRITABLE

EXAMPLE = '{"instances": [[5.1, 3.5, 1.4, 0.2]]}'
LONGEST_INTEGER = 40
"""Digits; a longer integer is beyond every float32 and costs too much to read as an integer."""


def read_json(text: bytes, what: str = "the body") -> Any:
    """Read JSON; NaN and Infinity pass, to be named by feature.

    Args:
        what: what the text is, for messages

    Raises:
        MalformedBodyError: not UTF-8, not JSON, nested too deeply, or a key given twice
    """
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return read_json_strictly(text, what)
    return document if has_no_hidden_key(document, text) else read_json_strictly(text, what)


def read_plain_rows(text: bytes) -> list[list[float]] | None:
    """Read JSON that a decoder made of numbers alone; None where it has other words for one."""
    try:
        rows: list[list[float]] = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return rows


def has_no_hidden_key(document: Any, text: bytes) -> bool:
    """Tell whether orjson certainly dropped no key; a colon within a string leaves it uncertain."""
    colons = text.count(b":")
    if type(document) is not dict:
        return colons == 0
    # As many colons as keys; rows have no keys further down than objects in a list in an object.
    return colons == len(document) or colons == len(document) + sum(
        len(item)
        for value in document.values()
        if type(value) is list
        for item in value
        if type(item) is dict
    )


def read_json_strictly(text: bytes, what: str = "the body") -> Any:
    """Read JSON slowly, with an exact complaint.

    Raises:
        MalformedBodyError: as `read_json`
    """
    try:
        return json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique_keys, parse_int=read_integer
        )
    except _DuplicateKeyError as error:
        raise MalformedBodyError(
            f"{what} has the key {shown(error.args[0])} twice; give it once"
        ) from error
    except UnicodeDecodeError as error:
        raise MalformedBodyError(
            f"{what} is not UTF-8: byte {text[error.start]:#04x} at position {error.start}"
        ) from error
    except json.JSONDecodeError as error:
        raise MalformedBodyError(
            f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno} "
            f"(character {error.pos}); send rows such as {EXAMPLE}"
        ) from error
    except RecursionError as error:
        raise MalformedBodyError(
            f"{what} is nested too deeply; send rows such as {EXAMPLE}"
        ) from error


def json_body(document: dict[str, Any]) -> bytes:
    """Write a JSON object; NumPy arrays and scalars count as lists and numbers."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


class _DuplicateKeyError(Exception):
    """A key given twice."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKeyError(key)
            seen.add(key)
    return document


def read_integer(text: str) -> int | float:
    """Read a whole number; as a float where it could not be written back."""
    if len(text) > LONGEST_INTEGER:
        return float(text)
    value = int(text)
    return value if SMALLEST_WRITABLE <= value <= LARGEST_WRITABLE else float(value)
