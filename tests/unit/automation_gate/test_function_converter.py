"""Functions of NumPy, powers and transformed targets are followed; somebody's own is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, PowerTransformer

from automation.errors import ConversionError
from automation.gate.conversion import convert
from tests.support.trained_models import a_model_of_table, a_table

NUMBERS = ["age", "income"]


@pytest.mark.parametrize(
    "step",
    [
        FunctionTransformer(np.tanh),
        FunctionTransformer(np.square),
        PowerTransformer(),
        PowerTransformer(standardize=False),
    ],
    ids=["tanh", "square", "yeo-johnson", "unscaled"],
)
def test_transformations_of_both_signs_are_followed(step: Any) -> None:
    frame = a_table()[NUMBERS] - 40.0
    labels = (frame["age"] > 0).to_numpy().astype(int)

    graph = convert(
        a_model_of_table(make_pipeline(step, LogisticRegression(max_iter=2000)), frame, labels)
    )

    assert graph.float_type == "float64"


@pytest.mark.parametrize(
    "step",
    [FunctionTransformer(np.log1p), FunctionTransformer(np.sqrt), PowerTransformer("box-cox")],
    ids=["log1p", "sqrt", "box-cox"],
)
def test_transformations_of_positive_numbers_are_followed(step: Any) -> None:
    frame = a_table()[["age"]]
    labels = (frame["age"] > 45).to_numpy().astype(int)

    convert(a_model_of_table(make_pipeline(step, LogisticRegression(max_iter=500)), frame, labels))


@pytest.mark.parametrize(
    "regressor",
    [
        TransformedTargetRegressor(
            RandomForestRegressor(5, random_state=0), func=np.log1p, inverse_func=np.expm1
        ),
        TransformedTargetRegressor(
            make_pipeline(MinMaxScaler(), Ridge()), transformer=MinMaxScaler()
        ),
    ],
    ids=["function", "scaler"],
)
def test_values_come_back_from_where_they_were_fitted(regressor: Any) -> None:
    frame = a_table()[NUMBERS]
    trained = a_model_of_table(regressor, frame, frame["age"].to_numpy() * 2.5)

    graph = convert(trained)

    assert graph.rows is not None


def test_several_transformed_targets_come_back() -> None:
    frame = a_table()[NUMBERS]
    targets = np.column_stack([frame["age"] * 2.5, frame["income"]])
    regressor = TransformedTargetRegressor(Ridge(), transformer=MinMaxScaler())

    assert convert(a_model_of_table(regressor, frame, targets)).rows is not None


def test_a_function_of_somebodys_own_is_refused_with_those_that_are_known() -> None:
    def double(values: Any) -> Any:
        return values * 2

    frame = a_table()[NUMBERS]
    pipeline = make_pipeline(FunctionTransformer(double), Ridge())

    with pytest.raises(ConversionError, match=r"'double' has no ONNX operator; known are .*log1p"):
        convert(a_model_of_table(pipeline, frame, frame["age"].to_numpy()))
