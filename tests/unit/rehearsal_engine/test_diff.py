"""Comparing values and the paths that options name."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.engine.diff import (
    Diff,
    equal,
    ignore_changes,
    invert,
    parse_path,
    structural_diff,
)
from rehearsal.engine.errors import EngineError
from rehearsal.engine.values import UNKNOWN, Asset, ResourceReference, Secret


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, True, False),
        (1, 1.0, True),
        (0, False, False),
        (None, {}, False),
        (Secret("a"), "a", False),
        (Secret("a"), Secret("a"), True),
        (Asset(path="a", hash="h"), Asset(text="b", hash="h"), True),
        (Asset(path="a"), Asset(path="a"), False),
        (UNKNOWN, UNKNOWN, True),
        (UNKNOWN, "x", False),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        (ResourceReference(urn="u", id="1"), ResourceReference(urn="u", id="2"), False),
    ],
)
def test_equality_is_pulumis(left: object, right: object, same: bool) -> None:
    assert equal(left, right) is same
    assert equal(right, left) is same


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ('a["b.c"]["d"][2]', ("a", "b.c", "d", 2)),
        ('["quo\\"te"]', ('quo"te',)),
    ],
)
def test_a_path_is_parsed_into_its_parts(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["a[0", 'a["b', "a[b]", ""])
def test_a_broken_path_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="property path"):
        parse_path(text)


@pytest.mark.parametrize("text", ["*", "a.*", "a[*].b"])
def test_a_star_in_a_path_is_refused_by_name(text: str) -> None:
    with pytest.raises(EngineError, match=r"the star in the property path .* is not supported"):
        parse_path(text)


@pytest.mark.parametrize(
    ("old", "path", "expected", "impossible"),
    [
        ({"a": 1, "b": 1}, "a", {"a": 1, "b": 2, "c": [1, 2]}, []),
        ({}, "a", {"b": 2, "c": [1, 2]}, []),
        ({"c": [9, 8]}, "c[1]", {"a": 2, "b": 2, "c": [1, 8]}, []),
        ({"c": [9]}, "c[1]", {"a": 2, "b": 2, "c": [1, 2]}, ["c[1]"]),
        ({"a": Secret(7)}, "a", {"a": Secret(7), "b": 2, "c": [1, 2]}, []),
    ],
)
def test_ignored_changes_keep_the_old_value(
    old: dict[str, Any], path: str, expected: dict[str, Any], impossible: list[str]
) -> None:
    new = {"a": 2, "b": 2, "c": [1, 2]}

    kept, failed = ignore_changes(new, old, [path])

    assert kept == expected
    assert failed == impossible
    assert new == {"a": 2, "b": 2, "c": [1, 2]}


def test_a_structural_diff_names_every_changed_property() -> None:
    old = {"a": 1, "b": {"x": 1, "y.z": 2}, "c": [1, 2], "gone": 1}
    new = {"a": 1, "b": {"x": 2, "y.z": 3}, "c": [1], "new": 1}

    diff = structural_diff(old, new)

    assert diff.detailed == {
        "b": ("update", True),
        "c": ("update", True),
        "gone": ("delete", True),
        "new": ("add", True),
    }
    assert diff.changed_keys == ("b", "c", "gone", "new")
    assert not structural_diff(old, old).changed


def test_a_replacing_kind_alone_is_a_replacement() -> None:
    assert Diff(changed=True, detailed={"a": ("delete-replace", False)}).replaces


def test_inverting_a_diff_swaps_what_came_and_went() -> None:
    diff = Diff(changed=True, detailed={"a": ("add", True), "b": ("delete-replace", False)})

    assert invert(diff).detailed == {"a": ("delete", True), "b": ("add-replace", False)}
