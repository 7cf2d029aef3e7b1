"""Answers with a compiled forest: the fastest runtime, for the estimators that have a `forest.bin`.

The kernel is an extension module that an image may lack; then `compiled_forest` gives None and the
model runs on another runtime. Only what the artifact's own packaging proved to be equal is here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .errors import ArtifactError, InvalidInstanceError
from .manifest import Manifest, Task
from .model import Inputs, Prediction

FOREST_FILE = "forest.bin"
LABELS_AT = 36
"""Where the header of the file has the length of its last part, the estimator's own classes."""


class CompiledForest(Protocol):
    """What the kernel makes of a `forest.bin`; safe to call from several threads.

    Args:
        feature_count: numbers in a row
        output_count: numbers in an answer
        is_answer: whether `predict` gives what the estimator answers; else only `explain` is of use
    """

    feature_count: int
    output_count: int
    is_answer: bool

    def predict(self, rows: bytes, /) -> bytes:
        """Answer rows, float32 (rows, features), with float64 (rows, outputs)."""

    def explain(self, rows: bytes, /) -> bytes:
        """Give SHAP values, float64 (rows, features + 1, outputs); the base value is the last."""


class ForestRuntime:
    """A forest in the kernel; safe to call from several threads.

    Args:
        manifest: the facts about the model
        forest: made of the artifact's `forest.bin`
        labels: the estimator's own classes; None for a regressor

    Raises:
        ArtifactError: the forest is not of this model
    """

    def __init__(
        self, manifest: Manifest, forest: CompiledForest, labels: list[bool | int | str] | None
    ) -> None:
        outputs = len(manifest.classes) if manifest.task == Task.CLASSIFICATION else 1
        given = (len(manifest.features), outputs, None if labels is None else len(labels))
        wanted = (forest.feature_count, forest.output_count, len(manifest.classes) or None)
        if given != wanted or not forest.is_answer:
            raise ArtifactError(
                f"{FOREST_FILE} is for {forest.feature_count} features and {forest.output_count} "
                f"outputs, the manifest has {len(manifest.features)} and {outputs}; package the "
                "model again"
            )
        self.manifest = manifest
        self.forest = forest
        self._labels = labels
        self._width = outputs

    @property
    def predict_packed(self) -> Callable[[bytes], bytes]:
        """The kernel's own call: rows as float32 bytes in, answers as float64 bytes out.

        A classifier's answers are probabilities in the order of the classes, of which it predicts
        the first greatest one; a regressor's are the values.
        """
        return self.forest.predict

    def predict(self, inputs: Inputs) -> Prediction:
        """Answer the rows of these inputs."""
        answer = self.forest.predict(packed_rows(forest_rows(self.manifest, inputs)))
        if self._labels is None:
            return Prediction(
                labels=np.frombuffer(answer).tolist(), class_indexes=[], probabilities=None
            )
        probabilities = np.frombuffer(answer).reshape(-1, self._width)
        indexes: list[int] = probabilities.argmax(axis=1).tolist()
        labels = self._labels
        return Prediction(
            labels=[labels[index] for index in indexes],
            class_indexes=indexes,
            probabilities=probabilities,
        )


def kernel() -> ModuleType | None:
    """Import the compiled module; None where this installation has none."""
    try:
        import greenlight_kernel
    except ImportError:
        return None
    module: ModuleType = greenlight_kernel
    return module


def compiled_forest(content: bytes) -> CompiledForest | None:
    """Load a `forest.bin` into the kernel; None where there is no kernel.

    Raises:
        ArtifactError: the content is not a forest, or is damaged
    """
    module = kernel()
    if module is None:
        return None
    try:
        forest: CompiledForest = module.Forest(content)
    except (ValueError, MemoryError) as error:
        raise ArtifactError(f"{FOREST_FILE}: {error}") from error
    return forest


def forest_runtime(manifest: Manifest, content: bytes) -> ForestRuntime | None:
    """Make the runtime of a model from its `forest.bin`.

    Returns:
        None where there is no kernel, or the forest is only there to explain

    Raises:
        ArtifactError: the content is damaged, or of another model
    """
    forest = compiled_forest(content)
    if forest is None or not forest.is_answer:
        return None
    return ForestRuntime(manifest, forest, labels_from_content(content))


def labels_from_content(content: bytes) -> list[bool | int | str] | None:
    """Read the estimator's own classes, which end a `forest.bin`; None for a regressor.

    Raises:
        ArtifactError: there are none, or they are not booleans, numbers or names
    """
    size = int.from_bytes(content[LABELS_AT : LABELS_AT + 4], "little")
    try:
        labels: Any = json.loads(content[len(content) - size :])
    except ValueError as error:
        raise ArtifactError(f"{FOREST_FILE} has labels that are not JSON: {error}") from error
    if labels is not None and (
        not isinstance(labels, list) or not all(type(label) in (bool, int, str) for label in labels)
    ):
        raise ArtifactError(
            f"{FOREST_FILE} has labels that are neither booleans, numbers nor names"
        )
    return labels


def forest_rows(manifest: Manifest, inputs: Inputs) -> npt.NDArray[Any]:
    """Give rows in the order of the model's features, however many inputs they come in."""
    first = manifest.inputs[0]
    if first.features == manifest.feature_names:
        return inputs[first.name]
    position = {name: number for number, name in enumerate(manifest.feature_names)}
    matrix = np.empty((len(inputs[first.name]), len(position)))
    for given in manifest.inputs:
        matrix[:, [position[name] for name in given.features]] = inputs[given.name]
    return matrix


def packed_rows(matrix: npt.NDArray[Any]) -> bytes:
    """Give rows of numbers as the kernel takes them; scikit-learn's trees round to float32 too.

    Raises:
        InvalidInstanceError: a number is too large for that, which scikit-learn refuses as well
    """
    with np.errstate(over="ignore"):
        packed = matrix.astype(np.float32, order="C", copy=False)
    too_large = np.isinf(packed)
    if too_large.any():
        row, column = map(int, np.argwhere(too_large)[0])
        raise InvalidInstanceError(
            f"instance {row} has {float(matrix[row, column]):.6g} as its value {column} (counted "
            f"from 0); this model's trees compare float32, at most ±{np.finfo(np.float32).max:.6g}",
            instance=row,
        )
    return packed.tobytes()
