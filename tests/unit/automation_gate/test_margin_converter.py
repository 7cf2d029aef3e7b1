"""Classifiers that know labels only decide in ONNX as in scikit-learn, next to the boundary too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier

from automation.gate.answers import sklearn_answers
from automation.gate.conversion import convert, graph_for, onnx_answers
from automation.gate.feature_facts import features_of
from automation.gate.packaging import package_trained
from tests.support.trained_models import a_model_of_table

ROWS, LABELS = load_iris(return_X_y=True, as_frame=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[LABELS]


@pytest.mark.parametrize(
    "estimator",
    [
        LinearSVC(),
        RidgeClassifier(),
        Perceptron(),
        SVC(),
        SVC(kernel="poly", degree=2, coef0=1.0),
        SVC(kernel="linear", break_ties=True, decision_function_shape="ovr"),
        make_pipeline(StandardScaler(), NuSVC(kernel="sigmoid", nu=0.3)),
        make_pipeline(StandardScaler(), LinearSVC()),
    ],
    ids=str,
)
@pytest.mark.parametrize("classes", [2, 3])
def test_labels_are_served_without_probabilities(estimator: Any, classes: int) -> None:
    kept = (classes > LABELS).to_numpy() if classes == 2 else np.ones(len(ROWS), dtype=bool)

    graph = convert(a_model_of_table(estimator, ROWS[kept], NAMES[kept]))

    assert graph.float_type == "float64"
    assert graph.probability_outputs == ()


@pytest.mark.parametrize("classes", [2, 3])
def test_margins_are_calibrated_into_probabilities(classes: int) -> None:
    kept = (classes > LABELS).to_numpy()
    calibrated = CalibratedClassifierCV(LinearSVC(), cv=2)

    graph = convert(a_model_of_table(calibrated, ROWS[kept], LABELS[kept].to_numpy()))

    assert len(graph.probability_outputs) == 1


def test_a_vote_that_flattens_its_transformation_still_predicts() -> None:
    voting = VotingClassifier(
        [("line", LogisticRegression(max_iter=500)), ("tree", DecisionTreeClassifier(max_depth=2))],
        voting="soft",
    )

    convert(a_model_of_table(voting, ROWS, LABELS.to_numpy()))

    assert voting.flatten_transform is True


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")  # it is deprecated
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", [SVC, NuSVC])
def test_coupled_probabilities_stop_where_libsvm_stops(kind: Any, classes: int) -> None:
    kept = (2 - classes < LABELS).to_numpy()
    estimator = kind(probability=True, random_state=0)
    trained = a_model_of_table(estimator, ROWS[kept], NAMES[kept])
    rows = np.random.default_rng(1).uniform(0.0, 8.0, (500, 4))

    graph = graph_for(trained, features_of(trained), "float64")

    expected, given = sklearn_answers(trained, rows), onnx_answers(graph, trained, rows)
    assert (given.labels == expected.labels).all()
    np.testing.assert_allclose(given.probabilities[0], expected.probabilities[0], atol=1e-12)


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_coupled_probabilities_pass_the_whole_gate(tmp_path: Path) -> None:
    estimator = make_pipeline(StandardScaler(), SVC(probability=True, random_state=0))
    trained = a_model_of_table(estimator, ROWS, LABELS.to_numpy())

    packaged = package_trained("iris", trained, tmp_path)

    assert packaged.checked_rows > len(ROWS)
