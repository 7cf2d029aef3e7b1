"""Rows to compare on lie where conversions go wrong: beside thresholds, and where values miss."""

from __future__ import annotations

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from automation.gate.boundaries import boundary_rows
from automation.gate.equality import RANDOM_ROWS, UNKNOWN_TEXT, random_rows, trial_for
from automation.gate.feature_facts import features_of
from automation.gate.training import TrainedModel
from tests.support.trained_models import a_model_of_table, a_table

NUMBERS = ["age", "income"]


def a_stump(*steps: object) -> TrainedModel:
    """A tree with the one threshold 45.5 on age, behind the given steps."""
    frame = a_table()[NUMBERS].assign(age=lambda table: table["age"].replace(45, 44))
    frame.loc[:1, "age"] = [45, 46]
    tree = DecisionTreeClassifier(max_depth=1, random_state=0)
    labels = (frame["age"] > 45).to_numpy().astype(int)
    return a_model_of_table(make_pipeline(*steps, tree) if steps else tree, frame, labels)


def test_rows_of_a_tree_lie_on_its_thresholds_and_on_both_sides() -> None:
    trained = a_stump()

    ages = trial_for(trained, features_of(trained)).rows[:, 0]

    assert 45.5 in ages
    assert np.nextafter(np.float32(45.5), np.float32(np.inf)) in ages
    assert np.nextafter(45.5, -np.inf) in ages


def test_thresholds_behind_a_scaler_are_found_to_the_last_bit() -> None:
    trained = a_stump(StandardScaler())

    beside, edges = boundary_rows(trained, features_of(trained))

    ages = np.unique(edges[:, 0])
    labels = trained.estimator.predict(
        a_table()[:0].reindex(range(2))[NUMBERS].assign(age=ages[:2], income=50.0)
    )
    assert len(ages) == 2
    assert ages[1] == np.nextafter(ages[0], np.inf)
    assert labels.tolist() == [0, 1]
    assert len(beside) == len(edges)
    assert np.abs(beside[:, 0] - 45.5).max() < 1e-4


def test_values_that_grow_steadily_have_no_threshold() -> None:
    frame = a_table()[NUMBERS]
    trained = a_model_of_table(LinearRegression(), frame, frame["income"].to_numpy())

    beside, edges = boundary_rows(trained, features_of(trained))

    assert len(beside) == len(edges) == 0


def test_the_place_where_a_label_changes_is_found_though_probabilities_grow_steadily() -> None:
    frame = a_table()[NUMBERS]
    labels = (frame["age"] > 45).to_numpy().astype(int)
    trained = a_model_of_table(LogisticRegression(max_iter=500), frame, labels)

    _, edges = boundary_rows(trained, features_of(trained))

    given = frame[:0].reindex(range(len(edges))).assign(age=edges[:, 0], income=edges[:, 1])
    assert len(edges)
    assert np.abs(trained.estimator.predict_proba(given)[:, 0] - 0.5).max() < 1e-9


def test_jumps_of_a_value_are_found_in_any_estimator() -> None:
    frame = a_table()[NUMBERS]
    for estimator in (KNeighborsClassifier(), DecisionTreeRegressor(max_depth=2)):
        trained = a_model_of_table(estimator, frame, (frame["age"] > 45).to_numpy().astype(int))

        assert len(boundary_rows(trained, features_of(trained))[1])


def test_every_text_an_unknown_one_and_gaps_are_tried_where_they_may_come() -> None:
    columns = ColumnTransformer(
        [("city", OneHotEncoder(handle_unknown="ignore"), ["city"])], remainder="drop"
    )
    frame = a_table(gaps=True)[["age", "city"]]
    trained = a_model_of_table(make_pipeline(columns, LogisticRegression()), frame)

    rows = trial_for(trained, features_of(trained)).rows

    assert {"lima", "oslo", "rome", UNKNOWN_TEXT, "", None} <= set(rows[:, 1].tolist())


def test_random_rows_keep_to_the_range_of_training_and_are_the_same_each_time() -> None:
    trained = a_stump()
    features = features_of(trained)

    rows = random_rows(trained, features)

    assert rows.shape == (RANDOM_ROWS, 2)
    assert (rows >= trained.training_rows.min(axis=0)).all()
    assert (rows <= trained.training_rows.max(axis=0)).all()
    assert np.array_equal(rows, random_rows(trained, features))
