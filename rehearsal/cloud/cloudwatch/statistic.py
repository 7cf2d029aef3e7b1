"""Statistics of values that were kept one by one: percentiles and their relatives, pure.

Source: CloudWatch User Guide, "CloudWatch statistics definitions", read 2026. How CloudWatch
interpolates a percentile isn't documented; linear between neighbours (assumed).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence

PLAIN = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100(?:\.0{1,10})?)")
TRIMMED = re.compile(r"(tm|wm|tc|ts|TM|WM|TC|TS)(\d{1,2}(?:\.\d{1,10})?|100)")
BOUNDED = re.compile(r"(TM|WM|TC|TS|PR)\(([^:()]*):([^:()]*)\)")
IQM = "IQM"


def percentile(values: Iterable[float], percent: float) -> float | None:
    """Return a percentile by linear interpolation, or None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def is_extended(name: str) -> bool:
    """Tell whether a name is one of CloudWatch's extended statistics."""
    return name == IQM or any(form.fullmatch(name) for form in (PERCENTILE, TRIMMED, BOUNDED))


def percent_of(name: str) -> float | None:
    """Return the percent of a percentile's name, None for any other statistic."""
    match = PERCENTILE.fullmatch(name)
    return float(match[1]) if match is not None else None


def extended(values: Iterable[float], name: str) -> float | None:
    """Return an extended statistic such as p99, tm90, TM(10%:90%), PR(:300) or IQM."""
    percent = percent_of(name)
    if percent is not None:
        return percentile(values, percent)
    ordered = sorted(values)
    if not ordered:
        return None
    kind, lower, upper = _range(name, ordered)
    inside = [value for value in ordered if lower <= value <= upper]
    if kind == "PR":
        return 100.0 * len(inside) / len(ordered)
    if kind == "WM":
        return sum(min(max(value, lower), upper) for value in ordered) / len(ordered)
    figures: dict[str, Callable[[Sequence[float]], float | None]] = {
        "TC": lambda kept: float(len(kept)),
        "TS": math.fsum,
        "TM": lambda kept: math.fsum(kept) / len(kept) if kept else None,
    }
    return figures[kind](inside)


def smallest_significant_count(percent: float) -> float:
    """Return how many samples a percentile needs to be statistically significant.

    Source: CloudWatch User Guide, "Percentile-based alarms and low data samples".
    """
    fraction = percent / 100
    share = 1 - fraction if fraction >= 0.5 else fraction
    return math.inf if share <= 0 else round(10 / share, 6)


def _range(name: str, ordered: Sequence[float]) -> tuple[str, float, float]:
    """Return the kind and the lowest and highest value that counts."""
    if name == IQM:
        return "TM", _percentile(ordered, 25.0), _percentile(ordered, 75.0)
    trimmed = TRIMMED.fullmatch(name)
    if trimmed is not None:
        return trimmed[1].upper(), -math.inf, _percentile(ordered, float(trimmed[2]))
    bounded = BOUNDED.fullmatch(name)
    if bounded is None:
        raise ValueError(f"{name} is not a statistic; use {', '.join(PLAIN)}, p99, tm90, PR(1:2)")
    low, high = _bound(bounded[2], ordered), _bound(bounded[3], ordered)
    return bounded[1], -math.inf if low is None else low, math.inf if high is None else high


def _bound(text: str, ordered: Sequence[float]) -> float | None:
    if not text:
        return None
    return _percentile(ordered, float(text[:-1])) if text.endswith("%") else float(text)


def _percentile(ordered: Sequence[float], percent: float) -> float:
    found = percentile(ordered, percent)
    assert found is not None
    return found
