"""Which files of a folder Docker would send as a build context. Reads names only.

Source: Docker's documentation, "Build context", section ".dockerignore files" (read 2026-11).
"""

from __future__ import annotations

import re
from pathlib import Path

IGNORE_FILE = ".dockerignore"


def context_files(root: Path) -> list[str]:
    """Relative paths of the files sent, sorted; the Dockerfile always is."""
    rules = _rules(root)
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(path for path in found if path == "Dockerfile" or not is_ignored(path, rules))


def _rules(root: Path) -> list[tuple[bool, re.Pattern[str]]]:
    file = root / IGNORE_FILE
    if not file.is_file():
        return []
    lines = (line.strip() for line in file.read_text().splitlines())
    return [rule_from_line(line) for line in lines if line and not line.startswith("#")]


def rule_from_line(line: str) -> tuple[bool, re.Pattern[str]]:
    """(True when the line excludes, the paths it speaks of)."""
    is_exclusion = not line.startswith("!")
    pattern = line.removeprefix("!").strip().strip("/")
    text = ""
    position = 0
    while position < len(pattern):
        if pattern.startswith("**/", position):
            text, position = text + "(?:.*/)?", position + 3
        elif pattern.startswith("**", position):
            text, position = text + ".*", position + 2
        else:
            text += {"*": "[^/]*", "?": "[^/]"}.get(pattern[position], re.escape(pattern[position]))
            position += 1
    # A pattern that names a folder speaks of everything in it.
    return is_exclusion, re.compile(f"{text}(?:/.*)?")


def is_ignored(path: str, rules: list[tuple[bool, re.Pattern[str]]]) -> bool:
    """True when the last line that speaks of the path excludes it."""
    ignored = False
    for is_exclusion, pattern in rules:
        if pattern.fullmatch(path):
            ignored = is_exclusion
    return ignored
