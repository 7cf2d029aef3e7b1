"""Transformers before a regressor answer in ONNX as in scikit-learn, or are refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import FactorAnalysis, FastICA
from sklearn.ensemble import RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes it importable
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.impute import IterativeImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)

from automation.errors import ConversionError
from automation.gate.answers import first_difference, sklearn_answers
from automation.gate.conversion import Graph, graph_for, onnx_answers
from automation.gate.equality import random_rows
from automation.gate.feature_facts import features_of
from automation.gate.training import TrainedModel
from tests.support.trained_models import a_model_of_table, a_table

FRAME = a_table()[["age", "income", "member"]].astype(float)
GAPS = a_table(gaps=True)[["age", "income"]].astype(float)
GAPS.loc[2::13, "age"] = np.nan
VALUES = FRAME["age"].to_numpy() * 2.5 + FRAME["member"].to_numpy()
FLAGGED = FeatureUnion([("values", SimpleImputer()), ("flags", MissingIndicator())])
FOREST = RandomForestRegressor(3, random_state=0)
MASKED = ColumnTransformer(
    [("first", StandardScaler(), slice(0, 2)), ("last", "passthrough", [False, False, True])]
)


def a_pipeline(step: Any, frame: Any) -> TrainedModel:
    return a_model_of_table(make_pipeline(step, Ridge()), frame, VALUES)


@pytest.mark.parametrize(
    ("step", "frame"),
    [
        (SplineTransformer(), FRAME),
        (SplineTransformer(extrapolation="linear", knots="quantile"), FRAME[["age", "income"]]),
        (SplineTransformer(extrapolation="continue", include_bias=False, degree=2), FRAME),
        (IterativeImputer(max_iter=3, random_state=0), GAPS),
        (IterativeImputer(FOREST, max_iter=2, tol=9.0, random_state=0, add_indicator=True), GAPS),
        (FLAGGED, GAPS),
        (SequentialFeatureSelector(Ridge(), n_features_to_select=2, cv=2), FRAME),
        (QuantileTransformer(n_quantiles=30), FRAME[["age", "income"]].round(-1)),
        (FactorAnalysis(2), FRAME),
        (FastICA(2, random_state=0), FRAME),
        (MASKED, FRAME),
    ],
    ids=lambda given: type(given).__name__ if hasattr(given, "fit") else "",
)
def test_what_a_transformer_makes_of_rows_is_followed(step: Any, frame: Any) -> None:
    trained = a_pipeline(step, frame)

    graph = graph_for(trained, features_of(trained), "float64")

    rows = np.concatenate([trained.training_rows, random_rows(trained, graph.features)])
    assert_same(graph, trained, np.concatenate([rows, rows * 3.0 - 60.0]))


@pytest.mark.parametrize(
    "function",
    [
        np.cos, np.ceil, np.degrees, np.exp2, np.floor, np.negative, np.radians, np.rint, np.sign,
        np.sin,
    ],
)  # fmt: skip
def test_numpys_functions_of_any_number_are_followed(function: Any) -> None:
    trained = a_pipeline(FunctionTransformer(function), FRAME / 10.0 - 2.25)

    graph = graph_for(trained, features_of(trained), "float64")

    assert_same(graph, trained, trained.training_rows)


@pytest.mark.parametrize("function", [np.log10, np.log2, np.reciprocal])
def test_numpys_functions_of_positive_numbers_are_followed(function: Any) -> None:
    trained = a_pipeline(FunctionTransformer(function), FRAME[["age"]])

    graph = graph_for(trained, features_of(trained), "float64")

    assert_same(graph, trained, trained.training_rows)


@pytest.mark.filterwarnings("ignore:Skipping features:UserWarning")  # which it is about
@pytest.mark.parametrize(
    ("step", "frame", "reason"),
    [
        (SplineTransformer(extrapolation="periodic"), FRAME, "extrapolation 'periodic'"),
        (SplineTransformer(extrapolation="linear", degree=1), FRAME, "below degree 2"),
        (SplineTransformer(handle_missing="zeros"), GAPS, "splines of missing values"),
        (IterativeImputer(max_iter=1, sample_posterior=True), GAPS, "sample_posterior=True"),
        (
            IterativeImputer(max_iter=1, keep_empty_features=False),
            GAPS.assign(empty=np.nan),
            "columns without any value",
        ),
        (MissingIndicator(missing_values=0.0), FRAME, "indicators have a form for NaN"),
        (
            QuantileTransformer(n_quantiles=9, output_distribution="normal"),
            FRAME,
            "a normal distribution",
        ),
        (KMeans(2, n_init=1), FRAME, "'kmeans' of a pipeline is a KMeans that transforms rows"),
        (FunctionTransformer(np.clip, kw_args={"a_min": 1, "a_max": 3}), FRAME, "with arguments"),
    ],
    ids=lambda given: type(given).__name__ if hasattr(given, "fit") else "",
)
def test_a_transformer_without_a_form_is_refused_by_name(
    step: Any, frame: Any, reason: str
) -> None:
    trained = a_pipeline(step, frame)

    with pytest.raises(ConversionError, match=reason):
        graph_for(trained, features_of(trained), "float64")


def assert_same(graph: Graph, trained: TrainedModel, rows: Any) -> None:
    expected = sklearn_answers(trained, rows)

    assert expected.is_answered.all()
    assert first_difference(expected, onnx_answers(graph, trained, rows), rows) is None
