"""Metric data as it is put and asked for: GetMetricStatistics, GetMetricData, ListMetrics.

Source: botocore cloudwatch 2010-08-01; texts of refusals as users report them.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rehearsal.cloud.clock import Clock, datetime_from_epoch
from rehearsal.cloud.cloudwatch.math_queries import MathQueries, Points, by_id, check_queries
from rehearsal.cloud.cloudwatch.metrics import Bucket, MetricStore, SeriesKey, series_key
from rehearsal.cloud.cloudwatch.statistic import PLAIN, is_extended
from rehearsal.cloud.errors import ApiError

MAXIMUM_DATAPOINTS = 1_440
MAXIMUM_DATAPOINTS_OF_A_PAGE = 100_800
MAXIMUM_METRICS_OF_A_PAGE = 500
SHORT_PERIODS = (1, 5, 10, 20, 30)
RECENTLY_ACTIVE_SECONDS = 3 * 3_600

Members = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Queries:
    """Answers questions about the store, on rehearsal time."""

    store: MetricStore
    clock: Clock
    # Brings in what was measured since; called before anything is read.
    refresh: Callable[[], None]

    def put(self, asked: Members) -> dict[str, Any]:
        """PutMetricData: users' own metrics."""
        if asked["Namespace"].startswith("AWS/"):
            raise invalid_value("The value AWS/ for parameter Namespace is invalid.")
        for name in ("EntityMetricData", "StrictEntityValidation"):
            if asked.get(name):
                raise invalid_value(f"the rehearsal cloud does not do {name}; leave it out")
        self.put_data(asked["Namespace"], asked.get("MetricData", ()))
        return {}

    def put_data(self, namespace: str, data: Sequence[Members]) -> None:
        """Store metric data after a look at all of it."""
        for number, datum in enumerate(data, start=1):
            _check_datum(datum, f"MetricData.member.{number}")
        for datum in data:
            stamp = datum.get("Timestamp")
            moment = epoch(stamp) if stamp is not None else self.clock.now()
            key = series_key(namespace, datum["MetricName"], pairs(datum.get("Dimensions")))
            is_high = int(datum.get("StorageResolution", 60)) == 1
            self.store.put_bucket(key, moment, _bucket(datum), is_high_resolution=is_high)

    def statistics(self, asked: Members) -> dict[str, Any]:
        """GetMetricStatistics: one datapoint per period that has data."""
        plain, more = asked.get("Statistics", ()), asked.get("ExtendedStatistics", ())
        if not plain and not more:
            raise invalid_combination("Must specify either Statistics or ExtendedStatistics")
        for name in more:
            if not is_extended(name):
                raise invalid_value(
                    f"The value {name} for parameter ExtendedStatistics is invalid."
                )
        start, end, period = epoch(asked["StartTime"]), epoch(asked["EndTime"]), asked["Period"]
        _check_period(period)
        if start >= end:
            raise invalid_value("The parameter StartTime must be less than the parameter EndTime.")
        start = _rounded_down(start, period)
        count = math.ceil((end - start) / period)
        if count > MAXIMUM_DATAPOINTS:
            raise invalid_combination(
                f"You have requested up to {count:,} datapoints, which exceeds the limit of "
                f"{MAXIMUM_DATAPOINTS:,}. You may reduce the datapoints requested by increasing "
                "Period, or decreasing the time range."
            )
        self.refresh()
        key = series_key(asked["Namespace"], asked["MetricName"], pairs(asked.get("Dimensions")))
        found = self._buckets(key, [start + i * period for i in range(count)], period)
        return {
            "Label": asked["MetricName"],
            "Datapoints": [
                _datapoint(moment, bucket, plain, more)
                for moment, bucket in found
                if asked.get("Unit", bucket.unit or "None") == (bucket.unit or "None")
            ],
        }

    def data(self, asked: Members) -> dict[str, Any]:
        """GetMetricData: each query's series by its exact name, or a metric math expression."""
        start, end = epoch(asked["StartTime"]), epoch(asked["EndTime"])
        if start >= end:
            raise ApiError(
                "ValidationError", "The parameter EndTime must be greater than StartTime."
            )
        queries = asked["MetricDataQueries"]
        check_queries(queries)
        for query in queries:
            _check_period((query.get("MetricStat") or {}).get("Period", 60))
        self.refresh()
        known = by_id(queries)
        results = []
        for query in queries:
            if query.get("ReturnData", True):
                period = MathQueries.period_of(query, known)
                moments = _moments(start, end, period)
                maths = MathQueries(known, period=period, moments=moments, read=self.read)
                results.extend(maths.results(query))
        if asked.get("ScanBy") != "TimestampAscending":
            results = [(name, label, list(reversed(points))) for name, label, points in results]
        return _page(results, asked)

    def read(self, stat: Members, moments: Sequence[float]) -> dict[float, float]:
        """Return a MetricStat's values by the start of their period."""
        metric = stat["Metric"]
        key = series_key(metric["Namespace"], metric["MetricName"], pairs(metric.get("Dimensions")))
        name, unit = stat["Stat"], stat.get("Unit")
        if name not in PLAIN and not is_extended(name):
            raise ApiError("ValidationError", f"The value {name} for parameter Stat is invalid.")
        found = {}
        for moment, bucket in self._buckets(key, moments, stat["Period"]):
            value = bucket.statistic(name)
            if value is not None and unit in (None, bucket.unit or "None"):
                found[moment] = value
        return found

    def list_metrics(self, asked: Members) -> dict[str, Any]:
        """ListMetrics: series that have the dimensions asked for, 500 a page."""
        for name in ("IncludeLinkedAccounts", "OwningAccount"):
            if asked.get(name):
                raise invalid_value(f"the rehearsal cloud has one account; leave {name} out")
        self.refresh()
        since = self.clock.now() - RECENTLY_ACTIVE_SECONDS if asked.get("RecentlyActive") else None
        found = [
            key
            for key in self.store.keys()  # noqa: SIM118 - a method of ours, no mapping
            if _is_asked_for(key, asked) and (since is None or self.store.newest(key) >= since)
        ]
        offset = offset_from_token(asked.get("NextToken"))
        shown = found[offset : offset + MAXIMUM_METRICS_OF_A_PAGE]
        more = len(found) > offset + len(shown)
        return {
            "Metrics": [
                {
                    "Namespace": key.namespace,
                    "MetricName": key.name,
                    "Dimensions": [{"Name": n, "Value": v} for n, v in key.dimensions],
                }
                for key in shown
            ],
            **({"NextToken": token_from_offset(offset + len(shown))} if more else {}),
        }

    def _buckets(
        self, key: SeriesKey, moments: Iterable[float], period: float
    ) -> list[tuple[float, Bucket]]:
        found = ((moment, self.store.period(key, moment, period)) for moment in moments)
        return [(moment, bucket) for moment, bucket in found if bucket is not None]


def pairs(dimensions: Iterable[Members] | None) -> dict[str, str]:
    """Return dimensions by name."""
    return {entry["Name"]: entry["Value"] for entry in dimensions or ()}


def epoch(moment: datetime) -> float:
    """Return epoch seconds; moto's parser gives UTC with or without saying so."""
    return moment.replace(tzinfo=UTC).timestamp() if moment.tzinfo is None else moment.timestamp()


def token_from_offset(offset: int) -> str:
    """Return a NextToken that only we can read."""
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode()


def offset_from_token(token: str | None) -> int:
    """Return where a page begins, or refuse a token that isn't ours."""
    if token is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
        return int(text.removeprefix("offset:"))
    except (binascii.Error, ValueError) as err:
        raise ApiError("InvalidNextToken", "Request parameter NextToken is invalid") from err


def invalid_value(message: str) -> ApiError:
    """Return CloudWatch's answer to a value that can't be."""
    return ApiError("InvalidParameterValue", message)


def invalid_combination(message: str) -> ApiError:
    """Return CloudWatch's answer to values that can't be together."""
    return ApiError("InvalidParameterCombination", message)


def _check_period(period: int) -> None:
    if period not in SHORT_PERIODS and period % 60 != 0:
        raise invalid_value(
            f"The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, given {period}."
        )


def _rounded_down(start: float, period: int) -> float:
    """Round a StartTime down: to the minute, or to the period under one."""
    unit = period if period < 60 else 60
    return math.floor(start / unit) * float(unit)


def _moments(start: float, end: float, period: int) -> list[float]:
    first = math.floor(start / period) * float(period)
    count = math.ceil((end - first) / period)
    if count > MAXIMUM_DATAPOINTS_OF_A_PAGE:
        raise ApiError(
            "ValidationError",
            f"{count:,} periods of {period} seconds are more than the "
            f"{MAXIMUM_DATAPOINTS_OF_A_PAGE:,} of one request; ask for less time or longer periods",
        )
    return [first + index * period for index in range(count)]


def _page(results: list[tuple[str, str, Points]], asked: Members) -> dict[str, Any]:
    """Return a page of at most MaxDatapoints, and the token of the next."""
    begin = offset_from_token(asked.get("NextToken"))
    end = begin + asked.get("MaxDatapoints", MAXIMUM_DATAPOINTS_OF_A_PAGE)
    shown, place = [], 0
    for name, label, points in results:
        part = points[max(0, begin - place) : max(0, end - place)]
        place += len(points)
        if part or begin == 0:
            shown.append(
                {
                    "Id": name,
                    "Label": label,
                    "Timestamps": [datetime_from_epoch(moment) for moment, _ in part],
                    "Values": [value for _, value in part],
                    "StatusCode": "PartialData" if place > end else "Complete",
                }
            )
    more = {"NextToken": token_from_offset(end)} if place > end else {}
    return {"MetricDataResults": shown, "Messages": [], **more}


def _datapoint(
    moment: float, bucket: Bucket, plain: Iterable[str], more: Iterable[str]
) -> dict[str, Any]:
    point: dict[str, Any] = {
        "Timestamp": datetime_from_epoch(moment),
        "Unit": bucket.unit or "None",
        **{name: bucket.statistic(name) for name in plain},
    }
    extended = {name: bucket.statistic(name) for name in more}
    known = {name: value for name, value in extended.items() if value is not None}
    return {**point, "ExtendedStatistics": known} if known else point


def _is_asked_for(key: SeriesKey, asked: Members) -> bool:
    if key.namespace != asked.get("Namespace", key.namespace):
        return False
    if key.name != asked.get("MetricName", key.name):
        return False
    mine = dict(key.dimensions)
    return all(
        entry["Name"] in mine and entry.get("Value") in (None, mine[entry["Name"]])
        for entry in asked.get("Dimensions", ())
    )


def _check_datum(datum: Members, path: str) -> None:
    given = [name for name in ("Value", "Values", "StatisticValues") if datum.get(name) is not None]
    if len(given) > 1:
        raise invalid_combination(
            f"The parameters {path}.{given[0]} and {path}.{given[1]} are mutually exclusive and "
            "you have specified both."
        )
    if not given:
        raise ApiError(
            "MissingParameter",
            f"At least one of the parameters {path}.Value, {path}.Values or "
            f"{path}.StatisticValues must be specified.",
        )
    values = [datum["Value"]] if given == ["Value"] else datum.get("Values", ())
    for value in values:
        if math.isnan(value) or math.isinf(value):
            raise invalid_value(f"The value {value} for parameter {path}.{given[0]} is invalid.")
    counts = datum.get("Counts")
    if counts is not None and len(counts) != len(values):
        raise invalid_value(
            f"The parameters {path}.Values and {path}.Counts must be of the same size."
        )
    if int(datum.get("StorageResolution", 60)) not in (1, 60):
        raise invalid_value(
            f"The value {datum['StorageResolution']} for parameter {path}.StorageResolution is "
            "invalid; it is 1 or 60."
        )


def _bucket(datum: Members) -> Bucket:
    """Return a datum's statistics.

    Percentiles of StatisticValues are known only where every sample was the same.
    """
    bucket = Bucket(unit=datum.get("Unit"))
    statistics = datum.get("StatisticValues")
    if statistics is not None:
        count, least = float(statistics["SampleCount"]), float(statistics["Minimum"])
        if least == float(statistics["Maximum"]):
            bucket.add(least, count)
            return bucket
        bucket.sample_count, bucket.total = count, float(statistics["Sum"])
        bucket.minimum, bucket.maximum = least, float(statistics["Maximum"])
        return bucket
    if datum.get("Values") is not None:
        counts = datum.get("Counts") or [1.0] * len(datum["Values"])
        for value, count in zip(datum["Values"], counts, strict=True):
            bucket.add(float(value), float(count))
        return bucket
    bucket.add(float(datum["Value"]))
    return bucket
