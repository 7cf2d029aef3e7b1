"""What a fitted estimator takes in each column, found by asking it.

The training rows say what a column holds and whether values are left out; whether the estimator
then answers, and whether it answers a text it has never seen, only the estimator can say.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from automation.gate.answers import Flags, ask_in_parts
from automation.gate.features import (
    Feature,
    FeatureType,
    Rows,
    estimator_rows,
    has_missing,
    known_texts,
    type_of,
)
from automation.gate.training import TrainedModel

UNHEARD = "a text of no training row"
TRIED_ROWS = 3


def features_of(trained: TrainedModel) -> tuple[Feature, ...]:
    """Describe every column of a model's rows.

    Missing values are allowed where training or live rows have them and the estimator answers.
    Categories are listed for columns of texts whose other texts the estimator refuses. A number
    the estimator refuses, as an encoder of codes does, stays the model's own failure: a range of
    numbers cannot be told from a list of codes, and a client that sent a fair measurement is not
    to be blamed.
    """
    return tuple(
        Feature(
            name=name,
            type=_type(trained, position),
            allows_missing=_allows_missing(trained, position),
            categories=_categories(trained, position),
        )
        for position, name in enumerate(trained.feature_names)
    )


def _type(trained: TrainedModel, position: int) -> FeatureType:
    return type_of(trained.training_rows[:, position])


def _allows_missing(trained: TrainedModel, position: int) -> bool:
    for rows in (trained.training_rows, trained.live_rows):
        if has_missing(rows[:, position]):
            gap = np.nan if rows.dtype != object else None
            return bool(_answers(trained, _with(trained, position, [gap])).any())
    return False


def _categories(trained: TrainedModel, position: int) -> tuple[str, ...] | None:
    if _type(trained, position) is not FeatureType.STRING:
        return None
    if any(_answers(trained, row).any() for row in _singly(_with(trained, position, [UNHEARD]))):
        return None
    texts = known_texts(trained.estimator, trained.training_rows[:, position])
    taken = _answers(trained, _with(trained, position, texts)).reshape(len(texts), -1)
    return tuple(text for text, flags in zip(texts, taken, strict=True) if flags.any())


def _singly(rows: Rows) -> list[Rows]:
    return [rows[index : index + 1] for index in range(len(rows))]


def _with(trained: TrainedModel, position: int, values: list[Any]) -> Rows:
    """Put each value into the first training rows."""
    base = trained.training_rows[:TRIED_ROWS]
    rows = np.tile(base, (len(values), 1))
    rows[:, position] = np.repeat(np.array(values, dtype=rows.dtype), len(base))
    return rows


def _answers(trained: TrainedModel, rows: Rows) -> Flags:
    def ask(part: Rows) -> list[npt.NDArray[Any]]:
        given = estimator_rows(part, trained.feature_names, trained.column_types)
        return [np.asarray(trained.estimator.predict(given))]

    return ask_in_parts(ask, rows)[0]
