"""The subset of JSONPath that transform jobs' filters may use."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.transform.errors import JsonPathError
from rehearsal.cloud.transform.jsonpath import parse

RECORD = {"id": 7, "features": [1, 2, 3], "nested": {"a": {"b": 1}, "c": [4]}, "odd name": 0}
GUIDE = "DG batch-transform-data-processing, supported JSONPath operators"


@pytest.mark.source(GUIDE)
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", RECORD),
        ("$.id", 7),
        ("$.nested.a.b", 1),
        ("$['id']", 7),
        ("$['odd name']", 0),
        ("$['id','features']", {"id": 7, "features": [1, 2, 3]}),
        ("$['id','missing']", {"id": 7}),
        ("$.nested.['a','c']", {"a": {"b": 1}, "c": [4]}),
        ("$.nested.*", [{"b": 1}, [4]]),
        ("$.features[0]", 1),
        ("$.features[-1]", 3),
        ("$.features[0,2]", [1, 3]),
        ("$.features[*]", [1, 2, 3]),
        ("$.features[1:]", [2, 3]),
    ],
)
def test_each_operator_of_the_guide_selects(path: str, found: Any) -> None:
    assert parse(path).select(RECORD) == found


@pytest.mark.assumed("DG contradicts itself on the end of a slice; json-path leaves it out")
def test_a_slice_leaves_its_end_out_and_may_stand_beside_an_index() -> None:
    row = ["a", "b", "c", "d", "e"]

    assert parse("$[1:4]").select(row) == ["b", "c", "d"]
    assert parse("$[:-1]").select(row) == ["a", "b", "c", "d"]
    assert parse("$[0,3:]").select(row) == ["a", "d", "e"]


@pytest.mark.source("botocore DataProcessing$OutputFilter: an index outside is an error")
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("id", r"must begin with \$"),
        ("$.features[9]", "index 9 of 3 elements"),
        ("$.features[0,9]", "index 9 of 3 elements"),
        ("$.missing", "finds no 'missing'"),
        ("$.id[0]", "index where the data is no array"),
        ("$.features.id", "name where the data is no object"),
        ("$.id.*", "neither object nor array"),
        ("$[", "never closes"),
        ("$[?(@.id)]", "neither an index nor a slice"),
        ("$..id", "not supported at"),
        ("$['id' or 'x']", "no list of names"),
    ],
)
def test_what_cannot_be_read_or_found_is_an_error_by_name(path: str, text: str) -> None:
    with pytest.raises(JsonPathError, match=text):
        parse(path).select(RECORD)


@given(
    st.lists(st.integers(), max_size=8),
    st.none() | st.integers(-10, 10),
    st.none() | st.integers(-10, 10),
)
def test_a_slice_selects_as_pythons_does(
    row: list[int], start: int | None, end: int | None
) -> None:
    text = f"$[{'' if start is None else start}:{'' if end is None else end}]"

    assert parse(text).select(row) == row[start:end]
