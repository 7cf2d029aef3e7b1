"""Rows are held in one form, and given on in the form each reader takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from automation.errors import TrainingError
from automation.gate.feature_facts import features_of
from automation.gate.features import (
    MISSING_TEXT,
    FeatureType,
    GraphInput,
    estimator_rows,
    feed,
    instances,
    rows_from_returned,
)
from tests.support.trained_models import a_model_of_table, a_table


def test_numbers_are_held_as_float64_whatever_they_came_in() -> None:
    for given in ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]], dtype=np.int8)):
        rows, types = rows_from_returned(given, "rows")

        assert rows.dtype == np.float64
        assert types is None


def test_a_table_of_numbers_is_held_as_float64_with_its_types() -> None:
    rows, types = rows_from_returned(a_table()[["age", "income"]], "rows")

    assert rows.dtype == np.float64
    assert types is not None
    assert list(types) == ["age", "income"]


def test_texts_booleans_and_gaps_are_held_as_they_are() -> None:
    rows, _ = rows_from_returned([[1, "oslo", True], [None, None, False]], "rows")

    assert rows.tolist() == [[1.0, "oslo", True], [None, None, False]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([["a"], [1.0]], "column 0 mixes float, str"),
        ([[object()]], "a object, in row 0"),
        (["a", "b"], r"of shape \(2,\)"),
    ],
)
def test_rows_no_client_could_send_are_refused(given: Any, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        rows_from_returned(given, "live_rows")


def test_an_estimator_of_a_table_gets_a_table_with_its_types() -> None:
    frame = a_table(gaps=True)
    rows, types = rows_from_returned(frame, "rows")

    given = estimator_rows(rows, list(frame.columns), types)

    assert given["income"].isna().tolist() == frame["income"].isna().tolist()
    assert given["city"].dtype == frame["city"].dtype
    assert given["age"].dtype == np.float64
    assert given["member"].dtype == bool


def test_an_estimator_of_an_array_gets_what_is_missing_as_nan() -> None:
    rows, types = rows_from_returned([[1.0, "oslo"], [2.0, None]], "rows")

    given = estimator_rows(rows, ["x", "city"], types)

    assert given[0].tolist() == [1.0, "oslo"]
    assert math.isnan(given[1][1])


def test_a_graph_gets_a_tensor_for_each_input_with_a_word_for_missing_texts() -> None:
    rows, _ = rows_from_returned([[1.5, "oslo", True], [None, None, False]], "rows")
    inputs = [
        GraphInput(name="numbers", type="float32", features=("member", "x")),
        GraphInput(name="texts", type="string", features=("city",)),
    ]

    tensors = feed(rows, ["x", "city", "member"], inputs)

    assert tensors["numbers"].dtype == np.float32
    assert np.array_equal(tensors["numbers"], [[1.0, 1.5], [0.0, np.nan]], equal_nan=True)
    assert tensors["texts"].tolist() == [["oslo"], [MISSING_TEXT]]


def test_json_has_null_for_what_is_missing() -> None:
    assert instances(np.array([[1.0, np.nan]])) == [[1.0, None]]


def test_a_column_says_what_it_holds_and_what_the_estimator_takes_in_it() -> None:
    encoder = ColumnTransformer(
        [("city", OneHotEncoder(), ["city"])], remainder="passthrough", sparse_threshold=0
    )
    trained = a_model_of_table(make_pipeline(encoder, LogisticRegression(max_iter=500)), a_table())

    age, _, city, member = features_of(trained)

    assert (age.type, city.type, member.type) == tuple(FeatureType)
    assert city.categories == ("lima", "oslo", "rome")
    assert not any(feature.allows_missing for feature in (age, city, member))


def test_texts_an_encoder_was_told_of_are_categories_though_no_row_has_them() -> None:
    encoder = OneHotEncoder(categories=[["lima", "oslo", "pisa", "rome"]])
    frame = a_table()[["city"]]
    trained = a_model_of_table(
        make_pipeline(encoder, LogisticRegression()), frame, (frame["city"] == "rome").astype(int)
    )

    assert features_of(trained)[0].categories == ("lima", "oslo", "pisa", "rome")


def test_missing_values_are_allowed_where_training_had_them_and_they_are_answered() -> None:
    encoder = ColumnTransformer(
        [("city", OneHotEncoder(handle_unknown="ignore"), ["city"])], remainder="drop"
    )
    trained = a_model_of_table(
        make_pipeline(encoder, LogisticRegression()), a_table(gaps=True)[["age", "city"]]
    )

    age, city = features_of(trained)

    assert not age.allows_missing
    assert city.allows_missing
    assert city.categories is None


def test_pandas_own_missing_values_are_missing() -> None:
    frame = pandas.DataFrame({"x": pandas.array([1, None], dtype="Int64")})

    rows, _ = rows_from_returned(frame, "rows")

    assert np.array_equal(rows, [[1.0], [np.nan]], equal_nan=True)
