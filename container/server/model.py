"""The ONNX model: loading it, proving it on its golden rows, and predicting.

Nothing here ever unpickles; an artifact with anything but an ONNX graph is refused.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ArtifactError, GoldenMismatchError, PredictionError
from .manifest import (
    Golden,
    Manifest,
    Task,
    golden_from_document,
    manifest_from_document,
    read_json_object,
)

MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
GOLDEN_FILE = "golden.json"

GOLDEN_TOLERANCE = 1e-5
"""Largest difference from a golden probability, and relative difference from a golden value."""

INPUT_TYPES: dict[str, type[np.floating[Any]]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}

Matrix = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What the model answered for some rows.

    Args:
        labels: what the estimator's `predict` gives, per row: class index, class name, or the
            value (or list of values) of a regressor
        class_indexes: position in the manifest's classes, per row; empty for a regressor
        probabilities: (rows, classes); None where the model has none
    """

    labels: list[Any]
    class_indexes: list[int]
    probabilities: Matrix | None


class Model:
    """A loaded model; safe to call from several threads.

    Args:
        manifest: the facts about it
        session: an ONNX Runtime session with the inputs and outputs the manifest names
    """

    def __init__(self, manifest: Manifest, session: Any) -> None:
        self.manifest = manifest
        self.input_type = _input_type(manifest, session)
        self._session = session
        self._outputs = [manifest.label_output]
        if manifest.probability_output is not None:
            self._outputs.append(manifest.probability_output)
        self._index_by_label = _index_by_label(manifest.classes)

    def predict(self, matrix: Matrix) -> Prediction:
        """Answer rows of the model's input type, shape (rows, features).

        Raises:
            PredictionError: ONNX Runtime raised, or answered something the manifest rules out
        """
        try:
            answers = self._session.run(self._outputs, {self.manifest.onnx_input: matrix})
        except Exception as error:
            # ONNX Runtime's errors have no base class of their own.
            raise PredictionError(f"ONNX Runtime: {type(error).__name__}: {error}") from error
        labels = _plain_labels(answers[0])
        if self.manifest.task == Task.REGRESSION:
            return Prediction(labels=labels, class_indexes=[], probabilities=None)
        return Prediction(
            labels=labels,
            class_indexes=[self._class_index(label) for label in labels],
            probabilities=answers[1] if len(answers) > 1 else None,
        )

    def _class_index(self, label: Any) -> int:
        index = self._index_by_label.get(label)
        if index is None:
            raise PredictionError(
                f"the model answered class {label!r}; the manifest has {self.manifest.classes}"
            )
        return index


def load_model(directory: Path) -> Model:
    """Load a model and prove it on its golden rows.

    Args:
        directory: holds model.onnx, manifest.json and golden.json

    Raises:
        ArtifactError: a file is missing, damaged or contradicts another
        GoldenMismatchError: the model's answers are not the recorded ones
    """
    manifest = manifest_from_document(read_json_object(directory / MANIFEST_FILE))
    golden = golden_from_document(read_json_object(directory / GOLDEN_FILE), manifest)
    path = directory / MODEL_FILE
    try:
        graph = path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror}); package the model again"
        ) from error
    digest = hashlib.sha256(graph).hexdigest()
    if digest != manifest.model_sha256:
        raise ArtifactError(
            f"{path} has sha256 {digest}, the manifest says {manifest.model_sha256}: the artifact "
            "was changed after packaging; package the model again"
        )
    model = Model(manifest, open_session(graph))
    prove_golden(model, golden)
    return model


def open_session(graph: bytes) -> Any:
    """Open an ONNX Runtime session that keeps to one thread, as one worker has one core.

    Raises:
        ArtifactError: ONNX Runtime cannot load the graph
    """
    # Official builds send events to Microsoft and keep a device id on disk unless this is set
    # before the library is loaded (Privacy.md of onnxruntime 1.31, "Disabling Telemetry").
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # slow to import, and not needed to refuse a damaged artifact

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # a failed run is raised, and logged by the application
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ArtifactError(f"ONNX Runtime cannot load {MODEL_FILE}: {error}") from error


def prove_golden(model: Model, golden: Golden) -> None:
    """Check that the model answers its golden rows as the trained estimator did.

    Raises:
        GoldenMismatchError: the first row that differs, with both answers
        ArtifactError: the golden rows do not fit the model
    """
    try:
        matrix = np.array(golden.instances, dtype=model.input_type)
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"golden.json has instances that are no rows: {error}") from error
    if matrix.shape != (len(golden.instances), len(model.manifest.feature_names)):
        raise ArtifactError(
            f"golden.json has instances of shape {matrix.shape}; the model has "
            f"{len(model.manifest.feature_names)} features"
        )
    try:
        prediction = model.predict(matrix)
    except PredictionError as error:
        raise GoldenMismatchError(f"the model fails on its golden rows: {error}") from error
    is_regressor = model.manifest.task == Task.REGRESSION
    answers = prediction.labels if is_regressor else prediction.class_indexes
    _compare("label", golden.labels, answers, GOLDEN_TOLERANCE if is_regressor else 0.0)
    if prediction.probabilities is not None and golden.probabilities is not None:
        _compare("probabilities", golden.probabilities, prediction.probabilities, GOLDEN_TOLERANCE)


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


def _input_type(manifest: Manifest, session: Any) -> type[np.floating[Any]]:
    inputs = {given.name: given.type for given in session.get_inputs()}
    outputs = [given.name for given in session.get_outputs()]
    if set(inputs) != {manifest.onnx_input}:
        raise ArtifactError(
            f"the graph has inputs {sorted(inputs)}; the manifest names {manifest.onnx_input!r}"
        )
    for name in (manifest.label_output, manifest.probability_output):
        if name is not None and name not in outputs:
            raise ArtifactError(f"the graph has outputs {outputs}; the manifest names {name!r}")
    input_type = INPUT_TYPES.get(inputs[manifest.onnx_input])
    if input_type is None:
        raise ArtifactError(
            f"the graph's input is {inputs[manifest.onnx_input]}; this server feeds "
            f"{' or '.join(INPUT_TYPES)}"
        )
    return input_type


def _index_by_label(classes: tuple[str, ...]) -> dict[Any, int]:
    """Map what a graph may answer to the class index: a name, or a whole number.

    A number is the class itself where all classes are numbers (1, 2, 3), else its index (0, 1, 2).
    """
    by_name: dict[Any, int] = {name: index for index, name in enumerate(classes)}
    are_numbers = all(name.lstrip("-").isdecimal() for name in classes)
    return by_name | {
        int(name) if are_numbers else index: index for index, name in enumerate(classes)
    }


def _plain_labels(answer: npt.NDArray[Any]) -> list[Any]:
    # Regressors answer a column; a list of one-element lists is not what `predict` gives.
    if answer.ndim == 2 and answer.shape[1] == 1:
        answer = answer[:, 0]
    labels: list[Any] = answer.tolist()
    return labels
