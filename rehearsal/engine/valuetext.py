"""Property values, and the difference of two, as lines of text for people.

Values are those of the event log: JSON with signatures, secrets already hidden.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rehearsal.engine.values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    REFERENCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN_TEXTS,
)

INDENT = 4


def hide(value: Any) -> Any:
    """Replace signed objects by words that can be shown."""
    if isinstance(value, list):
        return [hide(item) for item in value]
    if isinstance(value, str):
        return _Word("[unknown]") if value in UNKNOWN_TEXTS else value
    if not isinstance(value, Mapping):
        return value
    match value.get(SIGNATURE_KEY):
        case None:
            return {key: hide(item) for key, item in value.items() if not key.startswith("__")}
        case str() as kind if kind == SECRET_SIGNATURE:
            return _Word("[secret]")
        case str() as kind if kind in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE):
            word = "asset" if kind == ASSET_SIGNATURE else "archive"
            form = next((name for name in ("text", "path", "uri", "assets") if name in value), "")
            form = {"path": "file", "": "hash"}.get(form, form)
            return _Word(f"{word}({form}:{value.get('hash', '')[:7]})")
        case str() as kind if kind == REFERENCE_SIGNATURE:
            return value.get("id") or value["urn"]
    return "[unknown kind of value]"


class _Word(str):
    """Text shown without quotes."""

    __slots__ = ()


def property_lines(values: Mapping[str, Any], *, indent: int, symbol: str = "") -> list[str]:
    """Show `key: value` lines with their colons below one another, keys sorted."""
    width = max(map(len, values), default=0)
    lines: list[str] = []
    for key in sorted(values):
        lines += _entry(f"{key:{width}}: ", values[key], indent, symbol)
    return lines


def difference_lines(
    old: Mapping[str, Any], new: Mapping[str, Any], *, indent: int, same: bool = False
) -> list[str]:
    """Show what was added (`+`), removed (`-`) and changed (`~`); with `same`, the rest too."""
    keys = sorted(key for key in {**old, **new} if same or old.get(key) != new.get(key))
    width = max(map(len, keys), default=0)
    lines: list[str] = []
    for key in keys:
        lines += _change(f"{key:{width}}: ", key, old, new, indent)
    return lines


def _change(label: str, key: Any, old: Any, new: Any, indent: int) -> list[str]:
    if key not in old:
        return _entry(label, new[key], indent, "+")
    if key not in new:
        return _entry(label, old[key], indent, "-")
    before, after = old[key], new[key]
    if before == after:
        return _entry(label, after, indent, "")
    if isinstance(before, dict) and isinstance(after, dict):
        inner = difference_lines(before, after, indent=indent + INDENT)
        return [_line(label + "{", indent, "~"), *inner, _line("}", indent, "~")]
    if isinstance(before, list) and isinstance(after, list):
        was, now = dict(enumerate(before)), dict(enumerate(after))
        inner = []
        for index in range(max(len(before), len(after))):
            if was.get(index) != now.get(index):
                inner += _change(f"[{index}]: ", index, was, now, indent + INDENT)
        return [_line(label + "[", indent, "~"), *inner, _line("]", indent, "~")]
    first, *rest = _entry(label, before, indent, "~")
    last = _entry("", after, indent, "~")
    tail = (rest or [first])[-1] + " => " + last[0].lstrip(" ~")
    return [*([first, *rest[:-1]] if rest else []), tail, *last[1:]]


def _line(text: str, indent: int, symbol: str) -> str:
    return f"{' ' * (indent - 2)}{symbol or ' '} {text}"


def _entry(label: str, value: Any, indent: int, symbol: str) -> list[str]:
    if isinstance(value, dict | list) and value:
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        lines = [_line(label + opening, indent, symbol)]
        if isinstance(value, dict):
            lines += property_lines(value, indent=indent + INDENT, symbol=symbol)
        else:
            for index, item in enumerate(value):
                lines += _entry(f"[{index}]: ", item, indent + INDENT, symbol)
        return [*lines, _line(closing, indent, symbol)]
    return [_line(label + scalar_text(value), indent, symbol)]


def scalar_text(value: Any) -> str:
    """Show a value that fits on a line."""
    if value is None:
        return "<null>"
    return str(value) if isinstance(value, _Word) else json.dumps(value, ensure_ascii=False)
