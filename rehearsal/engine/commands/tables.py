"""What commands print besides sentences: JSON documents and tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def print_json(value: Any, *, indent: int = 2, sort: bool = False) -> None:
    """Print a JSON document as the official CLI lays it out."""
    print(json.dumps(value, indent=indent, sort_keys=sort, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, indent: int = 0) -> None:
    """Print columns two spaces apart; the last cell of a line isn't padded."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for line in (head, *rows):
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print(" " * indent + "  ".join(cells).rstrip())
