"""Comparing values, and the property paths by which `ignore_changes` names parts of them."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rehearsal.engine.errors import EngineError, not_supported
from rehearsal.engine.values import Archive, Asset, ResourceReference, Secret, Unknown

Path = tuple[str | int, ...]
DetailedDiff = dict[str, tuple[str, bool]]
_PART = re.compile(r'\.?([^.\[]+)|\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]')


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What a provider, or a comparison, says of a change.

    `detailed` maps a path to its kind (`add`, `update-replace`, ...) and whether the path is one of
    the inputs.
    """

    changed: bool
    replace_keys: tuple[str, ...] = ()
    changed_keys: tuple[str, ...] = ()
    detailed: DetailedDiff | None = None
    delete_before_replace: bool = False

    @property
    def replaces(self) -> bool:
        """Whether the change can only be made by a new resource."""
        kinds = () if self.detailed is None else tuple(kind for kind, _ in self.detailed.values())
        return bool(self.replace_keys) or any(kind.endswith("-replace") for kind in kinds)


def equal(left: Any, right: Any) -> bool:
    """Compare two values as Pulumi does: a bool is no number, a secret equals only a secret, assets
    by hash."""
    if isinstance(left, Asset | Archive):
        return type(left) is type(right) and left.hash != "" and left.hash == right.hash
    if isinstance(left, Secret):
        return isinstance(right, Secret) and equal(left.value, right.value)
    if isinstance(left, ResourceReference) and isinstance(right, ResourceReference):
        return left.urn == right.urn and equal(left.id, right.id)
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(equal(item, right[key]) for key, item in left.items())
        )
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return left is right
    return bool(left == right)


def structural_diff(old: dict[str, Any], new: dict[str, Any]) -> Diff:
    """Compare two plain property maps, top-level property by property."""
    detailed: DetailedDiff = {}
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            detailed[key] = ("delete", True)
        elif key not in old:
            detailed[key] = ("add", True)
        elif not equal(old[key], new[key]):
            detailed[key] = ("update", True)
    if not detailed:
        return Diff(changed=False)
    return Diff(changed=True, changed_keys=tuple(detailed), detailed=detailed)


def parse_path(text: str) -> Path:
    """Parse `a.b[0]["k"]`.

    Raises:
        EngineError: it is no such path, or has a star in it, which this engine does not do.
    """
    parts: list[str | int] = []
    end = 0
    for found in _PART.finditer(text):
        name, quoted, index = found.groups()
        if found.start() == end:
            end = found.end()
            named = name if quoted is None else quoted.replace('\\"', '"')
            parts.append(named if index is None else int(index))
    if "*" in parts or "[*]" in text:
        raise not_supported(f"the star in the property path {text!r}")
    if not parts or end != len(text):
        raise EngineError(f'property path {text!r} is not of the form a.b[0]["c"]')
    return tuple(parts)


def ignore_changes(
    new: dict[str, Any], old: dict[str, Any], paths: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Put the old value back at every path; also return the paths at which that is not possible."""
    result = copy.deepcopy(new)
    return result, [text for text in paths if not _reset(result, old, parse_path(text))]


_ABSENT = object()


def _member(container: Any, key: str | int) -> Any:
    if isinstance(container, Secret):
        container = container.value
    if isinstance(container, dict) and isinstance(key, str):
        return container.get(key, _ABSENT)
    if isinstance(container, list) and isinstance(key, int) and 0 <= key < len(container):
        return container[key]
    return _ABSENT


def _reset(new: Any, old: Any, path: Path, hidden: bool = False) -> bool:
    head, rest = path[0], path[1:]
    hidden = (hidden or isinstance(old, Secret)) and not isinstance(new, Secret)
    new = new.value if isinstance(new, Secret) else new
    old = old.value if isinstance(old, Secret) else old
    before, after = _member(old, head), _member(new, head)
    if rest:
        if before is _ABSENT and after is _ABSENT:
            return True
        return after is not _ABSENT and _reset(after, before, rest, hidden)
    value = Secret(copy.deepcopy(before)) if hidden else copy.deepcopy(before)
    if isinstance(new, dict) and isinstance(head, str):
        if before is _ABSENT:
            new.pop(head, None)
        else:
            new[head] = value
        return True
    if isinstance(new, list) and isinstance(head, int) and before is not _ABSENT:
        if after is not _ABSENT:
            new[head] = value
        return after is not _ABSENT
    return before is _ABSENT and after is _ABSENT


def invert(diff: Diff) -> Diff:
    """Swap the sides of a diff: what was added is deleted."""
    swapped = {"add": "delete", "delete": "add", "add-replace": "delete-replace"}
    swapped["delete-replace"] = "add-replace"
    if diff.detailed is None:
        return diff
    detailed = {p: (swapped.get(kind, kind), i) for p, (kind, i) in diff.detailed.items()}
    return replace(diff, detailed=detailed)
