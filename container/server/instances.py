"""The rule which rows a model takes, and what a client is told about rows that break it.

`is_plainly_valid` answers "yes" at C speed for what nearly every request is; only when it cannot
does `check_instances`, which is the rule, walk the values and say which one is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from .errors import InvalidInstanceError, shown
from .model import Matrix

LARGEST_EXACT_INTEGER = 2**63 - 1
NUMBERS = {int, float}


def matrix_from_instances(
    instances: Any,
    *,
    field: str,
    feature_names: Sequence[str],
    max_rows: int,
    input_type: type[np.floating[Any]],
) -> tuple[list[list[float]], Matrix]:
    """Turn decoded rows into the model's input.

    Args:
        instances: whatever the body held where rows are expected
        field: the body's own word for it, used in messages
        feature_names: the model's columns in order
        max_rows: most rows allowed
        input_type: the model's number type, which limits the range of values

    Returns:
        the rows as given, and as (rows, features) of `input_type`

    Raises:
        InvalidInstanceError: names the instance and feature, what was given and what is allowed
    """
    if is_plainly_valid(instances, len(feature_names), max_rows):
        with np.errstate(over="ignore"):
            matrix: Matrix = np.array(instances, dtype=input_type)
        if np.isfinite(matrix).all():
            return instances, matrix
    rows = check_instances(
        instances,
        field=field,
        feature_names=feature_names,
        max_rows=max_rows,
        input_type=input_type,
    )
    return rows, np.array(rows, dtype=input_type)


def is_plainly_valid(instances: Any, feature_count: int, max_rows: int) -> bool:
    """Tell whether these are rows of plain numbers of the right shape; they may still be NaN."""
    return (
        type(instances) is list
        and 0 < len(instances) <= max_rows
        and set(map(type, instances)) == {list}
        and set(map(len, instances)) == {feature_count}
        and set(map(type, chain.from_iterable(instances))) <= NUMBERS
        # orjson cannot write integers beyond 64 bits back; check_instances makes floats of them.
        and min(chain.from_iterable(instances)) >= -LARGEST_EXACT_INTEGER
        and max(chain.from_iterable(instances)) <= LARGEST_EXACT_INTEGER
    )


def check_instances(
    instances: Any,
    *,
    field: str,
    feature_names: Sequence[str],
    max_rows: int,
    input_type: type[np.floating[Any]],
) -> list[list[float]]:
    """Walk the rows and give them back, or raise on the first thing that is wrong.

    Raises:
        InvalidInstanceError: as `matrix_from_instances`
    """
    row_wanted = f"a list of {len(feature_names)} numbers ({', '.join(feature_names)})"
    if not isinstance(instances, list):
        raise InvalidInstanceError(
            f"{field} is {_kind(instances)}; give a list of instances, each {row_wanted}"
        )
    if not instances:
        raise InvalidInstanceError(f"{field} is empty; give 1 to {max_rows} instances")
    if len(instances) > max_rows:
        raise InvalidInstanceError(
            f"{field} has {len(instances)} instances; at most {max_rows} are allowed in one "
            "request: split it"
        )
    rows = []
    for index, instance in enumerate(instances):
        if not isinstance(instance, list):
            raise InvalidInstanceError(
                f"instance {index} is {_kind(instance)}; each instance must be {row_wanted}",
                instance=index,
            )
        if len(instance) != len(feature_names):
            raise InvalidInstanceError(
                f"instance {index} has {len(instance)} features; it must be {row_wanted}",
                instance=index,
            )
        rows.append(
            [
                checked_number(index, name, value, input_type)
                for name, value in zip(feature_names, instance, strict=True)
            ]
        )
    return rows


def checked_number(
    index: int, feature: str, value: Any, input_type: type[np.floating[Any]]
) -> float:
    """Give one value back, or raise when it is not a number the model can take.

    Raises:
        InvalidInstanceError: not a number, not finite, or beyond `input_type`
    """
    if type(value) not in NUMBERS:
        raise _invalid_value(index, feature, value, "a number")
    largest = float(np.finfo(input_type).max)
    if isinstance(value, int):
        if abs(value) <= LARGEST_EXACT_INTEGER:
            return value
        if abs(value) <= largest:
            return float(value)
    elif math.isfinite(value):
        if abs(value) <= largest:
            return float(value)
    else:
        raise _invalid_value(index, feature, value, "a finite number")
    raise _invalid_value(index, feature, value, f"at most ±{largest:.6g}")


def _invalid_value(index: int, feature: str, value: object, wanted: str) -> InvalidInstanceError:
    return InvalidInstanceError(
        f"instance {index}, feature {feature!r}: {_kind(value)} is given; it must be {wanted}",
        instance=index,
        feature=feature,
    )


def _kind(value: object) -> str:
    """Name a value in JSON's words, as `a string ('abc')`."""
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
