"""How a prediction is told."""

from __future__ import annotations

import numpy as np

from server.answers import answers, plain_answers
from server.manifest import Output
from server.model import Prediction
from tests.support.schemas import a_schema

KINDS = (Output(name="kind", classes=("a", "b")), Output(name="size", classes=("1", "2", "3")))
SIZES = (Output(name="height", classes=()), Output(name="depth", classes=()))


def test_a_classifier_without_probabilities_tells_the_class_alone() -> None:
    prediction = Prediction(labels=["setosa"], class_indexes=[0], probabilities=None)

    (answer,) = answers([[5, 0.2]], prediction, a_schema().manifest)

    assert answer == {
        "predicted_class": "setosa",
        "predicted_class_index": 0,
        "input_features": {"length": 5, "width": 0.2},
    }
    assert plain_answers(prediction, a_schema().manifest) == {"predictions": ["setosa"]}


def test_several_classes_are_told_by_the_outputs_names() -> None:
    manifest = a_schema(classes=(), outputs=KINDS).manifest
    prediction = Prediction(
        labels=[["b", 1]],
        class_indexes=[[1, 0]],
        probabilities=(np.array([[0.25, 0.75]]), np.array([[0.5, 0.3, 0.2]])),
    )

    (answer,) = answers([[5, 0.2]], prediction, manifest)

    assert answer["outputs"] == {
        "kind": {
            "predicted_class": "b",
            "predicted_class_index": 1,
            "confidence": 0.75,
            "probabilities": {"a": 0.25, "b": 0.75},
        },
        "size": {
            "predicted_class": "1",
            "predicted_class_index": 0,
            "confidence": 0.5,
            "probabilities": {"1": 0.5, "2": 0.3, "3": 0.2},
        },
    }
    assert answer["input_features"] == {"length": 5, "width": 0.2}


def test_several_classes_without_probabilities_are_told_alone() -> None:
    manifest = a_schema(classes=(), outputs=KINDS).manifest
    prediction = Prediction(labels=[["b", 1]], class_indexes=[[1, 0]], probabilities=None)

    (answer,) = answers([[5, 0.2]], prediction, manifest)

    assert answer["outputs"]["kind"] == {"predicted_class": "b", "predicted_class_index": 1}


def test_several_values_are_told_by_the_outputs_names() -> None:
    manifest = a_schema(classes=(), outputs=SIZES).manifest
    prediction = Prediction(labels=[[1.5, 2.5]], class_indexes=[], probabilities=None)

    (answer,) = answers([[5, 0.2]], prediction, manifest)

    assert answer["outputs"] == {
        "height": {"predicted_value": 1.5},
        "depth": {"predicted_value": 2.5},
    }
