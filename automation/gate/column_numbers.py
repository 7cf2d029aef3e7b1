"""A fitted estimator that picks columns by name, made to pick the same columns by number.

A graph whose columns have names needs an input for each of them; by number it needs one tensor,
which the server fills at once.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any


def by_number(estimator: Any, names: Sequence[str]) -> Any:
    """Copy an estimator whose first step picks columns by name; any other is given back as it is.

    The copy is good for being read by a converter, not for predicting.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline):
        first = by_number(estimator.steps[0][1], names)
        if first is estimator.steps[0][1]:
            return estimator
        changed = copy.copy(estimator)
        changed.steps = [(estimator.steps[0][0], first), *estimator.steps[1:]]
        return changed
    if not isinstance(estimator, ColumnTransformer):
        return estimator
    changed = copy.copy(estimator)
    changed.transformers_ = [
        (name, transformer, _numbers(columns, names))
        for name, transformer, columns in estimator.transformers_
    ]
    return changed


def _numbers(columns: Any, names: Sequence[str]) -> Any:
    if isinstance(columns, str):
        return [list(names).index(columns)]
    if isinstance(columns, slice) or not len(columns):
        return columns
    return [list(names).index(c) if isinstance(c, str) else c for c in columns]
