"""What a model says of rows, and where two models differ.

Labels have to be the same, whatever the probabilities; probabilities and values may differ by what
float32 and another order of adding make of them, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt

from automation.errors import ConversionError
from automation.gate.features import Rows, estimator_rows, instances
from automation.gate.training import TrainedModel

PROBABILITY_TOLERANCE = 1e-5
VALUE_TOLERANCE = 1e-5  # of the value itself
NOISE = 1e-6  # of the greatest value: what rounding leaves where a value is nearly zero

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model says of rows, and which rows it could not answer.

    Args:
        is_answered: (rows,) bool.
        labels: class index, or the value for a regressor, of each answered row; (rows, outputs)
            where there are several outputs.
        probabilities: (answered rows, classes) of each output; empty where the model gives none.
        refusal: the first error of a row that was not answered.
    """

    is_answered: Flags
    labels: npt.NDArray[Any]
    probabilities: tuple[npt.NDArray[np.float64], ...]
    refusal: str | None


def sklearn_answers(trained: TrainedModel, rows: Rows) -> Answers:
    """Ask the estimator itself; rows it raises on are marked as not answered.

    Raises:
        ConversionError: it answers in a form that is not served.
    """

    def ask(part: Rows) -> list[npt.NDArray[Any]]:
        given = estimator_rows(part, trained.feature_names, trained.column_types)
        answer = [np.asarray(trained.estimator.predict(given))]
        if has_probabilities(trained):
            found = trained.estimator.predict_proba(given)
            answer += found if isinstance(found, list | tuple) else [found]
        return answer

    # Forests that predict in several threads add their trees in whatever order these finish.
    with joblib.parallel_config(backend="sequential"):
        is_answered, parts, refusal = ask_in_parts(ask, rows)
    return _without_endless(answers_from(trained, is_answered, parts, refusal))


def has_probabilities(trained: TrainedModel) -> bool:
    """Tell whether the estimator gives probabilities; some classifiers know labels only."""
    return trained.is_classifier and hasattr(trained.estimator, "predict_proba")


def classes_of(trained: TrainedModel) -> list[list[Any]]:
    """List the estimator's own labels, by class index, of each output; empty for a regressor.

    Raises:
        ConversionError: several outputs that are not listed one by one.
    """
    if not trained.is_classifier:
        return []
    known = trained.estimator.classes_
    if not trained.outputs:
        return [np.asarray(known).tolist()]
    if not isinstance(known, list | tuple):
        raise ConversionError(
            f"{type(trained.estimator).__name__} answers {len(trained.outputs)} outputs as one "
            "table of yes and no; give it one output, or wrap a classifier in MultiOutputClassifier"
        )
    return [np.asarray(classes).tolist() for classes in known]


def ask_in_parts(
    ask: Callable[[Rows], list[npt.NDArray[Any]]], rows: Rows
) -> tuple[Flags, list[list[npt.NDArray[Any]]], str | None]:
    """Ask all rows at once, and halves of them where that fails, down to single rows.

    Returns:
        which rows were answered; the answers in the order of the rows; the first error.
    """
    if not len(rows):
        return np.ones(0, dtype=bool), [], None
    try:
        return np.ones(len(rows), dtype=bool), [ask(rows)], None
    except Exception as err:  # noqa: BLE001 - an edge: models raise anything on a row
        refusal = f"{type(err).__name__}: {err}".splitlines()[0]
    if len(rows) == 1:
        return np.zeros(1, dtype=bool), [], refusal
    middle = len(rows) // 2
    left, right = ask_in_parts(ask, rows[:middle]), ask_in_parts(ask, rows[middle:])
    flags = np.concatenate([left[0], right[0]])
    return flags, left[1] + right[1], left[2] if left[2] is not None else right[2]


def answers_from(
    trained: TrainedModel,
    is_answered: Flags,
    parts: Iterable[list[npt.NDArray[Any]]],
    refusal: str | None,
) -> Answers:
    """Join what a model said of parts of the rows: labels first, then probabilities."""
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    if not joined:
        empty = np.zeros(0, dtype=np.int64 if trained.is_classifier else np.float64)
        return Answers(is_answered=is_answered, labels=empty, probabilities=(), refusal=refusal)
    return Answers(
        is_answered=is_answered,
        labels=_indexes(trained, joined[0]),
        probabilities=tuple(np.asarray(part, dtype=np.float64) for part in joined[1:]),
        refusal=refusal,
    )


def first_difference(
    expected: Answers, given: Answers, rows: Rows, who: str = "ONNX Runtime"
) -> str | None:
    """Name the first row on which two models differ, with both answers; None where they agree.

    Args:
        expected: what scikit-learn answers to the rows; all of them are answered.
        who: gave the other answers, for messages.
    """
    if not given.is_answered.all():
        row = int(np.argmin(given.is_answered))
        return f"row {_shown(rows, row)} fails in {who}: {given.refusal}"
    kind, same = "label", given.labels == expected.labels
    left, right = expected.labels, given.labels
    if expected.labels.dtype.kind == "f":
        kind, same = "value", _is_same_value(expected.labels, given.labels)
    same = same.reshape(len(same), -1).all(axis=1)
    for output, (want, got) in enumerate(
        zip(expected.probabilities, given.probabilities, strict=True)
    ):
        if not same.all():
            break
        if want.shape != got.shape:
            return f"output {output} has probabilities of shape {got.shape}, not {want.shape}"
        kind, left, right = "probabilities", want, got
        same = (np.abs(got - want) <= PROBABILITY_TOLERANCE).all(axis=1)
    if same.all():
        return None
    row = int(np.argmin(same))
    return (
        f"row {_shown(rows, row)} has {kind} {left[row].tolist()} in scikit-learn "
        f"and {right[row].tolist()} in {who}"
    )


def score(trained: TrainedModel, answers: Answers) -> float:
    """Accuracy, or for a regressor R2, over the live rows that scikit-learn answers; else 0."""
    truth = trained.live_labels[answers.is_answered]
    if not len(truth):
        return 0.0
    if trained.is_classifier:
        right = answers.labels == _indexes(trained, truth, unknown=-1)
        return float(np.mean(right.reshape(len(right), -1).all(axis=1)))
    truth = truth.astype(np.float64).reshape(answers.labels.shape)
    spread = float(((truth - truth.mean(axis=0)) ** 2).sum())
    missed = float(((truth - answers.labels) ** 2).sum())
    return 1.0 - missed / spread if spread else 0.0


def _without_endless(answers: Answers) -> Answers:
    """Count answers that are no numbers (NaN, infinite) as none: no client could be given them."""
    columns = [answers.labels, *answers.probabilities]
    finite = np.ones(len(answers.labels), dtype=bool)
    for column in columns:
        finite &= np.isfinite(column).reshape(len(column), -1).all(axis=1) if len(column) else True
    if finite.all():
        return answers
    is_answered = answers.is_answered.copy()
    is_answered[np.flatnonzero(is_answered)[~finite]] = False
    return Answers(
        is_answered=is_answered,
        labels=answers.labels[finite],
        probabilities=tuple(part[finite] for part in answers.probabilities),
        refusal="the answer is no finite number" if answers.refusal is None else answers.refusal,
    )


def _is_same_value(want: npt.NDArray[Any], got: npt.NDArray[Any]) -> Flags:
    if want.shape != got.shape:
        return np.zeros(len(want), dtype=bool)
    finite = np.abs(want[np.isfinite(want)])
    noise = NOISE * float(finite.max()) if finite.size else 0.0
    same: Flags = np.abs(got - want) <= VALUE_TOLERANCE * np.abs(want) + noise
    return same


def _indexes(
    trained: TrainedModel, labels: npt.NDArray[Any], unknown: int | None = None
) -> npt.NDArray[Any]:
    """Turn an estimator's own labels into class indexes; a regressor's values stay as they are.

    Args:
        unknown: what stands for a label the estimator does not know; None lets it fail.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if not trained.is_classifier:
        return labels.astype(np.float64)
    columns = labels.T if trained.outputs else [labels]
    found = []
    for classes, column in zip(classes_of(trained), columns, strict=True):
        index_of = {label: index for index, label in enumerate(classes)}
        cells = column.tolist()
        found.append([index_of[c] if unknown is None else index_of.get(c, unknown) for c in cells])
    indexes = np.array(found, dtype=np.int64)
    return indexes.T if trained.outputs else indexes[0]


def _shown(rows: Rows, row: int) -> str:
    return str(instances(rows[row : row + 1])[0])
