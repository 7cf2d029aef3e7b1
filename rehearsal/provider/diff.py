"""Diff: what differs between what is and what is wanted, and does that replace? Pure.

What is: the outputs of last time, which hold what AWS said; so a drift that a refresh found counts.
Source: pulumi-terraform-bridge, pkg/tfbridge/provider.go `Diff` and schema.go
`nameRequiresDeleteBeforeReplace`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from rehearsal.provider.entry import ResourceType
from rehearsal.provider.value import (
    DEFAULTS_KEY,
    UNKNOWN,
    Asset,
    Values,
    contains_unknown,
    is_zero,
    without_defaults,
)

# A path, what happened to it, and the whole value that came or went there.
Found = tuple[str, "DiffKind", Any]


TAGS = frozenset({"tags", "tagsAll"})


class DiffKind(IntEnum):
    """pulumirpc.PropertyDiff.Kind."""

    ADD = 0
    ADD_REPLACE = 1
    DELETE = 2
    DELETE_REPLACE = 3
    UPDATE = 4
    UPDATE_REPLACE = 5

    def replacing(self) -> DiffKind:
        """The kind that says that this change replaces."""
        return DiffKind(self | 1)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The answer: each changed path, which top-level properties replace, and in which order."""

    detailed: Mapping[str, DiffKind]
    replaces: tuple[str, ...]
    delete_before_replace: bool

    @property
    def properties(self) -> frozenset[str]:
        """The top-level properties that differ."""
        return frozenset(top_level(path) for path in self.detailed)


def top_level(path: str) -> str:
    """`a` of `a.b[0]`."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def without_indexes(path: str) -> str:
    """`a.b` of `a[0].b`."""
    return re.sub(r"\[[^\]]*\]", "", path)


def diff(
    entry: ResourceType,
    *,
    old_inputs: Values,
    old_outputs: Values,
    news: Values,
    ignore_changes: Sequence[str] = (),
) -> Difference:
    """Compare the wanted inputs with what is.

    Args:
        ignore_changes: paths whose changes the program asked to leave alone
    """
    found: dict[str, DiffKind] = {}
    for path, kind, whole in _changes(entry, without_defaults(old_inputs), old_outputs, news):
        if not _is_ignored(path, [*ignore_changes, *entry.silent]):
            inside = _paths_inside(without_indexes(path), whole)
            replacing = any(entry.is_replacing(item) for item in inside)
            found[path] = kind.replacing() if replacing else kind
    replaces = tuple(sorted({top_level(path) for path, kind in found.items() if kind & 1}))
    before = bool(replaces) and (
        entry.delete_before_replace or _keeps_given_name(entry, old_outputs, news)
    )
    return Difference(detailed=found, replaces=replaces, delete_before_replace=before)


def _paths_inside(path: str, whole: Any) -> Iterator[str]:
    """The path, and those of everything that comes or goes with it."""
    yield path
    if isinstance(whole, dict):
        for name, item in whole.items():
            yield from _paths_inside(f"{path}.{name}", item)
    elif isinstance(whole, list):
        for item in whole:
            yield from _paths_inside(path, item)


def _keeps_given_name(entry: ResourceType, old_outputs: Values, news: Values) -> bool:
    """A name the program gave and did not change can't be taken by two resources at once."""
    if entry.autoname is None or not entry.autoname.random:
        return False
    name = entry.autoname.property
    if name not in news or name in news.get(DEFAULTS_KEY, []):
        return False
    return bool(old_outputs.get(name, news[name]) == news[name])


def _is_ignored(path: str, ignore_changes: Sequence[str]) -> bool:
    plain = without_indexes(path)
    for ignored in ignore_changes:
        base = without_indexes(ignored)
        if base == "*" or plain == base or plain.startswith(f"{base}."):
            return True
    return False


def _changes(
    entry: ResourceType, old_inputs: Values, old_outputs: Values, news: Values
) -> Iterator[Found]:
    wanted = without_defaults(news)
    for name in sorted(set(wanted) | set(old_inputs)):
        is_ = old_outputs.get(name, old_inputs.get(name))
        if name in TAGS and name in wanted:
            # Tags that somebody else added are drift; the service itself adds none that count.
            yield from _compare(entry, name, is_, wanted[name])
        elif name in wanted:
            is_ = shaped_like((old_inputs.get(name), wanted[name]), is_)
            yield from _compare(entry, name, is_, wanted[name])
        elif name not in entry.computed and not is_zero(is_):
            yield name, DiffKind.DELETE, is_


def shaped_like(shapes: Sequence[Any], value: Any) -> Any:
    """The value without the members that no shape has: what the service itself filled in."""
    if isinstance(value, dict):
        objects = [shape for shape in shapes if isinstance(shape, dict)]
        return {
            key: shaped_like([shape[key] for shape in objects if key in shape], item)
            for key, item in value.items()
            if any(key in shape for shape in objects)
        }
    if isinstance(value, list):
        lists = [shape for shape in shapes if isinstance(shape, list)]
        return [
            shaped_like([shape[index] for shape in lists if index < len(shape)], item)
            for index, item in enumerate(value)
        ]
    return value


def _compare(entry: ResourceType, path: str, old: Any, new: Any) -> Iterator[Found]:
    if new is UNKNOWN:
        yield path, DiffKind.UPDATE if old is not None else DiffKind.ADD, None
    elif old is None:
        if not is_zero(new):
            yield path, DiffKind.ADD, new
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from _compare_members(entry, path, old, new)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _compare_items(entry, path, old, new)
    elif not is_same(entry, path, old, new):
        yield path, DiffKind.UPDATE, None


def _compare_members(entry: ResourceType, path: str, old: Values, new: Values) -> Iterator[Found]:
    for name in sorted(set(old) | set(new)):
        inner = f"{path}.{name}" if re.fullmatch(r"\w+", name) else f'{path}["{name}"]'
        if name in new:
            yield from _compare(entry, inner, old.get(name), new[name])
        elif not is_zero(old[name]):
            yield inner, DiffKind.DELETE, old[name]


def _compare_items(
    entry: ResourceType, path: str, old: list[Any], new: list[Any]
) -> Iterator[Found]:
    is_set = without_indexes(path) in entry.sets
    if is_set and not contains_unknown(new):
        old, new = sorted(old, key=_order), sorted(new, key=_order)
    for index in range(max(len(old), len(new))):
        inner = f"{path}[{index}]"
        if index >= len(new):
            yield inner, DiffKind.DELETE, old[index]
        elif index >= len(old):
            yield inner, DiffKind.ADD, new[index]
        else:
            yield from _compare(entry, inner, old[index], new[index])


def _order(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def is_same(entry: ResourceType, path: str, old: Any, new: Any) -> bool:
    """True when two leaf values mean the same to the real provider."""
    if isinstance(new, Asset):
        return new.same_content(old)
    if without_indexes(path) in entry.documents and isinstance(old, str) and isinstance(new, str):
        return _same_document(old, new)
    return bool(old == new)


def _same_document(old: str, new: str) -> bool:
    try:
        return bool(json.loads(old) == json.loads(new))
    except json.JSONDecodeError:
        return old == new
