"""Runs scikit-learn itself, for estimators that have no ONNX form.

What is read is a skops file with no types in it but scikit-learn's own, which runs no code; a
pickle only where both the packager and whoever runs the server allowed it, each by name. The
scikit-learn here must be the one the model was proven with: another may answer otherwise.
"""

from __future__ import annotations

import importlib.metadata
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ArtifactError, PredictionError
from .estimator_part import SKOPS_SUFFIX, EstimatorPart
from .manifest import FeatureType, Manifest, Task
from .model import Inputs, Prediction, indexes_by_label, plain_labels

TRUSTED_PREFIXES = (
    "builtins.object",
    "functools.partial",
    "numpy.dtype",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn._loss.",
    "sklearn.calibration._",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.",
    "sklearn.linear_model._sgd_fast.",
    "sklearn.metrics._dist_metrics.",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.neighbors._ball_tree.",
    "sklearn.neighbors._kd_tree.",
    "sklearn.neural_network._stochastic_optimizers.",
    "sklearn.tree._tree.",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
)
"""Parts of scikit-learn's estimators that skops has no list of: classes, and functions that compute
and do nothing else. The packaging gate has the same."""

HOW_TO_GET_SKLEARN = (
    "serve it with the image that holds scikit-learn (build argument "
    "REQUIREMENTS=requirements-sklearn.lock; in a stack, greenlight:sklearnImage on its Foundation)"
)


class SklearnRuntime:
    """An estimator, or what a script calls one; safe to call from several threads if that is.

    Args:
        manifest: the facts about the model
        estimator: has `predict`, and `predict_proba` where it knows probabilities
        takes_frame: whether it takes a pandas DataFrame with the features' names
    """

    def __init__(self, manifest: Manifest, estimator: Any, *, takes_frame: bool) -> None:
        self.manifest = manifest
        self.estimator = estimator
        self._takes_frame = takes_frame
        self._has_probabilities = manifest.task is Task.CLASSIFICATION and hasattr(
            estimator, "predict_proba"
        )
        self._index_by_label = (
            _own_indexes(manifest, estimator) if manifest.task is Task.CLASSIFICATION else []
        )

    def predict(self, inputs: Inputs) -> Prediction:
        """Answer the rows of these inputs.

        Raises:
            PredictionError: the estimator raised, or answered something the manifest rules out
        """
        try:
            rows = estimator_rows(inputs, self.manifest, takes_frame=self._takes_frame)
            answer = np.asarray(self.estimator.predict(rows))
            found = self.estimator.predict_proba(rows) if self._has_probabilities else None
        except Exception as error:
            raise PredictionError(f"scikit-learn: {type(error).__name__}: {error}") from error
        labels = plain_labels(answer)
        if self.manifest.task is Task.REGRESSION:
            return Prediction(labels=labels, class_indexes=[], probabilities=None)
        return Prediction(
            labels=labels,
            class_indexes=self._class_indexes(labels),
            probabilities=self._probabilities(found),
        )

    def _probabilities(self, found: Any) -> Any:
        if found is None:
            return None
        # Several outputs give a list of arrays.
        return tuple(map(np.asarray, found)) if self.manifest.outputs else np.asarray(found)

    def _class_indexes(self, labels: Sequence[Any]) -> list[Any]:
        if not self.manifest.outputs:
            return [self._index(0, label) for label in labels]
        return [[self._index(output, label) for output, label in enumerate(row)] for row in labels]

    def _index(self, output: int, label: Any) -> int:
        index = self._index_by_label[output].get(label)
        if index is None:
            known = _class_names(self.manifest)[output]
            raise PredictionError(f"the model answered class {label!r}; the manifest has {known}")
        return index


def load_estimator(part: EstimatorPart, content: bytes, *, allows_pickle: bool) -> Any:
    """Read an estimator.

    Args:
        part: what the manifest says of it
        content: its file, which has the digest in the manifest
        allows_pickle: whether the settings allow one

    Raises:
        ArtifactError: scikit-learn is missing or another version; the file is damaged, holds types
            that may not be read, or is a pickle that is not allowed
    """
    check_version(part.sklearn_version, _installed("scikit-learn"))
    if part.file.endswith(SKOPS_SUFFIX):
        return _from_skops(part.file, content)
    if not allows_pickle:
        raise ArtifactError(
            f"{part.file} is a pickle, which runs code when it is read; package the model as "
            "skops, or set GREENLIGHT_ALLOW_PICKLE=true for an artifact you made yourself"
        )
    import joblib

    try:
        return joblib.load(io.BytesIO(content))
    except Exception as error:
        raise ArtifactError(f"{part.file} cannot be read: {_told(error)}") from error


def check_version(packaged: str, installed: str | None) -> None:
    """Check that the scikit-learn here is the one the model was proven with.

    Raises:
        ArtifactError: there is none, or another
    """
    if installed is None:
        raise ArtifactError(
            f"the model runs on scikit-learn {packaged}, and there is none here; "
            f"{HOW_TO_GET_SKLEARN}"
        )
    if installed != packaged:
        raise ArtifactError(
            f"the model was packaged with scikit-learn {packaged} and {installed} is installed "
            "here, which may answer otherwise: serve it with the image of the release that "
            "packaged it, or package it again with this one"
        )


def estimator_rows(inputs: Inputs, manifest: Manifest, *, takes_frame: bool) -> Any:
    """Give rows as an estimator was fitted on them; what is missing is NaN."""
    columns = _columns(inputs, manifest)
    if takes_frame:
        import pandas

        return pandas.DataFrame(columns, columns=list(manifest.feature_names), copy=False)
    if len(inputs) == 1 and manifest.inputs[0].features == manifest.feature_names:
        return inputs[manifest.inputs[0].name]
    are_numbers = all(feature.type is FeatureType.NUMBER for feature in manifest.features)
    matrix = np.empty(
        (len(next(iter(columns.values()))), len(columns)),
        dtype=np.float64 if are_numbers else object,
    )
    for position, name in enumerate(manifest.feature_names):
        matrix[:, position] = columns[name]
    return matrix


def _columns(inputs: Inputs, manifest: Manifest) -> Mapping[str, npt.NDArray[Any]]:
    found: dict[str, npt.NDArray[Any]] = {}
    for given in manifest.inputs:
        tensor = inputs[given.name]
        for position, name in enumerate(given.features):
            found[name] = _with_nan(tensor[:, position])
    return {name: found[name] for name in manifest.feature_names}


def _with_nan(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # NaN is the one missing value that scikit-learn knows in columns of texts and booleans.
    if column.dtype != object or not any(cell is None for cell in column):
        return column
    native = column.copy()
    native[[cell is None for cell in column]] = math.nan
    return native


def _own_indexes(manifest: Manifest, estimator: Any) -> list[dict[Any, int]]:
    """Map what the estimator answers to the class index: by its own classes where it tells them."""
    names = _class_names(manifest)
    known = getattr(estimator, "classes_", None)
    parts = [] if known is None else known if manifest.outputs else [known]
    own = [np.asarray(part).tolist() for part in parts]
    if list(map(len, own)) != list(map(len, names)):
        return indexes_by_label(manifest)
    return [{label: index for index, label in enumerate(labels)} for labels in own]


def _class_names(manifest: Manifest) -> list[tuple[str, ...]]:
    return [output.classes for output in manifest.outputs] or [manifest.classes]


def _from_skops(name: str, content: bytes) -> Any:
    from skops import io as skops_io

    try:
        unknown = skops_io.get_untrusted_types(data=content)
        untrusted = [kind for kind in unknown if not kind.startswith(TRUSTED_PREFIXES)]
        if untrusted:
            raise ArtifactError(
                f"{name} holds types that are not scikit-learn's: {', '.join(untrusted)}; nothing "
                "else is read: use estimators of scikit-learn alone"
            )
        return skops_io.loads(content, trusted=unknown)
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"{name} cannot be read: {_told(error)}") from error


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
