"""Golden rows are few, of every kind, and carry scikit-learn's own answers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from automation.errors import EqualityError
from automation.gate.golden import golden_for, golden_indexes
from tests.support.trained_models import a_model_of_table, a_table, a_trained_model


def test_golden_rows_cover_every_class_with_the_answers_scikit_learn_gives() -> None:
    trained = a_trained_model()

    golden = golden_for(trained)

    assert sorted(set(golden["labels"])) == [0, 1]
    expected = trained.estimator.predict_proba(np.array(golden["instances"]))
    assert np.allclose(golden["probabilities"], expected, rtol=1e-8, atol=1e-15)


def test_golden_rows_have_every_text_and_every_gap_of_training() -> None:
    columns = ColumnTransformer([("city", OneHotEncoder(handle_unknown="ignore"), ["city"])])
    frame = a_table(gaps=True)[["age", "city"]]
    trained = a_model_of_table(make_pipeline(columns, LogisticRegression()), frame)

    golden = golden_for(trained)

    assert {row[1] for row in golden["instances"]} == {"lima", "oslo", "rome", None}


def test_every_class_of_every_output_has_golden_rows() -> None:
    frame = a_table()[["age", "income"]]
    labels = np.column_stack([frame["age"] > 45, np.arange(90) == 89]).astype(int)
    trained = a_model_of_table(DecisionTreeClassifier(random_state=0), frame, labels)

    golden = golden_for(trained)

    assert 89 in golden_indexes(trained)
    assert [len(part) for part in golden["probabilities"]] == [len(golden["labels"])] * 2


def test_values_are_written_in_digits_every_processor_agrees_on() -> None:
    frame = a_table()[["age", "income"]]
    trained = a_model_of_table(LinearRegression(), frame, frame["income"].to_numpy() / 3e7)

    labels = golden_for(trained)["labels"]

    assert all(float(f"{label:.9g}") == pytest.approx(label, rel=1e-15) for label in labels)


def test_an_estimator_that_answers_no_golden_row_is_refused() -> None:
    trained = a_trained_model()
    trained.estimator.predict = None

    with pytest.raises(EqualityError, match="answers none of the 8 golden rows"):
        golden_for(trained)
