"""The rule which rows a model takes, and what a client is told about rows that break it.

The kernel, or `is_plainly_valid`, answers "yes" at C speed for what nearly every request is; only
when they cannot does `check_instances`, which is the rule, walk the values and say which is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from .errors import InvalidInstanceError, shown
from .features import FeatureRule, Schema
from .manifest import FeatureType
from .request import Form, Request

NUMBERS = {int, float}
SMALLEST_WRITABLE, LARGEST_WRITABLE = -(2**63), 2**64 - 1
"""Integers that orjson can give back; others are given back as floats."""
SHOWN_NAMES = 20
SHOWN_CATEGORIES = 10

NOUNS = {
    FeatureType.NUMBER: ("a number", "numbers"),
    FeatureType.STRING: ("a string", "strings"),
    FeatureType.BOOLEAN: ("true or false", "booleans"),
}


def request_from_instances(
    instances: Any,
    *,
    form: Form,
    field: str,
    schema: Schema,
    explain: bool = False,
    text: bytes | None = None,
) -> Request:
    """Turn decoded rows into a request.

    Args:
        instances: whatever the body held where rows are expected
        field: the body's own word for it, used in messages
        text: the same as JSON, if they are rows of numbers and it is at hand

    Raises:
        InvalidInstanceError: names the instance and feature, what was given and what is allowed
    """
    instances = _rows_of_whole_records(instances, schema)
    if schema.pack_rows is not None:
        packed = schema.pack_rows(instances, len(schema.rules))
        if packed and len(instances) <= schema.max_rows:
            return Request(
                form, instances, schema, explain=explain, is_plain=True, packed=packed, text=text
            )
    elif schema.plain_type is not None and is_plainly_valid(
        instances, len(schema.rules), schema.max_rows
    ):
        with np.errstate(over="ignore"):
            matrix = np.array(instances, dtype=schema.plain_type)
        if np.isfinite(matrix).all():
            inputs = {schema.manifest.inputs[0].name: matrix}
            return Request(
                form, instances, schema, explain=explain, is_plain=True, inputs=inputs, text=text
            )
    rows = check_instances(instances, field=field, schema=schema)
    return Request(form, rows, schema, explain=explain)


def is_plainly_valid(instances: Any, feature_count: int, max_rows: int) -> bool:
    """Tell whether these are rows of plain numbers of the right shape; they may still be NaN."""
    return (
        type(instances) is list
        and 0 < len(instances) <= max_rows
        and set(map(type, instances)) == {list}
        and set(map(len, instances)) == {feature_count}
        and set(map(type, chain.from_iterable(instances))) <= NUMBERS
        and min(chain.from_iterable(instances)) >= SMALLEST_WRITABLE
        and max(chain.from_iterable(instances)) <= LARGEST_WRITABLE
    )


def check_instances(instances: Any, *, field: str, schema: Schema) -> list[list[Any]]:
    """Walk the rows and give them back, or raise on the first thing that is wrong.

    Raises:
        InvalidInstanceError: as `request_from_instances`
    """
    row_wanted = row_in_words(schema.rules)
    if not isinstance(instances, list):
        raise InvalidInstanceError(
            f"{field} is {kind(instances)}; give a list of instances, each {row_wanted}"
        )
    if not instances:
        raise InvalidInstanceError(f"{field} is empty; give 1 to {schema.max_rows} instances")
    if len(instances) > schema.max_rows:
        raise InvalidInstanceError(
            f"{field} has {len(instances)} instances; at most {schema.max_rows} are allowed in one "
            "request: split it"
        )
    rows = []
    for index, instance in enumerate(instances):
        if isinstance(instance, dict):
            instance = _row_of_record(index, instance, schema)
        if not isinstance(instance, list):
            raise InvalidInstanceError(
                f"instance {index} is {kind(instance)}; each instance must be {row_wanted}, or an "
                "object with these names",
                instance=index,
            )
        if len(instance) != len(schema.rules):
            raise wrong_length(index, len(instance), schema)
        rows.append(
            [
                checked_value(index, rule, value)
                for rule, value in zip(schema.rules, instance, strict=True)
            ]
        )
    return rows


def row_in_words(rules: Sequence[FeatureRule]) -> str:
    """Say what a row is, as `a list of 2 numbers (length, width)`."""
    types = {rule.type for rule in rules}
    noun = NOUNS[types.pop()][1] if len(types) == 1 else "values"
    return f"a list of {len(rules)} {noun} ({names_in_words(rules)})"


def wrong_length(index: int, length: int, schema: Schema) -> InvalidInstanceError:
    """Give the error of a row with too few or too many values."""
    return InvalidInstanceError(
        f"instance {index} has {length} features; it must be {row_in_words(schema.rules)}",
        instance=index,
    )


def names_in_words(rules: Sequence[FeatureRule]) -> str:
    """Name the features, as many as a message can hold."""
    more = len(rules) - SHOWN_NAMES
    names = ", ".join(rule.name for rule in rules[:SHOWN_NAMES])
    return f"{names} and {more} more" if more > 0 else names


def _rows_of_whole_records(instances: Any, schema: Schema) -> Any:
    """Make rows of objects that have just the names of the features; give back all else."""
    if type(instances) is not list or not 0 < len(instances) <= schema.max_rows:
        return instances
    width, names = len(schema.rules), schema.feature_names
    if any(type(record) is not dict or len(record) != width for record in instances):
        return instances
    try:
        return [[record[name] for name in names] for record in instances]
    except KeyError:
        return instances


def _row_of_record(index: int, record: dict[str, Any], schema: Schema) -> list[Any]:
    """Give a record's values in the order of the features; what may be missing may be left out."""
    unknown = next((name for name in record if name not in schema.positions), None)
    if unknown is not None:
        raise InvalidInstanceError(
            f"instance {index} has {shown(unknown)}, which is no feature; the features are "
            f"{names_in_words(schema.rules)}",
            instance=index,
        )
    for rule in schema.rules:
        if rule.name not in record and not rule.allows_missing:
            raise InvalidInstanceError(
                f"instance {index} has no feature {rule.name!r}; give it {NOUNS[rule.type][0]}",
                instance=index,
                feature=rule.name,
            )
    return [record.get(name) for name in schema.feature_names]


def checked_value(index: int, rule: FeatureRule, value: Any) -> Any:
    """Give one value back, or raise when the feature does not allow it.

    Raises:
        InvalidInstanceError: missing, of another type, out of range, or no category
    """
    if value is None:
        if not rule.allows_missing:
            raise _invalid_value(index, rule, value)
        return None
    if rule.type is FeatureType.NUMBER:
        value = _checked_number(index, rule, value)
    elif rule.type is FeatureType.STRING:
        _check_string(index, rule, value)
    elif type(value) is not bool:
        raise _invalid_value(index, rule, value)
    if rule.categories is not None and value not in rule.categories:
        raise _invalid_value(index, rule, value)
    return value


def _checked_number(index: int, rule: FeatureRule, value: Any) -> float:
    if type(value) not in NUMBERS:
        raise _invalid_value(index, rule, value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _invalid_value(index, rule, value, "a finite number")
        if rule.is_whole and not value.is_integer():
            raise _invalid_value(index, rule, value, "a whole number")
    if abs(value) > rule.largest:
        raise _invalid_value(index, rule, value, f"at most ±{rule.largest:.6g}")
    return value if SMALLEST_WRITABLE <= value <= LARGEST_WRITABLE else float(value)


def _check_string(index: int, rule: FeatureRule, value: Any) -> None:
    if type(value) is not str:
        raise _invalid_value(index, rule, value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # JSON can spell half of a surrogate pair, which is no character and cannot be sent back.
        raise _invalid_value(index, rule, value, "text without lone surrogates") from error


def _invalid_value(
    index: int, rule: FeatureRule, value: object, wanted: str | None = None
) -> InvalidInstanceError:
    if wanted is None:
        wanted = NOUNS[rule.type][0]
        if rule.categories is not None:
            some = sorted(rule.categories)[:SHOWN_CATEGORIES]
            wanted = f"one of {', '.join(map(shown, some))}"
            more = len(rule.categories) - SHOWN_CATEGORIES
            wanted += f" or {more} more" if more > 0 else ""
    if rule.allows_missing:
        wanted += ", or missing (null in JSON, an empty cell in CSV)"
    return InvalidInstanceError(
        f"instance {index}, feature {rule.name!r}: {kind(value)} is given; it must be {wanted}",
        instance=index,
        feature=rule.name,
    )


def kind(value: object) -> str:
    """Name a value in JSON's words, as `the string 'abc'`."""
    if isinstance(value, dict):
        return f"an object with keys {shown(list(value)[:5])}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"the string {shown(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bool) or value is None:
        return shown(value)
    return f"the number {shown(value)}"
