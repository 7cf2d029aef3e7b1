"""The rule how a prediction is told: what every encoder writes, as plain values.

`plain_writer` writes the same for the commonest models and requests, only faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .explanation import Explanations
from .manifest import Manifest, Task
from .model import Prediction


def answers(
    rows: Sequence[Sequence[Any]],
    prediction: Prediction,
    manifest: Manifest,
    explanations: Explanations | None = None,
) -> Iterator[dict[str, Any]]:
    """Give an object for each row: what is predicted, the row itself, and why if asked for."""
    told = _explained(explanations, manifest)
    for position, row in enumerate(rows):
        answer = _predicted(position, prediction, manifest)
        answer["input_features"] = dict(zip(manifest.feature_names, row, strict=True))
        if explanations is not None:
            answer["explanation"] = next(told)
        yield answer


def plain_answers(
    prediction: Prediction, manifest: Manifest, explanations: Explanations | None = None
) -> dict[str, Any]:
    """Give what the estimator's `predict` and `predict_proba` give, for all rows together."""
    document: dict[str, Any] = {"predictions": prediction.labels}
    probabilities: Any = prediction.probabilities
    if isinstance(probabilities, tuple):
        document["probabilities"] = list(map(np.ascontiguousarray, probabilities))
    elif probabilities is not None:
        document["probabilities"] = np.ascontiguousarray(probabilities)
    if explanations is not None:
        document["explanations"] = list(_explained(explanations, manifest))
    return document


def classification(
    classes: Sequence[str], index: int, probabilities: npt.NDArray[Any] | None
) -> dict[str, Any]:
    """Tell one predicted class, with its probability and that of the others where there are any."""
    answer: dict[str, Any] = {"predicted_class": classes[index], "predicted_class_index": index}
    if probabilities is not None:
        # NumPy's own scalars: orjson writes a float32 as 0.96, a float of it as 0.9599999785.
        answer["confidence"] = probabilities[index]
        answer["probabilities"] = dict(zip(classes, probabilities, strict=True))
    return answer


def _predicted(position: int, prediction: Prediction, manifest: Manifest) -> dict[str, Any]:
    if manifest.outputs:
        return {"outputs": _outputs(position, prediction, manifest)}
    if manifest.task is Task.REGRESSION:
        return {"predicted_value": prediction.labels[position]}
    probabilities: Any = prediction.probabilities
    return classification(
        manifest.classes,
        prediction.class_indexes[position],
        None if probabilities is None else probabilities[position],
    )


def _outputs(position: int, prediction: Prediction, manifest: Manifest) -> dict[str, Any]:
    if manifest.task is Task.REGRESSION:
        values = prediction.labels[position]
        return {
            output.name: {"predicted_value": value}
            for output, value in zip(manifest.outputs, values, strict=True)
        }
    indexes: Any = prediction.class_indexes[position]
    probabilities: Any = prediction.probabilities
    return {
        output.name: classification(
            output.classes,
            indexes[number],
            None if probabilities is None else probabilities[number][position],
        )
        for number, output in enumerate(manifest.outputs)
    }


def _explained(explanations: Explanations | None, manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Give each row's SHAP values, per class where the explainer has one output for each."""
    if explanations is None:
        return
    base_values = explanations.base_values
    for values in explanations.shap_values:
        parts = [
            {
                "base_value": base_values[output],
                "shap_values": dict(zip(manifest.feature_names, values[:, output], strict=True)),
            }
            for output in range(len(base_values))
        ]
        yield parts[0] if len(parts) == 1 else dict(zip(manifest.classes, parts, strict=True))
