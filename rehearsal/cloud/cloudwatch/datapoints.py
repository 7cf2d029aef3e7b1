"""What an alarm looks at: one value per period of its evaluation range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.cloudwatch.alarm import Datapoint
from rehearsal.cloud.cloudwatch.math_queries import MathQueries, by_id
from rehearsal.cloud.cloudwatch.metrics import series_key
from rehearsal.cloud.cloudwatch.queries import Queries, pairs
from rehearsal.cloud.cloudwatch.statistic import percent_of, smallest_significant_count


@dataclass(frozen=True, kw_only=True)
class AlarmData:
    """Reads the metric, or the expression, of an alarm."""

    queries: Queries

    def datapoints(self, members: Mapping[str, Any], end: float, count: int) -> list[Datapoint]:
        """Return `count` periods that end at `end`, oldest first.

        Args:
            members: the alarm as PutMetricAlarm received it
        """
        period = period_of(members)
        moments = [end - back * period for back in range(count, 0, -1)]
        if "Metrics" in members:
            return self._calculated(members["Metrics"], period, moments)
        key = series_key(
            members["Namespace"], members["MetricName"], pairs(members.get("Dimensions"))
        )
        statistic = members.get("Statistic") or members["ExtendedStatistic"]
        found = []
        for moment in moments:
            bucket = self.queries.store.period(key, moment, period)
            if bucket is None or members.get("Unit", bucket.unit or "None") != (
                bucket.unit or "None"
            ):
                found.append(Datapoint(start=moment, value=None))
                continue
            value = bucket.statistic(statistic)
            found.append(Datapoint(start=moment, value=value, sample_count=bucket.sample_count))
        return found

    def has_too_few_samples(
        self, members: Mapping[str, Any], datapoints: Sequence[Datapoint]
    ) -> bool:
        """Tell whether a percentile alarm that ignores low samples must stay as it is."""
        percent = percent_of(members.get("ExtendedStatistic", ""))
        if percent is None or members.get("EvaluateLowSampleCountPercentile") != "ignore":
            return False
        known = [point for point in datapoints if point.value is not None]
        shown = known[-int(members["EvaluationPeriods"]) :]
        needed = smallest_significant_count(percent)
        return any(point.sample_count < needed for point in shown)

    def _calculated(
        self, queries: Sequence[Mapping[str, Any]], period: int, moments: Sequence[float]
    ) -> list[Datapoint]:
        maths = MathQueries(by_id(queries), period=period, moments=moments, read=self.queries.read)
        values = maths.values(returned_query(queries))
        return [Datapoint(start=moment, value=values.get(moment)) for moment in moments]


def returned_query(queries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the one query of an alarm that is compared with its threshold."""
    return next(query for query in queries if query.get("ReturnData", True))


def period_of(members: Mapping[str, Any]) -> int:
    """Return an alarm's period in seconds; that of its metrics when it has an expression."""
    queries = members.get("Metrics")
    if queries is None:
        return int(members.get("Period", 60))
    return MathQueries.period_of(returned_query(queries), by_id(queries))
