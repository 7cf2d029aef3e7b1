"""Answering with a compiled forest."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from automation.gate.forest import forest_bytes
from server.errors import ArtifactError, InvalidInstanceError
from server.forest import compiled_forest, forest_runtime, labels_from_content
from server.manifest import Feature, FeatureType, Manifest, ModelInput, TensorType
from tests.support.forests import FittedForest, a_fitted_forest
from tests.support.manifests import a_manifest

pytest.importorskip(
    "greenlight_kernel", reason="no compiled kernel; install a C compiler, then run `make setup`"
)


def its_manifest(fitted: FittedForest, classes: int | None = None) -> Manifest:
    """Give the manifest of a fitted forest, or one with another number of classes."""
    count = len(getattr(fitted.estimator, "classes_", ())) if classes is None else classes
    features = [
        Feature(name=f"x{number}", type=FeatureType.NUMBER)
        for number in range(fitted.estimator.n_features_in_)
    ]
    return a_manifest(features, classes=[f"class {number}" for number in range(count)])


def test_a_classifier_answers_labels_indexes_and_probabilities() -> None:
    fitted = a_fitted_forest(RandomForestClassifier, classes=3)
    runtime = forest_runtime(its_manifest(fitted), fitted.content)
    assert runtime is not None

    prediction = runtime.predict({"X": fitted.rows})

    assert prediction.labels == fitted.estimator.predict(fitted.rows).tolist()
    assert prediction.class_indexes == fitted.answers.argmax(axis=1).tolist()
    assert isinstance(prediction.probabilities, np.ndarray)
    assert prediction.probabilities.tobytes() == fitted.answers.tobytes()


@pytest.mark.parametrize("classes", [["no", "yes"], [False, True], [-1, 1]])
def test_classes_are_answered_as_the_estimator_names_them(classes: list[Any]) -> None:
    rows = np.arange(20.0).reshape(10, 2)
    estimator = RandomForestClassifier(3, random_state=1).fit(rows, np.repeat(classes, 5))
    fitted = FittedForest(estimator=estimator, content=forest_bytes(estimator) or b"", rows=rows)
    runtime = forest_runtime(its_manifest(fitted), fitted.content)
    assert runtime is not None

    labels = runtime.predict({"X": rows}).labels
    assert json.dumps(labels) == json.dumps(estimator.predict(rows).tolist())


@pytest.mark.parametrize("kind", [RandomForestRegressor, GradientBoostingRegressor])
def test_a_regressor_answers_values(kind: type) -> None:
    fitted = a_fitted_forest(kind)
    runtime = forest_runtime(its_manifest(fitted), fitted.content)
    assert runtime is not None

    prediction = runtime.predict({"X": fitted.rows})

    assert prediction.labels == fitted.estimator.predict(fitted.rows).tolist()
    assert (prediction.class_indexes, prediction.probabilities) == ([], None)


def test_rows_in_several_inputs_are_put_together_by_feature() -> None:
    fitted = a_fitted_forest(RandomForestClassifier)
    features = [Feature(name=name, type=FeatureType.NUMBER) for name in "abcd"]
    inputs = [
        ModelInput(name="last", type=TensorType.FLOAT64, features=("d", "b")),
        ModelInput(name="first", type=TensorType.FLOAT32, features=("a", "c")),
    ]
    manifest = a_manifest(features, classes=("x", "y", "z"), inputs=inputs)
    runtime = forest_runtime(manifest, fitted.content)
    assert runtime is not None

    prediction = runtime.predict(
        {"last": fitted.rows[:, [3, 1]], "first": fitted.rows[:, [0, 2]].astype(np.float32)}
    )

    assert isinstance(prediction.probabilities, np.ndarray)
    assert prediction.probabilities.tobytes() == fitted.answers.tobytes()


def test_packed_rows_are_answered_by_the_kernel_alone() -> None:
    fitted = a_fitted_forest(RandomForestClassifier)
    runtime = forest_runtime(its_manifest(fitted), fitted.content)
    assert runtime is not None

    answer = runtime.predict_packed(fitted.rows.astype(np.float32).tobytes())

    assert answer == fitted.answers.tobytes()


def test_of_equally_probable_classes_the_first_is_answered() -> None:
    rows = np.zeros((6, 1))
    estimator = RandomForestClassifier(3, bootstrap=False).fit(rows, [0, 0, 1, 1, 2, 2])
    fitted = FittedForest(estimator=estimator, content=forest_bytes(estimator) or b"", rows=rows)
    runtime = forest_runtime(its_manifest(fitted), fitted.content)
    assert runtime is not None

    assert runtime.predict({"X": rows}).labels == [0] * 6 == estimator.predict(rows).tolist()


def test_a_number_beyond_float32_is_refused_as_scikit_learn_does() -> None:
    fitted = a_fitted_forest(RandomForestClassifier)
    runtime = forest_runtime(its_manifest(fitted), fitted.content)
    assert runtime is not None
    rows = np.zeros((3, 4))
    rows[2, 1] = -1e39

    with pytest.raises(
        InvalidInstanceError, match=r"instance 2 has -1e\+39 as its value 1"
    ) as told:
        runtime.predict({"X": rows})
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="too large for dtype"):
        fitted.estimator.predict(rows)

    assert told.value.instance == 2


def test_a_forest_that_only_explains_is_no_runtime() -> None:
    fitted = a_fitted_forest(GradientBoostingClassifier)

    assert forest_runtime(its_manifest(fitted), fitted.content) is None


def test_without_the_module_there_is_no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = a_fitted_forest(RandomForestClassifier)
    monkeypatch.setitem(sys.modules, "greenlight_kernel", None)

    assert compiled_forest(fitted.content) is None
    assert forest_runtime(its_manifest(fitted), fitted.content) is None


@pytest.mark.parametrize("classes", [0, 2, 4])
def test_a_forest_of_another_model_is_refused(classes: int) -> None:
    fitted = a_fitted_forest(RandomForestClassifier, classes=3)

    with pytest.raises(ArtifactError, match=r"forest\.bin is for 4 features and 3 outputs"):
        forest_runtime(its_manifest(fitted, classes), fitted.content)


def test_a_damaged_forest_is_refused_with_the_way_out() -> None:
    fitted = a_fitted_forest(RandomForestClassifier)

    with pytest.raises(ArtifactError, match="size is not what its header says; package the model"):
        compiled_forest(fitted.content[:-1])


@pytest.mark.parametrize("labels", [b"[1, 2", b'{"a": 1}', b"[1.5, 2]"])
def test_labels_that_are_no_classes_are_refused(labels: bytes) -> None:
    content = bytes(36) + len(labels).to_bytes(4, "little") + labels

    with pytest.raises(ArtifactError, match="labels"):
        labels_from_content(content)
