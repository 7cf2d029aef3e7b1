"""Filters, order and pages of the list operations.

Source: botocore sagemaker 2017-07-24, ListModelsInput, ListEndpointConfigsInput,
ListEndpointsInput: newest first and ten at a time unless asked otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.errors import validation_exception

DEFAULT_MAXIMUM_RESULTS = 10
TIME_FILTERS = ("CreationTime", "LastModifiedTime")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One summary and what it is filtered and sorted by.

    Args:
        number: tells what was made at one time and has one name apart, as versions
    """

    name: str
    times: Mapping[str, float]
    summary: Mapping[str, Any]
    status: str = ""
    number: int = 0


def page(rows: Iterable[Row], asked: Mapping[str, Any], *, result_key: str) -> dict[str, Any]:
    """Return one page of summaries under `result_key`, with NextToken when more follow."""
    found = [row for row in rows if _is_wanted(row, asked)]
    sort_by = asked.get("SortBy", "CreationTime")
    found.sort(
        key=lambda row: _sort_key(row, sort_by),
        reverse=asked.get("SortOrder", "Descending") == "Descending",
    )
    start = offset_of(asked.get("NextToken"))
    size = asked.get("MaxResults", DEFAULT_MAXIMUM_RESULTS)
    answer: dict[str, Any] = {result_key: [row.summary for row in found[start : start + size]]}
    if start + size < len(found):
        answer["NextToken"] = str(start + size)
    return answer


def _is_wanted(row: Row, asked: Mapping[str, Any]) -> bool:
    if asked.get("NameContains", "") not in row.name:
        return False
    if asked.get("StatusEquals", row.status) != row.status:
        return False
    for name in TIME_FILTERS:
        moment = row.times.get(name, 0.0)
        if not asked.get(f"{name}After", moment) <= moment <= asked.get(f"{name}Before", moment):
            return False
    return True


def _sort_key(row: Row, sort_by: str) -> tuple[Any, str, int]:
    if sort_by == "Name":
        return (row.name, row.name, row.number)
    if sort_by == "Status":
        return (row.status, row.name, row.number)
    return (row.times["CreationTime"], row.name, row.number)


def offset_of(token: str | None) -> int:
    """Return where a page begins; a token that no list operation gave is refused."""
    if token is None:
        return 0
    if not token.isdecimal():
        raise validation_exception(f"NextToken '{token}' is not one that a list operation gave")
    return int(token)
