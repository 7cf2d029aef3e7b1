"""Comparing values, and the property paths by which options name parts of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rehearsal.engine.values import Archive, Asset, ResourceReference, Secret, Unknown

Path = tuple[str | int, ...]
DetailedDiff = dict[str, tuple[str, bool]]
INIT_ERROR_KEY = "#initerror"


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What a provider, or a comparison, says of a change.

    `detailed` maps a path to its kind (`add`, `update-replace`, ...) and whether the path is one of
    the inputs.
    """

    changed: bool
    replace_keys: tuple[str, ...] = ()
    changed_keys: tuple[str, ...] = ()
    detailed: DetailedDiff | None = field(default=None)
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
    if isinstance(left, ResourceReference):
        return (
            isinstance(right, ResourceReference)
            and left.urn == right.urn
            and equal(left.id, right.id)
        )
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
    """Compare two plain property maps; the paths are those of the inputs."""
    detailed: DetailedDiff = {}
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            detailed[format_path((key,))] = ("delete", True)
        elif key not in old:
            detailed[format_path((key,))] = ("add", True)
        else:
            _collect(old[key], new[key], (key,), detailed)
    keys = sorted({str(parse_path(path)[0]) for path in detailed})
    if not detailed:
        return Diff(changed=False)
    return Diff(changed=True, changed_keys=tuple(keys), detailed=detailed)


def _collect(old: Any, new: Any, path: Path, found: DetailedDiff) -> None:
    if equal(old, new):
        return
    pairs: list[tuple[str | int, Any, Any]] = []
    missing = object()
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(k, old.get(k, missing), new.get(k, missing)) for k in sorted({*old, *new})]
    elif isinstance(old, list) and isinstance(new, list):
        longest = range(max(len(old), len(new)))
        pairs = [
            (i, old[i] if i < len(old) else missing, new[i] if i < len(new) else missing)
            for i in longest
        ]
    else:
        found[format_path(path)] = ("update", True)
    for key, before, after in pairs:
        if before is missing or after is missing:
            kind = "add" if before is missing else "delete"
            found[format_path((*path, key))] = (kind, True)
        else:
            _collect(before, after, (*path, key), found)


def parse_path(text: str) -> Path:
    """Parse `a.b[0]["k"].*`; a star stands for every member.

    Raises:
        ValueError: the path ends inside brackets or quotes.
    """
    parts: list[str | int] = []
    rest = text
    while rest:
        if rest[0] == ".":
            rest = rest[1:]
        elif rest.startswith('["'):
            end = rest.find('"]', 2)
            while end > 0 and rest[end - 1] == "\\":
                end = rest.find('"]', end + 1)
            if end < 0:
                raise ValueError(f'property path {text!r} lacks a closing "]')
            parts.append(rest[2:end].replace('\\"', '"'))
            rest = rest[end + 2 :]
        elif rest[0] == "[":
            end = rest.find("]")
            if end < 0:
                raise ValueError(f"property path {text!r} lacks a closing ]")
            index = rest[1:end]
            parts.append("*" if index == "*" else int(index))
            rest = rest[end + 1 :]
        else:
            end = min((i for i in (rest.find("."), rest.find("[")) if i >= 0), default=len(rest))
            parts.append(rest[:end])
            rest = rest[end:]
    return tuple(parts)


def format_path(path: Path) -> str:
    """Write a path as `parse_path` reads it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part == "" or any(character in part for character in '.["]'):
            escaped = part.replace('"', '\\"')
            text += f'["{escaped}"]'
        else:
            text += f".{part}" if text else part
    return text


def path_contains(outer: Path, inner: Path) -> bool:
    """Say whether the inner path is the outer one or lies below it."""
    if len(outer) > len(inner):
        return False
    return all(a in ("*", b) for a, b in zip(outer, inner, strict=False))


def ignore_changes(
    new: dict[str, Any], old: dict[str, Any], paths: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Put the old value back at every path; also return the paths at which that is not possible."""
    result = copy.deepcopy(new)
    impossible = []
    for text in paths:
        if not _reset(result, old, parse_path(text)):
            impossible.append(text)
    return result, impossible


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
    if head == "*":
        return _reset_all(new, old, rest, hidden)
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


def _reset_all(new: Any, old: Any, rest: Path, hidden: bool) -> bool:
    if isinstance(new, list) and isinstance(old, list):
        common = range(min(len(new), len(old)))
        return all([_reset(new, old, (i, *rest), hidden) for i in common]) and len(new) == len(old)
    if isinstance(new, dict) and isinstance(old, dict):
        return all([_reset(new, old, (key, *rest), hidden) for key in sorted({*new, *old})])
    return False


def replace_on_changes(diff: Diff, paths: Sequence[str], *, init_errors: bool) -> Diff:
    """Turn changes at or below the paths into replacements; `#initerror` stands for a failed
    initialisation."""
    if not (diff.changed or init_errors) or not paths:
        return diff
    outer = [parse_path(path) for path in paths]
    keys = list(diff.replace_keys)
    for key in diff.changed_keys:
        if key not in keys and any(path_contains(path, (key,)) for path in outer):
            keys.append(key)
    detailed = diff.detailed
    if detailed is not None:
        detailed = {
            path: (_replacing(kind), is_input)
            if any(path_contains(o, parse_path(path)) for o in outer)
            else (kind, is_input)
            for path, (kind, is_input) in detailed.items()
        }
    changed = diff.changed
    if init_errors and any(path_contains(path, (INIT_ERROR_KEY,)) for path in outer):
        keys.append(INIT_ERROR_KEY)
        changed = True
    return replace(diff, changed=changed, replace_keys=tuple(keys), detailed=detailed)


def _replacing(kind: str) -> str:
    return kind if kind.endswith("-replace") else f"{kind}-replace"


def invert(diff: Diff) -> Diff:
    """Swap the sides of a diff: what was added is deleted."""
    swapped = {"add": "delete", "delete": "add", "add-replace": "delete-replace"}
    swapped["delete-replace"] = "add-replace"
    if diff.detailed is None:
        return diff
    detailed = {p: (swapped.get(kind, kind), i) for p, (kind, i) in diff.detailed.items()}
    return replace(diff, detailed=detailed)
