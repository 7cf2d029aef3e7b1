"""Operators and functions of metric math, over numbers, series and lists of series; pure.

Source: CloudWatch User Guide, "Using math expressions with CloudWatch metrics", read 2026.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Series = Mapping[float, float]
# A quoted word or FILL's REPEAT and LINEAR are strings.
Value = float | Series | list[Series] | str
Arguments = Sequence[Value]


class BadExpression(Exception):
    """The expression can't be evaluated; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What surrounds an evaluation.

    Args:
        moments: the start of every period the answer is for, ascending
        period: seconds of a period
        metrics: the queries that are no expression, by id, for METRICS()
    """

    moments: Sequence[float]
    period: float
    metrics: Mapping[str, Series] = field(default_factory=dict)


Function = Callable[[Arguments, Context], Value]

OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": lambda a, b: a**b,
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<=": lambda a, b: float(a <= b),
    ">=": lambda a, b: float(a >= b),
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
    "AND": lambda a, b: float(bool(a) and bool(b)),
    "&&": lambda a, b: float(bool(a) and bool(b)),
    "OR": lambda a, b: float(bool(a) or bool(b)),
    "||": lambda a, b: float(bool(a) or bool(b)),
}


def combine(operator: str, left: Value, right: Value) -> Value:
    """Apply an operator: between series only where both have a datapoint."""
    if isinstance(left, str) or isinstance(right, str):
        raise BadExpression(f"{operator} works on numbers and time series")
    if isinstance(left, list):
        if isinstance(right, list):
            raise BadExpression(f"{operator} does not work between two lists of time series")
        return [_paired(operator, series, right) for series in left]
    if isinstance(right, list):
        return [_paired(operator, left, series) for series in right]
    if isinstance(left, Mapping) or isinstance(right, Mapping):
        return _paired(operator, left, right)
    found = _applied(operator, left, right)
    if found is None:
        raise BadExpression(f"{left} {operator} {right} has no value")
    return found


def negate(value: Value) -> Value:
    """Return the negative of a number, a series or each series of a list."""
    return combine("*", value, -1.0)


def _paired(operator: str, left: float | Series, right: float | Series) -> Series:
    if isinstance(left, Mapping):
        moments = [m for m in left if not isinstance(right, Mapping) or m in right]
    else:
        assert isinstance(right, Mapping)
        moments = list(right)
    found = {m: _applied(operator, _at(left, m), _at(right, m)) for m in moments}
    return {moment: value for moment, value in found.items() if value is not None}


def _at(value: float | Series, moment: float) -> float:
    return value[moment] if isinstance(value, Mapping) else value


def _applied(operator: str, left: float, right: float) -> float | None:
    """Return the result, None where there is none: a division by zero leaves no datapoint."""
    try:
        found = OPERATORS[operator](left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    return None if isinstance(found, complex) or math.isnan(found) else found


# ---- functions


def _series(value: Value, name: str) -> Series:
    if not isinstance(value, Mapping):
        raise BadExpression(f"{name} takes a time series")
    return value


def _each(name: str, change: Callable[[float], float]) -> Function:
    """Return a function that changes every value of a number, a series or a list."""

    def apply(arguments: Arguments, _: Context) -> Value:
        (value,) = _counted(name, arguments, 1, 1)
        if isinstance(value, list):
            return [{m: change(v) for m, v in series.items()} for series in value]
        if isinstance(value, Mapping):
            return {m: change(v) for m, v in value.items()}
        if isinstance(value, str):
            raise BadExpression(f"{name} takes a number or a time series")
        return change(value)

    return apply


def _aggregate(name: str, take: Callable[[Sequence[float]], float]) -> Function:
    """Return a function of a series (to a number) or of a list (to a series)."""

    def apply(arguments: Arguments, _: Context) -> Value:
        (value,) = _counted(name, arguments, 1, 1)
        if isinstance(value, list):
            moments = sorted({moment for series in value for moment in series})
            return {
                moment: take([series[moment] for series in value if moment in series])
                for moment in moments
            }
        values = list(_series(value, name).values())
        if not values:
            return {}
        return take(values)

    return apply


def _counted(name: str, arguments: Arguments, least: int, most: int) -> Arguments:
    if not least <= len(arguments) <= most:
        allowed = str(least) if least == most else f"{least} to {most}"
        raise BadExpression(f"{name} takes {allowed} arguments, given {len(arguments)}")
    return arguments


def _fill(arguments: Arguments, context: Context) -> Value:
    value, filler = _counted("FILL", arguments, 2, 2)
    if isinstance(value, list):
        return [_filled(series, filler, context) for series in value]
    return _filled(_series(value, "FILL"), filler, context)


def _filled(series: Series, filler: Value, context: Context) -> Series:
    if filler == "REPEAT":
        return _repeated(series, context)
    if filler == "LINEAR":
        return _interpolated(series, context)
    if isinstance(filler, Mapping):
        known = {**{m: filler[m] for m in context.moments if m in filler}, **series}
        return {m: known[m] for m in context.moments if m in known}
    if isinstance(filler, float):
        return {m: series.get(m, filler) for m in context.moments}
    raise BadExpression("FILL takes a number, a time series, REPEAT or LINEAR")


def _repeated(series: Series, context: Context) -> Series:
    found: dict[float, float] = {}
    last: float | None = None
    for moment in context.moments:
        last = series.get(moment, last)
        if last is not None:
            found[moment] = last
    return found


def _interpolated(series: Series, context: Context) -> Series:
    found = {m: series[m] for m in context.moments if m in series}
    known = sorted(found)
    for low, high in itertools.pairwise(known):
        for moment in context.moments:
            if low < moment < high:
                part = (moment - low) / (high - low)
                found[moment] = series[low] + part * (series[high] - series[low])
    return {m: found[m] for m in context.moments if m in found}


def _if(arguments: Arguments, context: Context) -> Value:
    """IF(condition, then[, else]); without an else a false datapoint is left out."""
    _counted("IF", arguments, 2, 3)
    condition, then = arguments[0], arguments[1]
    other = arguments[2] if len(arguments) == 3 else None
    if isinstance(condition, float):
        chosen = then if condition else other
        return {} if chosen is None else chosen
    conditions = _series(condition, "IF")
    found: dict[float, float] = {}
    for moment, holds in conditions.items():
        chosen = then if holds else other
        value = chosen.get(moment) if isinstance(chosen, Mapping) else chosen
        if isinstance(value, float | int):
            found[moment] = float(value)
    return found


def _steps(name: str, step: Callable[[float, float, float], float]) -> Function:
    """Return a function of each datapoint, the one before and the seconds between."""

    def apply(arguments: Arguments, _: Context) -> Value:
        (value,) = _counted(name, arguments, 1, 1)
        series = _series(value, name)
        moments = sorted(series)
        return {
            after: step(series[before], series[after], after - before)
            for before, after in itertools.pairwise(moments)
        }

    return apply


def _running_sum(arguments: Arguments, _: Context) -> Value:
    (value,) = _counted("RUNNING_SUM", arguments, 1, 1)
    series = _series(value, "RUNNING_SUM")
    total, found = 0.0, {}
    for moment in sorted(series):
        total += series[moment]
        found[moment] = total
    return found


def _end(name: str, index: int) -> Function:
    def apply(arguments: Arguments, _: Context) -> Value:
        (value,) = _counted(name, arguments, 1, 1)
        series = _series(value, name)
        return series[sorted(series)[index]] if series else {}

    return apply


def _metrics(arguments: Arguments, context: Context) -> Value:
    _counted("METRICS", arguments, 0, 1)
    wanted = arguments[0] if arguments else ""
    if not isinstance(wanted, str):
        raise BadExpression("METRICS takes a quoted part of the ids, or nothing")
    return [series for name, series in context.metrics.items() if wanted in name]


def _metric_count(arguments: Arguments, _: Context) -> Value:
    (value,) = _counted("METRIC_COUNT", arguments, 1, 1)
    return float(len(value)) if isinstance(value, list) else 1.0


def _time_series(arguments: Arguments, context: Context) -> Value:
    (value,) = _counted("TIME_SERIES", arguments, 1, 1)
    if not isinstance(value, float):
        raise BadExpression("TIME_SERIES takes a number")
    return dict.fromkeys(context.moments, value)


def _period(arguments: Arguments, context: Context) -> Value:
    _counted("PERIOD", arguments, 1, 1)
    return float(context.period)


FUNCTIONS: Mapping[str, Function] = {
    "ABS": _each("ABS", abs),
    "AVG": _aggregate("AVG", statistics.fmean),
    "CEIL": _each("CEIL", lambda value: float(math.ceil(value))),
    "DIFF": _steps("DIFF", lambda before, after, seconds: after - before),
    "FILL": _fill,
    "FIRST": _end("FIRST", 0),
    "FLOOR": _each("FLOOR", lambda value: float(math.floor(value))),
    "IF": _if,
    "LAST": _end("LAST", -1),
    "MAX": _aggregate("MAX", max),
    "METRICS": _metrics,
    "METRIC_COUNT": _metric_count,
    "MIN": _aggregate("MIN", min),
    "PERIOD": _period,
    "RATE": _steps("RATE", lambda before, after, seconds: (after - before) / seconds),
    "RUNNING_SUM": _running_sum,
    "STDDEV": _aggregate("STDDEV", statistics.pstdev),
    "SUM": _aggregate("SUM", math.fsum),
    "TIME_SERIES": _time_series,
}
