"""What happens where an inference script leaves a function out.

The rest of the server does it: bodies are decoded and answers written as without a script, and the
artifact's own model answers. Two things are as SageMaker's scikit-learn container has them: a body
that is a bare JSON array is answered by a bare array, and a prediction of the script's own may be
anything that looks like an array.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from .codecs import json_body
from .content_type import CSV, JSON, NPY
from .manifest import Manifest, TensorType
from .model import Inputs, Runtime

TYPES: dict[TensorType, Any] = {
    TensorType.FLOAT32: np.float32,
    TensorType.FLOAT64: np.float64,
    TensorType.INT64: np.int64,
    TensorType.BOOL: np.bool_,
    TensorType.STRING: object,
}


class ServedModel:
    """The artifact's own model, as a script without `model_fn` is given it.

    It answers arrays and DataFrames of whole rows by `predict`, and `predict_proba` where the model
    knows probabilities, like an estimator.
    """

    def __init__(self, runtime: Runtime, manifest: Manifest) -> None:
        self._runtime = runtime
        self._manifest = manifest
        if manifest.probability_outputs:
            self.predict_proba: Callable[[Any], Any] = self._probabilities

    def predict(self, data: Any) -> npt.NDArray[Any]:
        """Give what the estimator's `predict` gives, per row."""
        prediction = self._runtime.predict(inputs_from_data(data, self._manifest))
        return np.asarray(prediction.labels)

    def _probabilities(self, data: Any) -> Any:
        return self._runtime.predict(inputs_from_data(data, self._manifest)).probabilities


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What the default `predict_fn` says of data that the script's `input_fn` made."""

    labels: Any
    probabilities: Any


def inputs_from_data(data: Any, manifest: Manifest) -> Inputs:
    """Turn rows a script has into what the model is fed.

    Raises:
        ValueError: they do not have the model's columns
    """
    columns = getattr(data, "columns", None)
    if columns is not None and set(manifest.feature_names) <= set(columns):
        data = data[list(manifest.feature_names)]
    rows = np.asarray(data)
    if rows.ndim != 2 or rows.shape[1] != len(manifest.features):
        raise ValueError(
            f"the model was given data of shape {rows.shape}; it takes "
            f"(rows, {len(manifest.features)}): {', '.join(manifest.feature_names)}"
        )
    position = {name: index for index, name in enumerate(manifest.feature_names)}
    return {
        given.name: np.ascontiguousarray(
            rows[:, [position[name] for name in given.features]].astype(TYPES[given.type])
        )
        for given in manifest.inputs
    }


def predicted(model: Any, data: Any) -> Answered:
    """Ask whatever `model_fn` gave; probabilities where it knows them."""
    find = getattr(model, "predict_proba", None)
    return Answered(
        labels=model.predict(data), probabilities=find(data) if callable(find) else None
    )


def is_bare_array(media_type: str, body: bytes) -> bool:
    """Tell whether a body is a JSON array and nothing around it."""
    return media_type == JSON and body.lstrip()[:1] == b"["


def features_body(body: bytes) -> bytes:
    """Give a bare array of rows the form the decoders know."""
    return b'{"features":' + body + b"}"


def body_from_anything(media_type: str, prediction: Any, *, is_bare: bool) -> bytes:
    """Write what a script predicted.

    Args:
        prediction: an array or what becomes one, two of them (predictions, probabilities), or a
            dict, which is written as it is

    Raises:
        TypeError, ValueError: it is none of these
    """
    if isinstance(prediction, Answered):
        labels, probabilities = plain(prediction.labels), plain(prediction.probabilities)
    elif isinstance(prediction, tuple) and len(prediction) == 2:
        labels, probabilities = plain(prediction[0]), plain(prediction[1])
    else:
        labels, probabilities = plain(prediction), None
    if media_type == NPY:
        return _npy(labels if probabilities is None else probabilities)
    if media_type == JSON:
        return _json(labels, probabilities, is_bare=is_bare)
    if media_type == CSV:
        return _csv(_lines(labels, probabilities))
    return b"".join(
        _json([label], None if row is None else [row], is_bare=False) + b"\n"
        for label, row in _rows(labels, probabilities)
    )


def plain(value: Any) -> Any:
    """Give arrays, Series and DataFrames as lists; everything else as it is."""
    if value is None or isinstance(value, str | bytes | dict):
        return value
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value


def _json(labels: Any, probabilities: Any, *, is_bare: bool) -> bytes:
    if isinstance(labels, dict):
        return json_body(labels)
    if is_bare:
        return orjson.dumps(labels, option=orjson.OPT_SERIALIZE_NUMPY)
    document: dict[str, Any] = {"predictions": labels}
    if probabilities is not None:
        document["probabilities"] = probabilities
    return json_body(document)


def _rows(labels: Any, probabilities: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(labels, list):
        raise TypeError(f"a {type(labels).__name__} has no rows")
    rows = [None] * len(labels) if probabilities is None else probabilities
    return zip(labels, rows, strict=True)


def _lines(labels: Any, probabilities: Any) -> list[list[Any]]:
    return [
        [*_cells(label), *([] if row is None else _cells(row))]
        for label, row in _rows(labels, probabilities)
    ]


def _cells(row: Any) -> Sequence[Any]:
    return row if isinstance(row, list) else [row]


def _csv(lines: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


def _npy(values: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, np.asarray(values), allow_pickle=False)
    return content.getvalue()
