"""Trees in ONNX answer to the bit as scikit-learn does: at thresholds, at ties, without values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from automation.errors import ConversionError
from automation.gate.answers import sklearn_answers
from automation.gate.conversion import graph_for, onnx_answers
from automation.gate.equality import trial_for
from automation.gate.feature_facts import features_of
from automation.gate.training import OutputNames, TrainedModel
from tests.support.trained_models import a_trained_model


def a_model(estimator: Any, rows: Any, labels: Any, **changes: Any) -> TrainedModel:
    estimator.fit(rows, labels)
    classes = getattr(estimator, "classes_", [])
    names = () if isinstance(classes, list) else tuple(map(str, classes))
    return a_trained_model(
        **{
            "estimator": estimator,
            "feature_names": tuple(f"x{index}" for index in range(rows.shape[1])),
            "class_names": names,
            "training_rows": rows,
            "training_labels": labels,
            "live_rows": rows[:5],
            "live_labels": labels[:5],
        }
        | changes
    )


def assert_same_labels_and_nearly_probabilities(trained: TrainedModel) -> None:
    trial = trial_for(trained, features_of(trained)).rows
    given = onnx_answers(graph_for(trained, features_of(trained), "float64"), trained, trial)
    expected = sklearn_answers(trained, trial)
    assert np.array_equal(given.labels, expected.labels)
    assert np.abs(given.probabilities[0] - expected.probabilities[0]).max() < 1e-15


def assert_same_to_the_bit(trained: TrainedModel, float_type: str) -> None:
    features = features_of(trained)
    trial = trial_for(trained, features)
    rows = np.concatenate([trial.rows, trial.edges])
    expected = sklearn_answers(trained, rows)

    given = onnx_answers(graph_for(trained, features, float_type), trained, rows)

    assert expected.is_answered.all()
    assert np.array_equal(given.labels, expected.labels)
    for got, want in zip(given.probabilities, expected.probabilities, strict=True):
        assert np.array_equal(got, want if float_type == "float64" else want.astype(np.float32))


CLASSIFIERS = [
    DecisionTreeClassifier(max_depth=3, random_state=0),
    RandomForestClassifier(10, max_depth=3, random_state=0),
    # Trees whose classes are often equally likely: a sum in float32 decides some otherwise.
    ExtraTreesClassifier(100, random_state=0),
]


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("float_type", ["float32", "float64"])
def test_classifiers_answer_to_the_bit(estimator: Any, float_type: str) -> None:
    rows, labels = load_iris(return_X_y=True)

    assert_same_to_the_bit(a_model(estimator, rows, labels), float_type)


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeRegressor(max_depth=4, random_state=0),
        RandomForestRegressor(10, random_state=0),
        GradientBoostingRegressor(n_estimators=10, random_state=0),
        HistGradientBoostingRegressor(max_iter=10),
    ],
    ids=lambda e: type(e).__name__,
)
def test_regressors_answer_to_the_bit_in_float64(estimator: Any) -> None:
    rows, labels = load_iris(return_X_y=True)

    assert_same_to_the_bit(a_model(estimator, rows, rows[:, 2] * 1.7 + labels), "float64")


@pytest.mark.parametrize("loss", ["log_loss", "exponential"])
def test_a_boosted_classifier_of_two_classes_has_the_labels_and_probabilities(loss: str) -> None:
    rows, labels = load_breast_cancer(return_X_y=True)

    trained = a_model(GradientBoostingClassifier(n_estimators=8, loss=loss), rows, labels)

    assert_same_labels_and_nearly_probabilities(trained)


def test_values_left_out_go_where_training_sent_them() -> None:
    rows, labels = load_iris(return_X_y=True)
    gaps = rows.copy()
    gaps[::7, 2] = np.nan
    gaps[3::5, 3] = np.nan

    assert_same_to_the_bit(
        a_model(RandomForestClassifier(10, max_depth=4, random_state=0), gaps, labels), "float32"
    )


def test_histogram_boosting_compares_float64_values_and_sends_missing_ones() -> None:
    rows, labels = load_iris(return_X_y=True)
    rows = rows + 1e-9  # between two float32 numbers
    rows[::7, 2] = np.nan

    trained = a_model(HistGradientBoostingClassifier(max_iter=5), rows, labels)

    assert_same_labels_and_nearly_probabilities(trained)


def test_several_outputs_with_different_numbers_of_classes_are_answered_each() -> None:
    rows, labels = load_iris(return_X_y=True)
    outputs = (
        OutputNames(name="species", class_names=("a", "b", "c")),
        OutputNames(name="is_late", class_names=("no", "yes")),
    )
    trained = a_model(
        RandomForestClassifier(10, max_depth=3, random_state=0),
        rows,
        np.column_stack([labels, labels > 1]),
        outputs=outputs,
    )

    assert_same_to_the_bit(trained, "float64")


def test_a_tree_of_one_leaf_is_a_tree() -> None:
    rows, labels = load_iris(return_X_y=True)

    assert_same_to_the_bit(
        a_model(DecisionTreeClassifier(min_samples_leaf=100), rows, labels), "float32"
    )


def test_trees_behind_a_scaler_answer_to_the_bit_in_float64() -> None:
    rows, labels = load_iris(return_X_y=True)
    forest = RandomForestClassifier(10, max_depth=3, random_state=0)

    assert_same_to_the_bit(
        a_model(make_pipeline(StandardScaler(), forest), rows, labels), "float64"
    )


def test_boosting_that_starts_from_another_estimator_is_refused() -> None:
    rows, labels = load_iris(return_X_y=True)
    trained = a_model(
        GradientBoostingClassifier(n_estimators=2, init=DecisionTreeClassifier(max_depth=1)),
        rows,
        labels,
    )

    with pytest.raises(ConversionError, match="starts from another estimator has no exact form"):
        graph_for(trained, features_of(trained), "float32")
