"""Loading a model, proving it, predicting with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from server.errors import ArtifactError, GoldenMismatchError, PredictionError
from server.model import load_model
from tests.support.onnx_models import (
    FittedModel,
    a_classifier_failing_on_unseen_values,
    a_regressor,
    an_iris_classifier,
    change_json,
)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return an_iris_classifier(tmp_path_factory.mktemp("iris"))


@pytest.fixture
def artifact(iris: FittedModel, tmp_path: Path) -> Path:
    """A copy of the iris artifact to damage."""
    return Path(shutil.copytree(iris.directory, tmp_path / "model"))


def test_a_loaded_classifier_answers_as_its_estimator(iris: FittedModel) -> None:
    rows = iris.rows.astype(np.float32)

    prediction = load_model(iris.directory).predict(rows)

    assert prediction.class_indexes == iris.estimator.predict(rows).tolist()
    assert prediction.probabilities == pytest.approx(iris.estimator.predict_proba(rows), abs=1e-5)


def test_a_loaded_regressor_answers_plain_values(tmp_path: Path) -> None:
    fitted = a_regressor(tmp_path)
    rows = fitted.rows[:5].astype(np.float32)

    prediction = load_model(tmp_path).predict(rows)

    assert prediction.labels == pytest.approx(fitted.estimator.predict(rows), rel=1e-5)
    assert prediction.class_indexes == []


def test_input_the_graph_refuses_is_a_prediction_error_with_the_cause(tmp_path: Path) -> None:
    a_classifier_failing_on_unseen_values(tmp_path)
    model = load_model(tmp_path)

    with pytest.raises(PredictionError, match=r"ONNX Runtime: .*Unknown Category"):
        model.predict(np.array([[99, 3, 5, 2]], np.float32))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": [1] * 10}, "golden row 0: the model answers label 0.0, recorded was 1.0"),
        ({"labels": ["a"] * 10}, "golden.json has label that are no numbers"),
        ({"labels": [[0]] * 10}, r"golden label have shape \(10, 1\)"),
        (
            {"probabilities": [[0.9, 0.1, 0.0]] * 10},
            "golden row 0: the model answers probabilities .* package it again",
        ),
    ],
)
def test_a_model_that_misses_its_golden_rows_is_not_loaded(
    artifact: Path, changes: dict[str, object], message: str
) -> None:
    change_json(artifact / "golden.json", **changes)

    with pytest.raises(ArtifactError, match=message):
        load_model(artifact)


def test_a_probability_that_is_off_by_more_than_the_tolerance_is_a_mismatch(
    artifact: Path, iris: FittedModel
) -> None:
    rows = iris.rows[::15].astype(np.float32)
    probabilities = iris.estimator.predict_proba(rows)
    probabilities[9, 2] -= 1e-4
    change_json(artifact / "golden.json", probabilities=probabilities.tolist())

    with pytest.raises(GoldenMismatchError, match="golden row 9"):
        load_model(artifact)


def test_a_model_that_raises_on_its_golden_rows_is_not_loaded(tmp_path: Path) -> None:
    a_classifier_failing_on_unseen_values(tmp_path)
    change_json(
        tmp_path / "golden.json", instances=[[99, 3, 5, 2]], labels=[0], probabilities=[[1, 0, 0]]
    )

    with pytest.raises(GoldenMismatchError, match="the model fails on its golden rows"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("instances", "message"),
    [([["a"]] * 10, "instances that are no rows"), ([[1, 2]] * 10, r"of shape \(10, 2\)")],
)
def test_golden_rows_that_do_not_fit_the_model_are_refused(
    artifact: Path, instances: object, message: str
) -> None:
    change_json(artifact / "golden.json", instances=instances)

    with pytest.raises(ArtifactError, match=message):
        load_model(artifact)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"onnx_input": "Y"}, r"the graph has inputs \['X'\]; the manifest names 'Y'"),
        ({"onnx_outputs": {"label": "nope"}}, "the manifest names 'nope'"),
        ({"model_sha256": "00"}, "was changed after packaging; package the model again"),
    ],
)
def test_a_manifest_that_contradicts_the_graph_is_refused(
    artifact: Path, changes: dict[str, object], message: str
) -> None:
    change_json(artifact / "manifest.json", **changes)

    with pytest.raises(ArtifactError, match=message):
        load_model(artifact)


def test_a_class_the_manifest_does_not_name_is_refused(artifact: Path) -> None:
    change_json(artifact / "manifest.json", classes=["setosa", "versicolor"])

    with pytest.raises(GoldenMismatchError, match="the model answered class 2"):
        load_model(artifact)


@pytest.mark.parametrize("labels", [["a", "b", "c"], [1, 2, 3], [-1, 0, 1]])
def test_classes_of_any_kind_are_answered_by_their_index(
    tmp_path: Path, labels: list[object]
) -> None:
    fitted = an_iris_classifier(tmp_path, labels=labels)

    prediction = load_model(tmp_path).predict(fitted.rows[::50].astype(np.float32))

    assert prediction.class_indexes == [0, 1, 2]
    assert prediction.labels == labels


def test_a_graph_that_is_no_onnx_is_refused(artifact: Path) -> None:
    import hashlib

    (artifact / "model.onnx").write_bytes(b"pickle?")
    change_json(artifact / "manifest.json", model_sha256=hashlib.sha256(b"pickle?").hexdigest())

    with pytest.raises(ArtifactError, match=r"ONNX Runtime cannot load model\.onnx"):
        load_model(artifact)


def test_a_missing_graph_is_refused(artifact: Path) -> None:
    (artifact / "model.onnx").unlink()

    with pytest.raises(ArtifactError, match=r"model\.onnx cannot be read"):
        load_model(artifact)
