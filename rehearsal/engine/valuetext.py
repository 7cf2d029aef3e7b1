"""Property values, and the difference of two, as lines of text for people.

Values are those of the event log: JSON with signatures, secrets already hidden.
"""

from __future__ import annotations

import json
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
Values = dict[str, Any]


class Word(str):
    """Text shown without quotes."""

    __slots__ = ()


def hide(value: Any) -> Any:
    """Replace signed objects by words that can be shown, and leave internal members out."""
    if isinstance(value, list):
        return [hide(item) for item in value]
    if isinstance(value, str):
        return Word("[unknown]") if value in UNKNOWN_TEXTS else value
    if not isinstance(value, dict):
        return value
    kind, digest = value.get(SIGNATURE_KEY), value.get("hash", "")[:7]
    if kind == SECRET_SIGNATURE:
        return Word("[secret]")
    if kind == REFERENCE_SIGNATURE:
        return value.get("id") or value["urn"]
    if kind in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE):
        return Word(f"{'asset' if kind == ASSET_SIGNATURE else 'archive'}({digest})")
    return {key: hide(item) for key, item in value.items() if not str(key).startswith("__")}


def property_lines(values: Values, *, indent: int, symbol: str = " ") -> list[str]:
    """Show `key: value` lines with their colons below one another, keys sorted."""
    width = max(map(len, values), default=0)
    entries = (_entry(f"{key:{width}}: ", values[key], indent, symbol) for key in sorted(values))
    return [line for entry in entries for line in entry]


def difference_lines(old: Values, new: Values, *, indent: int, same: bool = False) -> list[str]:
    """Show what was added (`+`), removed (`-`) and changed (`~`); with `same`, the rest too."""
    width = max(map(len, {**old, **new}), default=0)
    keys = sorted(key for key in {**old, **new} if same or old.get(key) != new.get(key))
    changes = (_change(f"{key:{width}}: ", key, old, new, indent, same) for key in keys)
    return [line for change in changes for line in change]


def _change(label: str, key: Any, old: Any, new: Any, indent: int, same: bool) -> list[str]:
    before, after = old.get(key), new.get(key)
    if key not in old or key not in new or before == after:
        symbol = "+" if key not in old else "-" if key not in new else " "
        return _entry(label, after if key in new else before, indent, symbol)
    inner: list[str] | None = None
    if isinstance(before, dict) and isinstance(after, dict):
        inner = difference_lines(before, after, indent=indent + INDENT, same=same)
    elif isinstance(before, list) and isinstance(after, list):
        was, now = dict(enumerate(before)), dict(enumerate(after))
        changed = [i for i in sorted({**was, **now}) if same or was.get(i) != now.get(i)]
        changes = (_change(f"[{i}]: ", i, was, now, indent + INDENT, same) for i in changed)
        inner = [line for change in changes for line in change]
    if inner is not None:
        opening, closing = "{}" if isinstance(before, dict) else "[]"
        return [_line(label + opening, indent, "~"), *inner, _line(closing, indent, " ")]
    *head, last = _entry(label, before, indent, "~")
    first, *tail = _entry("", after, indent, "~")
    return [*head, f"{last} => {first.lstrip(' ~')}", *tail]


def _line(text: str, indent: int, symbol: str) -> str:
    return f"{' ' * (indent - 2)}{symbol} {text}"


def _entry(label: str, value: Any, indent: int, symbol: str) -> list[str]:
    if not isinstance(value, dict | list) or not value:
        return [_line(label + scalar_text(value), indent, symbol)]
    if isinstance(value, dict):
        inner = property_lines(value, indent=indent + INDENT, symbol=symbol)
    else:
        items = enumerate(value)
        entries = (_entry(f"[{i}]: ", item, indent + INDENT, symbol) for i, item in items)
        inner = [line for entry in entries for line in entry]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return [_line(label + opening, indent, symbol), *inner, _line(closing, indent, " ")]


def scalar_text(value: Any) -> str:
    """Show a value that fits on a line."""
    if value is None:
        return "<null>"
    return str(value) if isinstance(value, Word) else json.dumps(value, ensure_ascii=False)
