"""Metric data by series and minute or second, aggregated as it comes in.

A series is namespace, name and the exact set of dimensions: a query for two dimensions never
adds up the copy that has a third.
"""

from __future__ import annotations

import math
import random
import threading
from array import array
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from rehearsal.cloud.cloudwatch.statistic import extended

MINUTE_SECONDS = 60
HOUR_SECONDS = 3_600
# An alarm may look back one day, and a little further to fill gaps.
MAXIMUM_MINUTES = 1_500
# CloudWatch keeps data under a minute for three hours.
MAXIMUM_SECONDS = 10_800
# CloudWatch keeps hours for 455 days.
MAXIMUM_HOURS = 10_920
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


@dataclass(slots=True)
class Bucket:
    """Statistics of the data within one bucket of time."""

    sample_count: float = 0.0
    total: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    unit: str | None = None
    # Made with the first value: most buckets of an idle endpoint hold one.
    kept: array[float] | None = None

    @property
    def values(self) -> array[float]:
        """The values that percentiles come from."""
        return self.kept if self.kept is not None else array("d")

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
        if other.kept is not None:
            self._keep_of(other, other.kept)

    def statistic(self, name: str) -> float | None:
        """Return Sum, Average, Minimum, Maximum, SampleCount or an extended one such as p99."""
        if self.sample_count == 0:
            return None
        if name == "Sum":
            return self.total
        if name == "Average":
            return self.total / self.sample_count
        if name == "Minimum":
            return self.minimum
        if name == "Maximum":
            return self.maximum
        if name == "SampleCount":
            return self.sample_count
        return extended(self.values, name)

    def _keep(self, value: float) -> None:
        kept = self._make()
        if len(kept) < MAXIMUM_VALUES:
            kept.append(value)
            return
        index = random.Random(self.sample_count).randrange(int(self.sample_count))
        if index < MAXIMUM_VALUES:
            kept[index] = value

    def _keep_of(self, other: Bucket, values: array[float]) -> None:
        """Keep the other's values; beyond the bound its share of ours makes room for them."""
        kept = self._make()
        room = MAXIMUM_VALUES - len(kept)
        kept.extend(values[:room])
        if len(values) <= room:
            return
        rng = random.Random(self.sample_count)
        share = other.sample_count / self.sample_count
        chosen = min(len(values), int(MAXIMUM_VALUES * share + rng.random()))
        for value in rng.sample(values, chosen):
            kept[rng.randrange(MAXIMUM_VALUES)] = value

    def _make(self) -> array[float]:
        if self.kept is None:
            self.kept = array("d")
        return self.kept


@dataclass
class Series:
    """One series: hours of what is old, minutes of everything else, seconds where asked for."""

    newest: float = 0.0
    minutes: dict[int, Bucket] = field(default_factory=dict)
    seconds: dict[int, Bucket] = field(default_factory=dict)
    hours: dict[int, Bucket] = field(default_factory=dict)

    def buckets_at(self, timestamp: float, *, is_high_resolution: bool) -> list[Bucket]:
        """Return the buckets a value of that time goes into, made when there are none."""
        self.newest = max(self.newest, timestamp)
        minute = math.floor(timestamp / MINUTE_SECONDS)
        found = [_made(self.minutes, minute)]
        if len(self.minutes) > MAXIMUM_MINUTES:
            self._roll_up(min(self.minutes))
        if is_high_resolution:
            found.append(_made(self.seconds, math.floor(timestamp)))
            while (oldest := next(iter(self.seconds))) < self.newest - MAXIMUM_SECONDS:
                del self.seconds[oldest]
        return found

    def period(self, start: float, seconds: float) -> list[Bucket]:
        """Return the buckets that make up [start, start + seconds)."""
        if seconds % MINUTE_SECONDS != 0 and self.seconds:
            return _between(self.seconds, start, seconds, 1)
        minutes = _between(self.minutes, start, seconds, MINUTE_SECONDS)
        if seconds % HOUR_SECONDS == 0 and self.hours:
            return [*_between(self.hours, start, seconds, HOUR_SECONDS), *minutes]
        return minutes

    def _roll_up(self, minute: int) -> None:
        bucket = self.minutes.pop(minute)
        _made(self.hours, minute * MINUTE_SECONDS // HOUR_SECONDS).merge(bucket)
        if len(self.hours) > MAXIMUM_HOURS:
            del self.hours[min(self.hours)]


class MetricStore:
    """Every series the cloud knows; of too many the one that was silent longest goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: OrderedDict[SeriesKey, Series] = OrderedDict()

    def put(
        self,
        key: SeriesKey,
        timestamp: float,
        value: float,
        *,
        count: float = 1.0,
        unit: str = "",
        is_high_resolution: bool = False,
    ) -> None:
        """Add one value at a rehearsal time.

        Args:
            is_high_resolution: keep it by the second, too, for periods under a minute
        """
        with self._lock:
            for bucket in self._buckets(key, timestamp, is_high_resolution):
                bucket.add(value, count)
                bucket.unit = unit if unit else bucket.unit

    def put_bucket(
        self, key: SeriesKey, timestamp: float, bucket: Bucket, *, is_high_resolution: bool = False
    ) -> None:
        """Add statistics that were aggregated elsewhere."""
        with self._lock:
            for mine in self._buckets(key, timestamp, is_high_resolution):
                mine.merge(bucket)

    def period(self, key: SeriesKey, start: float, seconds: float) -> Bucket | None:
        """Return the merged buckets of [start, start + seconds), or None without any."""
        with self._lock:
            series = self._series.get(key)
            found = series.period(start, seconds) if series is not None else []
            if not found:
                return None
            merged = Bucket()
            for bucket in found:
                merged.merge(bucket)
            return merged

    def keys(self) -> list[SeriesKey]:
        """Return every series in the order of their names, for ListMetrics."""
        with self._lock:
            found = list(self._series)
        return sorted(found, key=lambda key: (key.namespace, key.name, key.dimensions))

    def newest(self, key: SeriesKey) -> float:
        """Return the time of a series' newest datum, 0 without any."""
        with self._lock:
            series = self._series.get(key)
            return series.newest if series is not None else 0.0

    def _buckets(self, key: SeriesKey, timestamp: float, is_high_resolution: bool) -> list[Bucket]:
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= MAXIMUM_SERIES:
                self._series.popitem(last=False)
            series = self._series[key] = Series()
        else:
            self._series.move_to_end(key)
        return series.buckets_at(timestamp, is_high_resolution=is_high_resolution)


def _made(buckets: dict[int, Bucket], index: int) -> Bucket:
    bucket = buckets.get(index)
    if bucket is None:
        bucket = buckets[index] = Bucket()
    return bucket


def _between(
    buckets: Mapping[int, Bucket], start: float, seconds: float, size: int
) -> list[Bucket]:
    first, last = math.ceil(start / size), math.ceil((start + seconds) / size)
    return [buckets[index] for index in range(first, last) if index in buckets]
