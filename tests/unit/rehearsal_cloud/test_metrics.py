"""Buckets, percentiles and series."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.cloudwatch.metrics import (
    MAXIMUM_MINUTES,
    MAXIMUM_SERIES,
    MAXIMUM_VALUES,
    Bucket,
    MetricStore,
    series_key,
)
from rehearsal.cloud.cloudwatch.statistic import percentile

KEY = series_key("N", "m", {"A": "1"})


def test_statistics_of_a_bucket_count_zeros_in() -> None:
    bucket = Bucket()
    for value in (0.0, 0.0, 1.0, 3.0):
        bucket.add(value)

    found = {name: bucket.statistic(name) for name in ("Sum", "Average", "Minimum", "Maximum")}

    assert found == {"Sum": 4.0, "Average": 1.0, "Minimum": 0.0, "Maximum": 3.0}
    assert bucket.statistic("SampleCount") == 4
    assert bucket.statistic("p50") == 0.5


def test_an_empty_bucket_has_no_statistic() -> None:
    assert Bucket().statistic("Sum") is None


def test_a_period_merges_the_minutes_it_covers_and_no_other() -> None:
    store = MetricStore()
    for minute, value in enumerate((1.0, 10.0, 100.0)):
        store.put(KEY, minute * 60 + 59.9, value)

    merged = store.period(KEY, 60, 120)

    assert merged is not None
    assert merged.total == 110.0
    assert store.period(KEY, 180, 60) is None


def test_a_series_with_more_dimensions_is_another_series() -> None:
    store = MetricStore()
    store.put(series_key("N", "m", {"A": "1", "B": "2"}), 0, 5.0)

    assert store.period(KEY, 0, 60) is None
    assert series_key("N", "m", {"B": "2", "A": "1"}) == series_key("N", "m", {"A": "1", "B": "2"})


def test_the_oldest_minutes_are_dropped_beyond_the_bound() -> None:
    store = MetricStore()
    for minute in range(MAXIMUM_MINUTES + 5):
        store.put(KEY, minute * 60, 1.0)

    assert store.period(KEY, 0, 5 * 60) is None
    assert store.period(KEY, 5 * 60, 60) is not None


def test_old_minutes_become_hours() -> None:
    store = MetricStore()
    for minute in range(MAXIMUM_MINUTES + 60):
        store.put(KEY, minute * 60, 1.0)

    hour = store.period(KEY, 0, 3_600)

    assert hour is not None
    assert hour.sample_count == 60


def test_seconds_are_kept_for_three_hours() -> None:
    store = MetricStore()
    for second in (0, 5, 3 * 3_600 + 1):
        store.put(KEY, second, 1.0, is_high_resolution=True)

    assert store.period(KEY, 0, 1) is None
    assert store.period(KEY, 0, 10) is not None
    assert store.period(KEY, 0, 60) is not None


def test_of_too_many_series_the_one_silent_longest_goes() -> None:
    store = MetricStore()
    for number in range(MAXIMUM_SERIES):
        store.put(series_key("N", f"m{number}", {}), 0, 1.0)

    store.put(series_key("N", "m0", {}), 60, 1.0)
    store.put(series_key("N", "new", {}), 60, 1.0)

    names = {key.name for key in store.keys()}  # noqa: SIM118 - a method of ours, no mapping
    assert len(names) == MAXIMUM_SERIES
    assert {"m0", "new"} <= names
    assert "m1" not in names


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_a_percentile_lies_between_the_extremes(values: list[float], percent: float) -> None:
    found = percentile(values, percent)

    assert found is not None
    assert min(values) <= found <= max(values) + 1e-6


def test_a_value_seen_often_counts_often() -> None:
    store = MetricStore()

    store.put(KEY, 0, 2.0, count=3, unit="Count")

    bucket = store.period(KEY, 0, 60)
    assert bucket is not None
    assert (bucket.total, bucket.sample_count, bucket.unit) == (6.0, 3.0, "Count")


def test_a_busy_bucket_keeps_a_bounded_and_fair_sample_of_what_is_merged_into_it() -> None:
    bucket = Bucket()

    for number in range(200):
        part = Bucket()
        for _ in range(50):
            part.add(float(number))
        bucket.merge(part)

    median = bucket.statistic("p50")
    assert bucket.sample_count == 10_000
    assert len(bucket.values) == MAXIMUM_VALUES
    assert median is not None
    assert 80 < median < 120


def test_statistics_put_from_outside_are_added() -> None:
    store = MetricStore()
    store.put(KEY, 0, 2.0)

    store.put_bucket(KEY, 30, Bucket(sample_count=2, total=8, minimum=3, maximum=5))

    bucket = store.period(KEY, 0, 60)
    assert bucket is not None
    assert bucket.statistic("Average") == pytest.approx(10 / 3)
    assert bucket.maximum == 5
