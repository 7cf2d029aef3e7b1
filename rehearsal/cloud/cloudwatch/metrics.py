"""Metric data by series and minute, aggregated as it comes in.

A series is namespace, name and the exact set of dimensions: a query for two dimensions never
adds up the copy that has a third.
"""

from __future__ import annotations

import math
import random
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MINUTE_SECONDS = 60
# Fifteen hours of minutes per series; CloudWatch keeps 15 days of them.
MAXIMUM_BUCKETS = 900
# Percentiles come from at most so many values of a bucket, a fair sample beyond.
MAXIMUM_VALUES = 1_000
MAXIMUM_SERIES = 10_000

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class SeriesKey:
    """Names one series."""

    namespace: str
    name: str
    dimensions: Dimensions


def series_key(namespace: str, name: str, dimensions: Mapping[str, str]) -> SeriesKey:
    """Return the key of a series; dimensions have no order."""
    return SeriesKey(namespace=namespace, name=name, dimensions=tuple(sorted(dimensions.items())))


@dataclass
class Bucket:
    """Statistics of the data within one bucket of time."""

    sample_count: float = 0.0
    total: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    unit: str | None = None
    values: list[float] = field(default_factory=list)

    def add(self, value: float, count: float = 1.0) -> None:
        """Add a value that was seen `count` times."""
        self.sample_count += count
        self.total += value * count
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)
        for _ in range(int(min(count, MAXIMUM_VALUES))):
            self._keep(value)

    def merge(self, other: Bucket) -> None:
        """Add another bucket's statistics."""
        self.sample_count += other.sample_count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.unit = other.unit if other.unit is not None else self.unit
        self.values.extend(other.values)

    def statistic(self, name: str) -> float | None:
        """Return Sum, Average, Minimum, Maximum, SampleCount or a percentile such as p99."""
        if self.sample_count == 0:
            return None
        if name.startswith("p"):
            return percentile(self.values, float(name[1:]))
        return {
            "Sum": self.total,
            "Average": self.total / self.sample_count,
            "Minimum": self.minimum,
            "Maximum": self.maximum,
            "SampleCount": self.sample_count,
        }[name]

    def _keep(self, value: float) -> None:
        if len(self.values) < MAXIMUM_VALUES:
            self.values.append(value)
            return
        index = random.Random(self.sample_count).randrange(int(self.sample_count))
        if index < MAXIMUM_VALUES:
            self.values[index] = value


def percentile(values: Iterable[float], percent: float) -> float | None:
    """Return a percentile by linear interpolation, or None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


class MetricStore:
    """Every series the cloud knows, oldest minutes dropped first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: OrderedDict[SeriesKey, dict[int, Bucket]] = OrderedDict()

    def put(
        self, key: SeriesKey, timestamp: float, value: float, *, count: float = 1.0, unit: str = ""
    ) -> None:
        """Add one value at a rehearsal time."""
        with self._lock:
            bucket = self._bucket(key, timestamp)
            bucket.add(value, count)
            bucket.unit = unit if unit else bucket.unit

    def put_bucket(self, key: SeriesKey, timestamp: float, bucket: Bucket) -> None:
        """Add statistics that were aggregated elsewhere."""
        with self._lock:
            self._bucket(key, timestamp).merge(bucket)

    def period(self, key: SeriesKey, start: float, seconds: float) -> Bucket | None:
        """Return the merged buckets of [start, start + seconds), or None without any."""
        with self._lock:
            buckets = self._series.get(key)
            if buckets is None:
                return None
            first = math.ceil(start / MINUTE_SECONDS)
            last = math.ceil((start + seconds) / MINUTE_SECONDS)
            found = [buckets[minute] for minute in range(first, last) if minute in buckets]
        if not found:
            return None
        merged = Bucket()
        for bucket in found:
            merged.merge(bucket)
        return merged

    def keys(self) -> list[SeriesKey]:
        """Return every series, for ListMetrics."""
        with self._lock:
            return list(self._series)

    def _bucket(self, key: SeriesKey, timestamp: float) -> Bucket:
        buckets = self._series.get(key)
        if buckets is None:
            if len(self._series) >= MAXIMUM_SERIES:
                self._series.popitem(last=False)
            buckets = self._series[key] = {}
        minute = math.floor(timestamp / MINUTE_SECONDS)
        bucket = buckets.get(minute)
        if bucket is None:
            if len(buckets) >= MAXIMUM_BUCKETS:
                del buckets[min(buckets)]
            bucket = buckets[minute] = Bucket()
        return bucket
