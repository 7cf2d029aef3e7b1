"""Answering rows with an ONNX graph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.artifact_files import read_json_object
from server.errors import ArtifactError, GoldenMismatchError, PredictionError
from server.manifest import manifest_from_document
from server.model import Prediction
from server.onnx_runtime import OnnxRuntime, open_session
from server.predictor import load_predictor
from server.settings import Settings
from tests.support.onnx_models import (
    FEATURE_NAMES,
    FittedModel,
    a_classifier_failing_on_unseen_values,
    a_regressor,
    an_iris_classifier,
    change_json,
    reseal,
)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return an_iris_classifier(tmp_path_factory.mktemp("iris"))


def predicted(directory: Path, rows: Any) -> Prediction:
    """Answer rows with the graph of an artifact."""
    manifest = manifest_from_document(read_json_object(directory / "manifest.json"))
    runtime = OnnxRuntime(manifest, open_session((directory / "model.onnx").read_bytes()))
    return runtime.predict({manifest.inputs[0].name: rows})


def test_a_loaded_classifier_answers_as_its_estimator(iris: FittedModel) -> None:
    rows = iris.rows.astype(np.float32)

    prediction = predicted(iris.directory, rows)

    assert prediction.class_indexes == iris.estimator.predict(rows).tolist()
    assert prediction.probabilities == pytest.approx(iris.estimator.predict_proba(rows), abs=1e-5)


def test_a_loaded_regressor_answers_plain_values(tmp_path: Path) -> None:
    fitted = a_regressor(tmp_path)
    rows = fitted.rows[:5].astype(np.float32)

    prediction = predicted(tmp_path, rows)

    assert prediction.labels == pytest.approx(fitted.estimator.predict(rows), rel=1e-5)
    assert prediction.class_indexes == []


def test_input_the_graph_refuses_is_a_prediction_error_with_the_cause(tmp_path: Path) -> None:
    a_classifier_failing_on_unseen_values(tmp_path)

    with pytest.raises(PredictionError, match=r"ONNX Runtime: .*Unknown Category"):
        predicted(tmp_path, np.array([[99, 3, 5, 2]], np.float32))


@pytest.mark.parametrize("labels", [["a", "b", "c"], [1, 2, 3], [-1, 0, 1]])
def test_classes_of_any_kind_are_answered_by_their_index(
    tmp_path: Path, labels: list[object]
) -> None:
    fitted = an_iris_classifier(tmp_path, labels=labels)

    prediction = predicted(tmp_path, fitted.rows[::50].astype(np.float32))

    assert prediction.class_indexes == [0, 1, 2]
    assert prediction.labels == labels


def test_booleans_are_answered_as_booleans(tmp_path: Path) -> None:
    fitted = an_iris_classifier(tmp_path, labels=[False, True, True])
    change_json(tmp_path / "manifest.json", labels=[False, True], classes=["False", "True"])

    prediction = predicted(tmp_path, fitted.rows[::50].astype(np.float32))

    assert prediction.class_indexes == [0, 1, 1]
    assert json.dumps(prediction.labels) == "[false, true, true]"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_output": "nope"}, "the manifest names 'nope'"),
        ({"probability_output": "nope"}, "the manifest names 'nope'"),
        (
            {"inputs": [{"name": "Y", "type": "float32", "features": list(FEATURE_NAMES)}]},
            r"the graph has the inputs {'X': 'tensor\(float\)'}; the manifest names {'Y'",
        ),
        (
            {"inputs": [{"name": "X", "type": "float64", "features": list(FEATURE_NAMES)}]},
            r"the manifest names {'X': 'tensor\(double\)'}",
        ),
    ],
)
def test_a_manifest_that_contradicts_the_graph_is_refused(
    artifact: Path, changes: dict[str, object], message: str
) -> None:
    graph = read_json_object(artifact / "manifest.json")["onnx"]
    change_json(artifact / "manifest.json", onnx=graph | changes)

    with pytest.raises(ArtifactError, match=message):
        load_predictor(artifact, Settings())


def test_a_class_the_manifest_does_not_name_is_refused(artifact: Path) -> None:
    change_json(artifact / "manifest.json", classes=["setosa", "versicolor"])

    with pytest.raises(GoldenMismatchError, match="the model answered class 2"):
        load_predictor(artifact, Settings())


def test_a_graph_that_is_no_onnx_is_refused(artifact: Path) -> None:
    (artifact / "model.onnx").write_bytes(b"pickle?")
    reseal(artifact / "model.onnx")

    with pytest.raises(ArtifactError, match=r"ONNX Runtime cannot load model\.onnx"):
        load_predictor(artifact, Settings())
