"""Pipelines of texts, codes, gaps and numbers answer in ONNX as in scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier

from automation.gate.conversion import convert, onnx_answers
from tests.support.trained_models import a_model_of_table, a_table

NUMBERS = ["age", "income"]


def of_columns(numbers: Any, texts: Any, final: Any) -> Pipeline:
    columns = ColumnTransformer(
        [("numbers", numbers, NUMBERS), ("texts", texts, ["city"])], remainder="passthrough"
    )
    return make_pipeline(columns, final)


@pytest.mark.parametrize(
    ("encoder", "final"),
    [
        (OneHotEncoder(), LogisticRegression(max_iter=500)),
        (OneHotEncoder(handle_unknown="ignore", drop="first"), GradientBoostingClassifier()),
        (
            OneHotEncoder(min_frequency=30, handle_unknown="infrequent_if_exist"),
            LogisticRegression(max_iter=500),
        ),
        (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            DecisionTreeClassifier(max_depth=4),
        ),
        (TargetEncoder(cv=2), LogisticRegression(max_iter=500)),
    ],
    ids=["one-hot", "one-hot ignore", "one-hot infrequent", "ordinal", "target"],
)
def test_encoders_of_texts_are_followed(encoder: Any, final: Any) -> None:
    graph = convert(a_model_of_table(of_columns(StandardScaler(), encoder, final), a_table()))

    assert [given.features for given in graph.inputs] == [
        ("age",), ("income",), ("city",), ("member",)
    ]  # fmt: skip
    assert [given.type == "string" for given in graph.inputs] == [False, False, True, False]


@pytest.mark.parametrize(
    "texts",
    [
        make_pipeline(
            SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
        ),
        make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder()),
        OneHotEncoder(),
        OrdinalEncoder(encoded_missing_value=-2),
    ],
    ids=["most frequent", "constant", "one-hot of gaps", "ordinal of gaps"],
)
def test_gaps_in_texts_and_numbers_are_filled_as_training_filled_them(texts: Any) -> None:
    numbers = SimpleImputer(strategy="median", add_indicator=True)
    frame = a_table(gaps=True)
    pipeline = of_columns(numbers, texts, GradientBoostingRegressor(n_estimators=10))
    trained = a_model_of_table(pipeline, frame, frame["age"].to_numpy() * 1.5)

    graph = convert(trained)

    allowed = {feature.name for feature in graph.features if feature.allows_missing}
    assert allowed == {"income", "city"}


def test_a_number_between_two_codes_is_no_code() -> None:
    codes = ColumnTransformer([("code", OneHotEncoder(handle_unknown="ignore"), ["age"])])
    frame = a_table()[["age"]]
    frame["age"] //= 20
    trained = a_model_of_table(
        make_pipeline(codes, LogisticRegression()), frame, (frame["age"] > 1).to_numpy().astype(int)
    )
    between = np.array([[1.0], [1.5], [1.9999]])

    given = onnx_answers(convert(trained), trained, between)

    assert np.allclose(given.probabilities[0], trained.estimator.predict_proba(frame[:0].reindex(
        range(3)).assign(age=between[:, 0])))  # fmt: skip


def test_columns_of_numbers_picked_by_name_are_fed_as_one_tensor() -> None:
    columns = ColumnTransformer([("age", StandardScaler(), ["age"])], remainder="passthrough")
    frame = a_table()[NUMBERS]
    trained = a_model_of_table(
        make_pipeline(columns, LogisticRegression(max_iter=500)),
        frame,
        (frame["age"] > 45).to_numpy().astype(int),
    )

    (only,) = convert(trained).inputs

    assert only.features == ("age", "income")
    assert trained.estimator.predict(frame[:3]).shape == (3,)


@pytest.mark.parametrize("encode", ["ordinal", "onehot", "onehot-dense"])
def test_bins_have_the_edges_of_training(encode: str) -> None:
    bins = KBinsDiscretizer(4, encode=encode, quantile_method="averaged_inverted_cdf")
    frame = a_table()[NUMBERS]
    trained = a_model_of_table(
        make_pipeline(bins, LogisticRegression(max_iter=500)),
        frame,
        (frame["age"] > 45).to_numpy().astype(int),
    )

    graph = convert(trained)

    edges = bins.bin_edges_[0][1:-1]
    near = np.concatenate([edges, np.nextafter(edges, -np.inf)])
    rows = np.column_stack([near, np.full(len(near), 50.0)])
    expected = trained.estimator.predict_proba(frame[:0].reindex(range(len(rows))).assign(
        age=rows[:, 0], income=rows[:, 1]))  # fmt: skip
    assert np.abs(onnx_answers(graph, trained, rows).probabilities[0] - expected).max() < 1e-5
