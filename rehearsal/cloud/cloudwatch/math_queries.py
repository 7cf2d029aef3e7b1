"""A list of MetricDataQueries: which depends on which, and what each comes to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rehearsal.cloud.cloudwatch.expression import (
    BadExpression,
    Context,
    Value,
    evaluate_expression,
    ids_in,
)
from rehearsal.cloud.errors import ApiError

QUERY_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
MAXIMUM_QUERIES = 500
DEFAULT_PERIOD = 60

Query = Mapping[str, Any]
Points = list[tuple[float, float]]
Read = Callable[[Mapping[str, Any], Sequence[float]], dict[float, float]]


def by_id(queries: Sequence[Query]) -> dict[str, Query]:
    """Return queries by their id."""
    return {query["Id"]: query for query in queries}


def check_queries(queries: Sequence[Query]) -> None:
    """Refuse queries that can't be evaluated, before anything is."""
    if len(queries) > MAXIMUM_QUERIES:
        raise _refused(
            f"The collection MetricDataQueries must not have a size greater than {MAXIMUM_QUERIES}."
        )
    known = by_id(queries)
    if len(known) < len(queries):
        raise _refused("The values for parameter id in MetricDataQueries are not unique.")
    for number, query in enumerate(queries, start=1):
        if QUERY_ID.fullmatch(query["Id"]) is None:
            raise _refused(
                f"The value {query['Id']} for parameter MetricDataQueries.member.{number}.Id is "
                "invalid; it starts with a lower case letter."
            )
        if query.get("AccountId") is not None:
            raise _refused("the rehearsal cloud has one account; leave AccountId out")
        stat, expression = query.get("MetricStat"), query.get("Expression")
        if (stat is None) == (expression is None):
            # AWS also returns the empty line
            raise _refused(
                f"The parameter MetricDataQueries.member.{number}.MetricStat is required.\n"
            )
        if expression is not None:
            _check_expression(query["Id"], expression, known)


def _check_expression(name: str, expression: str, known: Mapping[str, Query]) -> None:
    if re.match(r"\s*SELECT\b", expression, re.IGNORECASE):
        raise _refused("the rehearsal cloud does not do Metrics Insights (SELECT); use MetricStat")
    pending, seen = [name], set()
    while pending:
        query = known.get(pending.pop(), {})
        try:
            needed = ids_in(query.get("Expression", ""))
        except BadExpression as err:
            raise _refused(str(err)) from err
        if name in needed:
            raise _refused(f"The expression of {name} depends on itself.")
        pending.extend(other for other in needed if other not in seen)
        seen.update(needed)


class MathQueries:
    """Evaluates queries over the same periods; each at most once."""

    def __init__(
        self, known: Mapping[str, Query], *, period: int, moments: Sequence[float], read: Read
    ) -> None:
        self._known = known
        self._period = period
        self._moments = moments
        self._read = read
        self._values: dict[str, Value] = {}

    @staticmethod
    def period_of(query: Query, known: Mapping[str, Query]) -> int:
        """Return a query's period: its own, or the longest of what its expression names."""
        stat = query.get("MetricStat")
        if stat is not None:
            return int(stat["Period"])
        named = [known[name] for name in ids_in(query["Expression"]) if name in known]
        if not named and "METRICS(" in query["Expression"].replace(" ", ""):
            named = [other for other in known.values() if other.get("MetricStat") is not None]
        periods = [MathQueries.period_of(other, known) for other in named]
        return max(periods, default=int(query.get("Period", DEFAULT_PERIOD)))

    def results(self, query: Query) -> list[tuple[str, str, Points]]:
        """Return id, label and points of a query, one entry per series it comes to."""
        value = self._value(query)
        label = query.get("Label") or _label(query)
        if isinstance(value, list):
            return [(query["Id"], label, sorted(series.items())) for series in value]
        return [(query["Id"], label, self._points(value))]

    def values(self, query: Query) -> dict[float, float]:
        """Return the one series of a query, for an alarm."""
        value = self._value(query)
        if isinstance(value, list):
            raise _refused("the expression of an alarm must return a single time series")
        return dict(self._points(value))

    def _points(self, value: Value) -> Points:
        if isinstance(value, Mapping):
            return sorted(value.items())
        if isinstance(value, float):
            return [(moment, value) for moment in self._moments]
        raise _refused("an expression must return a number or a time series")

    def _value(self, query: Query) -> Value:
        name = query["Id"]
        if name not in self._values:
            self._values[name] = self._evaluated(query)
        return self._values[name]

    def _evaluated(self, query: Query) -> Value:
        stat = query.get("MetricStat")
        if stat is not None:
            return self._read(stat, self._moments)
        text = query["Expression"]
        named = {n: self._value(self._known[n]) for n in ids_in(text) if n in self._known}
        context = Context(moments=self._moments, period=self._period, metrics=self._metrics(text))
        try:
            return evaluate_expression(text, named, context)
        except BadExpression as err:
            raise _refused(str(err)) from err

    def _metrics(self, text: str) -> dict[str, Mapping[float, float]]:
        if "METRICS" not in text:
            return {}
        found = {}
        for name, query in self._known.items():
            if query.get("MetricStat") is not None:
                value = self._value(query)
                assert isinstance(value, Mapping)
                found[name] = value
        return found


def _label(query: Query) -> str:
    stat = query.get("MetricStat")
    if stat is None:
        return str(query["Id"])
    return f"{stat['Metric']['MetricName']} {stat['Stat']}"


def _refused(message: str) -> ApiError:
    return ApiError("ValidationError", message)
