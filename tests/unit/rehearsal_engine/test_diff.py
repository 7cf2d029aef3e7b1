"""Comparing values and the paths that options name."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.engine.diff import (
    Diff,
    equal,
    format_path,
    ignore_changes,
    invert,
    parse_path,
    path_contains,
    replace_on_changes,
    structural_diff,
)
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
        ("a[*].*", ("a", "*", "*")),
        ('["quo\\"te"]', ('quo"te',)),
        ("*", ("*",)),
    ],
)
def test_a_path_is_parsed_into_its_parts(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path
    assert parse_path(format_path(path)) == path


@pytest.mark.parametrize("text", ["a[0", 'a["b', "a[b]"])
def test_a_broken_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"property path|invalid literal"):
        parse_path(text)


def test_a_path_contains_itself_and_what_lies_below() -> None:
    assert path_contains(parse_path("a.*"), parse_path("a.b.c"))
    assert path_contains(parse_path("a"), parse_path("a"))
    assert not path_contains(parse_path("a.b"), parse_path("a"))
    assert not path_contains(parse_path("a[0]"), parse_path("a[1].b"))


@pytest.mark.parametrize(
    ("old", "path", "expected", "impossible"),
    [
        ({"a": 1, "b": 1}, "a", {"a": 1, "b": 2, "c": [1, 2]}, []),
        ({}, "a", {"b": 2, "c": [1, 2]}, []),
        ({"c": [9, 8]}, "c[1]", {"a": 2, "b": 2, "c": [1, 8]}, []),
        ({"c": [9]}, "c[1]", {"a": 2, "b": 2, "c": [1, 2]}, ["c[1]"]),
        ({"c": [9, 8]}, "c[*]", {"a": 2, "b": 2, "c": [9, 8]}, []),
        ({"a": Secret(7)}, "a", {"a": Secret(7), "b": 2, "c": [1, 2]}, []),
        ({"a": 0, "b": 1}, "*", {"a": 0, "b": 1}, []),
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


def test_a_structural_diff_names_every_changed_path() -> None:
    old = {"a": 1, "b": {"x": 1, "y.z": 2}, "c": [1, 2], "gone": 1}
    new = {"a": 1, "b": {"x": 2, "y.z": 3}, "c": [1], "new": 1}

    diff = structural_diff(old, new)

    assert diff.detailed == {
        "b.x": ("update", True),
        'b["y.z"]': ("update", True),
        "c[1]": ("delete", True),
        "gone": ("delete", True),
        "new": ("add", True),
    }
    assert diff.changed_keys == ("b", "c", "gone", "new")
    assert not structural_diff(old, old).changed


def test_changes_below_a_replace_on_changes_path_become_replacements() -> None:
    diff = Diff(
        changed=True,
        changed_keys=("a", "b"),
        detailed={"a.x": ("update", True), "b": ("add", True)},
    )

    replaced = replace_on_changes(diff, ["a"], init_errors=False)

    assert replaced.replace_keys == ("a",)
    assert replaced.detailed == {"a.x": ("update-replace", True), "b": ("add", True)}
    assert replaced.replaces
    assert not diff.replaces


def test_a_failed_initialisation_replaces_only_when_asked() -> None:
    nothing = Diff(changed=False)

    assert replace_on_changes(nothing, ["#initerror"], init_errors=True).replaces
    assert not replace_on_changes(nothing, ["a"], init_errors=True).changed
    assert not replace_on_changes(nothing, ["*"], init_errors=False).changed


def test_a_replacing_kind_alone_is_a_replacement() -> None:
    assert Diff(changed=True, detailed={"a": ("delete-replace", False)}).replaces


def test_inverting_a_diff_swaps_what_came_and_went() -> None:
    diff = Diff(changed=True, detailed={"a": ("add", True), "b": ("delete-replace", False)})

    assert invert(diff).detailed == {"a": ("delete", True), "b": ("add-replace", False)}
