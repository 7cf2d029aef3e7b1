"""Percentiles and their relatives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.cloudwatch.statistic import (
    extended,
    is_extended,
    smallest_significant_count,
)

TEN = [float(value) for value in range(1, 11)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("p0", 1.0),
        ("p100", 10.0),
        ("p50", 5.5),
        ("tm50", 3.0),
        ("TM(2:4)", 3.0),
        ("WM(3:8)", 5.5),
        ("TC(:3)", 3.0),
        ("TS(9:)", 19.0),
        ("PR(1:5)", 50.0),
        ("IQM", 5.5),
    ],
)
def test_a_statistic_is_what_its_name_says(name: str, expected: float) -> None:
    assert is_extended(name)
    assert extended(TEN, name) == expected
    assert extended([], name) is None


@pytest.mark.parametrize("name", ["p101", "median", "Sum", "TM", "TM(1:2:3)", "p"])
def test_what_is_no_extended_statistic_is_known(name: str) -> None:
    assert not is_extended(name)


def test_a_statistic_that_is_none_says_what_there_is() -> None:
    with pytest.raises(ValueError, match="median is not a statistic"):
        extended(TEN, "median")


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_trimmed_mean_lies_between_the_extremes(values: list[float], percent: int) -> None:
    found = extended(values, f"tm{percent}")

    assert found is not None
    assert min(values) - 1e-6 <= found <= max(values) + 1e-6


@pytest.mark.parametrize(("percent", "needed"), [(99, 1_000), (90, 100), (50, 20), (10, 100)])
def test_a_percentile_needs_so_many_samples(percent: float, needed: float) -> None:
    assert smallest_significant_count(percent) == needed
