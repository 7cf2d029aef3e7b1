"""What commands print besides sentences: JSON documents, tables and how long ago something was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

UNITS = (
    ("year", 31536000),
    ("month", 2592000),
    ("week", 604800),
    ("day", 86400),
    ("hour", 3600),
    ("minute", 60),
)


def print_json(value: Any, *, indent: int, sort: bool = False) -> None:
    """Print a JSON document as the official CLI lays it out."""
    print(json.dumps(value, indent=indent, sort_keys=sort, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, indent: int = 0) -> None:
    """Print columns two spaces apart; the last cell of a line isn't padded."""
    lines = [head, *rows]
    widths = [
        max(len(line[i]) for line in lines if i < len(line)) for i in range(max(map(len, lines)))
    ]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        print(" " * indent + "  ".join(cells).rstrip())


def time_ago(moment: datetime) -> str:
    """Say how long ago a moment was, in its largest unit."""
    seconds = int((datetime.now(UTC) - moment).total_seconds())
    if seconds < 1:
        return "now"
    for unit, length in (*UNITS, ("second", 1)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "now"
