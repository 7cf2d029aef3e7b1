"""Filters, order and pages of list operations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.hosting.listing import Row, page


def rows(count: int) -> list[Row]:
    return [
        Row(
            name=f"n{index}",
            times={"CreationTime": float(index)},
            summary={"Name": f"n{index}"},
            status="InService" if index % 2 else "Failed",
        )
        for index in range(count)
    ]


def names(answer: dict[str, Any]) -> list[str]:
    return [summary["Name"] for summary in answer["Rows"]]


@pytest.mark.source("botocore ListEndpointsInput: Descending, MaxResults 10")
def test_ten_at_a_time_newest_first_unless_asked_otherwise() -> None:
    answer = page(rows(12), {}, result_key="Rows")

    assert names(answer) == [f"n{index}" for index in range(11, 1, -1)]
    assert answer["NextToken"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"StatusEquals": "Failed"}, ["n2", "n0"]),
        ({"NameContains": "3"}, ["n3"]),
        ({"CreationTimeAfter": 2.0, "SortBy": "Name", "SortOrder": "Ascending"}, ["n2", "n3"]),
        ({"CreationTimeBefore": 1.0}, ["n1", "n0"]),
        ({"SortBy": "Status", "SortOrder": "Ascending"}, ["n0", "n2", "n1", "n3"]),
    ],
)
def test_filters_and_orders(asked: dict[str, Any], expected: list[str]) -> None:
    assert names(page(rows(4), asked, result_key="Rows")) == expected


@given(count=st.integers(0, 30), size=st.integers(1, 7))
def test_pages_together_hold_everything_once(count: int, size: int) -> None:
    found: list[str] = []
    token: dict[str, Any] = {}
    while True:
        answer = page(rows(count), {"MaxResults": size, **token}, result_key="Rows")
        found += names(answer)
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}

    assert sorted(found) == sorted(f"n{index}" for index in range(count))


def test_a_foreign_token_is_refused() -> None:
    with pytest.raises(ApiError, match="NextToken 'x' is not one"):
        page(rows(1), {"NextToken": "x"}, result_key="Rows")
