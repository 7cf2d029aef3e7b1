"""What a model is to the server, whatever runs it: its files, its answers and its proof.

A runtime (`onnx_runtime`, `forest`, `sklearn_runtime`) answers rows; this module checks that the
artifact's files are those that were packaged, and that the runtime answers the golden rows as the
trained estimator did. A runtime that was not proven here must never be put in service.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .errors import ArtifactError, GoldenMismatchError, PredictionError
from .manifest import Golden, Manifest, Task

GOLDEN_TOLERANCE = 1e-5
"""Largest difference from a golden probability, and relative difference from a golden value."""

Matrix = npt.NDArray[np.floating[Any]]

Inputs = dict[str, npt.NDArray[Any]]
"""What a model is fed: per input its rows, shape (rows, features of that input)."""


class Prediction(NamedTuple):
    """What the model answered for some rows.

    A tuple, as one is made per request and a frozen dataclass takes three times as long.

    Args:
        labels: what the estimator's `predict` gives, per row: class index, class name, or the
            value (or list of values) of a regressor; with several outputs a list of those
        class_indexes: position in the manifest's classes, per row; with several outputs a list of
            positions; empty for a regressor
        probabilities: (rows, classes), one for each of several outputs; None where the model has
            none
    """

    labels: list[Any]
    class_indexes: list[Any]
    probabilities: Matrix | tuple[Matrix, ...] | None


class Runtime(Protocol):
    """Answers rows; safe to call from several threads."""

    def predict(self, inputs: Inputs) -> Prediction:
        """Answer the rows of these inputs.

        Raises:
            PredictionError: the model raised, or answered something the manifest rules out
        """


def file_of_artifact(directory: Path, name: str, sha256: str) -> bytes:
    """Read a file of the artifact and check that it is the one that was packaged.

    Raises:
        ArtifactError: unreadable, or its digest is another
    """
    path = directory / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror}); package the model again"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise ArtifactError(
            f"{path} has sha256 {digest}, the manifest says {sha256}: the artifact "
            "was changed after packaging; package the model again"
        )
    return content


def rows_of(prediction: Prediction, start: int, end: int) -> Prediction:
    """Give the part of a prediction that is for some of its rows."""
    probabilities: Any = prediction.probabilities
    if isinstance(probabilities, tuple):  # one for each of several outputs
        probabilities = tuple(part[start:end] for part in probabilities)
    elif probabilities is not None:
        probabilities = probabilities[start:end]
    return Prediction(
        labels=prediction.labels[start:end],
        class_indexes=prediction.class_indexes[start:end],
        probabilities=probabilities,
    )


def indexes_by_label(manifest: Manifest) -> list[dict[Any, int]]:
    """Map what a classifier may answer to the class index, for each output."""
    if manifest.labels:
        return [{label: index for index, label in enumerate(of)} for of in manifest.labels]
    classes = [output.classes for output in manifest.outputs] or [manifest.classes]
    return [_index_by_name_or_number(of) for of in classes]


def _index_by_name_or_number(classes: Sequence[str]) -> dict[Any, int]:
    """Guess the labels where the manifest does not tell them: a name, or a whole number.

    A number is the class itself where all classes are numbers (1, 2, 3), else its index (0, 1, 2).
    """
    by_name: dict[Any, int] = {name: index for index, name in enumerate(classes)}
    are_numbers = all(name.lstrip("-").isdecimal() for name in classes)
    return by_name | {
        int(name) if are_numbers else index: index for index, name in enumerate(classes)
    }


def plain_labels(answer: npt.NDArray[Any]) -> list[Any]:
    """Give labels as Python has them; a column of them as `predict` of one output gives them."""
    if answer.ndim == 2 and answer.shape[1] == 1:
        answer = answer[:, 0]
    labels: list[Any] = answer.tolist()
    return labels


def prove_golden(runtime: Runtime, manifest: Manifest, golden: Golden, inputs: Inputs) -> None:
    """Check that a runtime answers the golden rows as the trained estimator did.

    Args:
        inputs: the golden rows as the runtime takes them

    Raises:
        GoldenMismatchError: the first row that differs, with both answers
        ArtifactError: the golden answers do not fit the model
    """
    try:
        prediction = runtime.predict(inputs)
    except PredictionError as error:
        raise GoldenMismatchError(f"the model fails on its golden rows: {error}") from error
    is_regressor = manifest.task == Task.REGRESSION
    answers = prediction.labels if is_regressor else prediction.class_indexes
    _compare("label", golden.labels, answers, GOLDEN_TOLERANCE if is_regressor else 0.0)
    if prediction.probabilities is not None and golden.probabilities is not None:
        # Outputs may have different numbers of classes, so each is compared by itself.
        many = bool(manifest.outputs)
        recorded: Any = golden.probabilities if many else [golden.probabilities]
        answered: Any = prediction.probabilities if many else [prediction.probabilities]
        for want, got in zip(recorded, answered, strict=True):
            _compare("probabilities", want, got, GOLDEN_TOLERANCE)


def _compare(what: str, expected: Any, answered: Any, tolerance: float) -> None:
    try:
        want = np.asarray(expected, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"golden.json has {what} that are no numbers: {error}") from error
    got = np.asarray(answered, dtype=np.float64)
    if want.shape != got.shape:
        raise GoldenMismatchError(
            f"golden {what} have shape {want.shape}, the model's answers have {got.shape}"
        )
    close = np.isclose(got, want, rtol=tolerance, atol=tolerance)
    if not close.all():
        row = int(np.argwhere(~close)[0][0])
        raise GoldenMismatchError(
            f"golden row {row}: the model answers {what} {got[row].tolist()}, recorded was "
            f"{want[row].tolist()}; this model must not serve: package it again"
        )
