"""Golden rows: a few training rows with scikit-learn's answers, proven at every start of a server.

Few rows, chosen to differ: some of every class, and one for each text and each value left out that
a column of the training rows has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from automation.errors import EqualityError
from automation.gate.answers import Answers, classes_of, sklearn_answers
from automation.gate.features import Rows, instances
from automation.gate.training import TrainedModel

ROWS_PER_CLASS = 4
ROWS_OF_REGRESSOR = 12
MOST_TEXTS = 20  # of one column
# Finer digits differ between processors, and the artifact has to be the same on any machine.
DIGITS = 9


def golden_for(trained: TrainedModel) -> dict[str, Any]:
    """Choose training rows and write down the answers scikit-learn gives to them.

    Raises:
        EqualityError: scikit-learn answers none of them.
    """
    rows = trained.training_rows[golden_indexes(trained)]
    answers = sklearn_answers(trained, rows)
    if not answers.is_answered.any():
        raise EqualityError(
            f"scikit-learn answers none of the {len(rows)} golden rows ({answers.refusal}); "
            "the estimator is not fitted on the rows the training script returns"
        )
    return {
        "instances": instances(rows[answers.is_answered]),
        "labels": _rounded(answers.labels).tolist(),
        "probabilities": _probabilities(trained, answers),
    }


def golden_indexes(trained: TrainedModel) -> list[int]:
    """Choose rows by class (of every output) and by what is special in a column, in their order."""
    chosen: set[int] = set()
    if trained.is_classifier:
        labels = trained.training_labels.reshape(len(trained.training_rows), -1)
        for column, classes in zip(labels.T, classes_of(trained), strict=True):
            for label in classes:
                chosen.update(np.flatnonzero(column == label)[:ROWS_PER_CLASS].tolist())
    else:
        chosen.update(range(min(ROWS_OF_REGRESSOR, len(trained.training_rows))))
    return sorted(chosen | _special(trained.training_rows))


def _special(rows: Rows) -> set[int]:
    """Find the first row of each text, boolean and missing value of a column."""
    found: set[int] = set()
    for column in rows.T:
        if column.dtype != object:
            found.update(np.flatnonzero(np.isnan(column))[:1].tolist())
            continue
        first: dict[Any, int] = {}
        for index, cell in enumerate(column.tolist()):
            if not isinstance(cell, float) and len(first) < MOST_TEXTS:
                first.setdefault(cell, index)
        found.update(first.values())
    return found


def _probabilities(trained: TrainedModel, answers: Answers) -> list[Any] | None:
    parts = [_rounded(part).tolist() for part in answers.probabilities]
    if not parts:
        return None
    first: list[Any] = parts[0]
    return parts if trained.outputs else first


def _rounded(answers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Keep `DIGITS` significant digits of values."""
    if answers.dtype.kind != "f":
        return answers
    with np.errstate(divide="ignore"):
        magnitude = np.where(answers == 0, 0.0, np.floor(np.log10(np.abs(answers))))
    scale = 10.0 ** np.clip(DIGITS - 1 - magnitude, -300, 300)
    rounded: npt.NDArray[Any] = np.round(answers * scale) / scale
    return rounded
