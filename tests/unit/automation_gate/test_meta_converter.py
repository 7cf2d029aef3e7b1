"""Estimators around pipelines of texts, gaps and numbers answer in ONNX as in scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

from automation.errors import ConversionError
from automation.gate.answers import first_difference, sklearn_answers
from automation.gate.conversion import Graph, convert, graph_for, onnx_answers
from automation.gate.equality import random_rows
from automation.gate.feature_facts import features_of
from automation.gate.packaging import graph_files, package_trained
from automation.gate.training import TrainedModel
from tests.support.trained_models import a_model_of_table, a_table

NUMBERS = ["age", "income"]
FRAME = a_table(gaps=True)
VALUES = FRAME["age"].to_numpy() * 2.5 + 10 * (FRAME["city"] == "rome").to_numpy()
KINDS = np.array(["high", "low", "middle"])[np.digitize(VALUES, [100.0, 150.0])]
PAIR = np.where(KINDS == "low", "yes", "no")


def around(final: Any) -> Pipeline:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    columns = ColumnTransformer(
        [("numbers", numbers, NUMBERS), ("texts", texts, ["city"])], remainder="passthrough"
    )
    return make_pipeline(columns, final)


def logistic() -> Pipeline:
    return around(LogisticRegression())


def forest() -> Pipeline:
    return around(RandomForestClassifier(4, max_depth=4, random_state=0))


def margins() -> Pipeline:
    return around(LinearSVC())


PARTS = [("a", logistic()), ("b", forest()), ("c", "drop")]


@pytest.mark.parametrize(
    ("estimator", "labels"),
    [
        (CalibratedClassifierCV(forest(), method="isotonic", cv=2), KINDS),
        (CalibratedClassifierCV(margins(), cv=2), PAIR),
        (CalibratedClassifierCV(GridSearchCV(logistic(), {}, cv=2), cv=2), PAIR),
        (VotingClassifier(PARTS, voting="soft", weights=[1, 2, 1]), KINDS),
        (VotingClassifier([*PARTS[:2], ("m", margins())]), KINDS),
        (StackingClassifier([*PARTS[:2], ("m", margins())], cv=2), PAIR),
        (StackingClassifier(PARTS[:2], LinearSVC(), cv=2), KINDS),
        (OneVsRestClassifier(logistic()), KINDS),
        (OneVsRestClassifier(forest()), PAIR),
        (RandomizedSearchCV(forest(), {"steps": [forest().steps]}, n_iter=1, cv=2), KINDS),
        (FixedThresholdClassifier(logistic(), threshold=0.3, pos_label="no"), PAIR),
        (FixedThresholdClassifier(margins(), pos_label="no"), PAIR),
        (TunedThresholdClassifierCV(logistic(), cv=2), PAIR),
        (MultiOutputClassifier(forest()), np.column_stack([PAIR, KINDS])),
    ],
    ids=lambda given: type(given).__name__ if hasattr(given, "fit") else "",
)
def test_classifiers_around_pipelines_of_texts_are_served(estimator: Any, labels: Any) -> None:
    trained = a_model_of_table(estimator, FRAME, labels)

    graph = graph_for(trained, features_of(trained), "float64")

    assert_same(graph, trained)
    assert bool(graph.probability_outputs) == hasattr(estimator, "predict_proba")


REGRESSORS = [("a", around(Ridge())), ("b", around(DecisionTreeRegressor(random_state=0)))]


@pytest.mark.parametrize(
    ("estimator", "values"),
    [
        (VotingRegressor(REGRESSORS, weights=[1, 3]), VALUES),
        (StackingRegressor(REGRESSORS, cv=2), VALUES),
        (MultiOutputRegressor(around(Ridge())), np.column_stack([VALUES, VALUES**2])),
    ],
    ids=["vote", "stack", "several values"],
)
def test_regressors_around_pipelines_of_texts_are_served(estimator: Any, values: Any) -> None:
    trained = a_model_of_table(estimator, FRAME, values)

    graph = graph_for(trained, features_of(trained), "float64")

    assert_same(graph, trained)


@pytest.mark.parametrize("options", [{}, {"max_features": 0.5}], ids=["all", "some columns"])
def test_a_bag_is_served_with_the_columns_of_each_part(options: dict[str, Any]) -> None:
    bag = BaggingClassifier(LogisticRegression(), n_estimators=3, random_state=0, **options)
    trained = a_model_of_table(bag, a_table()[NUMBERS], KINDS)

    graph = graph_for(trained, features_of(trained), "float64")

    assert_same(graph, trained)


def test_a_calibrated_pipeline_of_texts_passes_the_whole_gate(tmp_path: Path) -> None:
    trained = a_model_of_table(CalibratedClassifierCV(forest(), cv=2), FRAME, KINDS)

    packaged = package_trained("table", trained, tmp_path)

    assert packaged.checked_rows > len(FRAME)


def test_what_a_search_found_is_served_as_if_it_had_been_fitted_alone() -> None:
    search = GridSearchCV(RandomForestClassifier(random_state=0), {"n_estimators": [4]}, cv=2)
    frozen = FrozenEstimator(search.fit(a_table()[NUMBERS], PAIR))
    trained = a_model_of_table(frozen, a_table()[NUMBERS], PAIR)

    graph = convert(trained)

    assert graph.float_type == "float32"
    assert "forest.bin" in graph_files(trained, graph)


def test_steps_that_do_nothing_are_left_out() -> None:
    steps = logistic().steps
    pipeline = Pipeline([steps[0], ("nothing", "passthrough"), ("none", None), steps[1]])
    trained = a_model_of_table(pipeline, FRAME, PAIR)

    graph = graph_for(trained, features_of(trained), "float64")

    assert_same(graph, trained)


def test_a_decision_function_without_a_form_is_refused_by_name() -> None:
    calibrated = CalibratedClassifierCV(around(QuadraticDiscriminantAnalysis(reg_param=0.1)), cv=2)
    trained = a_model_of_table(calibrated, FRAME, PAIR)

    with pytest.raises(ConversionError, match="decision function of QuadraticDiscriminantAnalysis"):
        graph_for(trained, features_of(trained), "float64")


def assert_same(graph: Graph, trained: TrainedModel) -> None:
    rows = np.concatenate([trained.training_rows, random_rows(trained, graph.features)])
    expected = sklearn_answers(trained, rows)

    assert first_difference(expected, onnx_answers(graph, trained, rows), rows) is None
