"""Conditions of a policy statement, decided against what is known of a request: pure.

A key the rehearsal can't know (a VPC endpoint, an organization, a date, an address) makes a
condition *unknown*, written None; who asks decides what that means.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Conditions with multiple
    context keys or values", "Policy variables"; read 2026.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

VARIABLE = re.compile(r"\$\{\s*([^},\s]+)\s*(?:,\s*'([^']*)'\s*)?\}")
LITERALS = {"*": "*", "?": "?", "$": "$"}
ANY_OF, ALL_OF, IF_EXISTS = "ForAnyValue:", "ForAllValues:", "IfExists"


@dataclass(frozen=True, kw_only=True)
class Context:
    """What is known of a request beside its action and resource.

    Args:
        values: condition keys in lower case with their values
        complete: key prefixes in lower case of which everything is known, so that a missing key
            is absent rather than unknown
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    complete: tuple[str, ...] = ()

    def knows(self, key: str) -> bool:
        """Tell whether the key's values, or its absence, are known."""
        return key in self.values or key.startswith(self.complete)


def matches(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Tell whether a value fits a pattern with `*` and `?`."""
    return _compiled(pattern, ignore_case).fullmatch(value) is not None


def resolved(text: str, context: Context) -> str | None:
    """Return text with its policy variables filled in; None when one of them isn't known."""
    missing = False

    def fill(match: re.Match[str]) -> str:
        nonlocal missing
        key, default = match[1], match[2]
        if key in LITERALS:
            return LITERALS[key]
        values = context.values.get(key.lower(), ())
        if len(values) == 1:
            return values[0]
        if default is not None and context.knows(key.lower()):
            return str(default)
        missing = True
        return ""

    filled = VARIABLE.sub(fill, text)
    return None if missing else filled


def conditions_hold(conditions: Mapping[str, Any], context: Context) -> bool | None:
    """Tell whether every condition holds; None when that depends on something unknown."""
    verdicts = [
        _holds(operator, key.lower(), as_list(expected), context)
        for operator, keys in conditions.items()
        for key, expected in keys.items()
    ]
    if False in verdicts:
        return False
    return None if None in verdicts else True


def as_list(value: Any) -> list[str]:
    """Return a policy element, which may be one value or several, as a list of texts."""
    values = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]


def _holds(operator: str, key: str, expected: list[str], context: Context) -> bool | None:
    if not context.knows(key):
        return None
    values = context.values.get(key, ())
    base = operator.removeprefix(ANY_OF).removeprefix(ALL_OF)
    if base == "Null":
        return (not values) == (expected == ["true"])
    if_exists = base.endswith(IF_EXISTS)
    base = base.removesuffix(IF_EXISTS)
    negated = "Not" in base
    compare = COMPARISONS.get(base.replace("Not", "") if negated else base)
    if compare is None:
        return None
    if not values:
        return if_exists or negated or operator.startswith(ALL_OF)
    known = [item for item in (resolved(text, context) for text in expected) if item is not None]
    fits = [any(compare(item, value) for item in known) != negated for value in values]
    verdict = any(fits) if operator.startswith(ANY_OF) else all(fits)
    # A variable the rehearsal can't fill in might have decided otherwise.
    return None if len(known) < len(expected) and verdict == negated else verdict


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def compared(expected: str, value: str) -> bool:
        try:
            return compare(float(value), float(expected))
        except ValueError:
            return False

    return compared


COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda expected, value: expected == value,
    "StringEqualsIgnoreCase": lambda expected, value: expected.lower() == value.lower(),
    "StringLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": lambda expected, value: expected.lower() == value.lower(),
    "NumericEquals": _number(lambda value, bound: value == bound),
    "NumericLessThan": _number(lambda value, bound: value < bound),
    "NumericLessThanEquals": _number(lambda value, bound: value <= bound),
    "NumericGreaterThan": _number(lambda value, bound: value > bound),
    "NumericGreaterThanEquals": _number(lambda value, bound: value >= bound),
}


@lru_cache(maxsize=4096)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    parts: Iterable[str] = (
        ".*" if part == "*" else "." if part == "?" else re.escape(part)
        for part in re.split(r"([*?])", pattern)
    )
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))
