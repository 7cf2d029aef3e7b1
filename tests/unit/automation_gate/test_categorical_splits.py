"""Histogram gradient boosting on categories answers in ONNX as in scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits

from automation.gate.answers import first_difference, sklearn_answers
from automation.gate.conversion import graph_for, onnx_answers
from automation.gate.equality import random_rows
from automation.gate.feature_facts import features_of
from automation.gate.packaging import package_trained
from automation.gate.training import TrainedModel
from automation.gate.tree_ensemble import histogram_trees
from tests.support.trained_models import a_model_of_table

SMALL = {"max_iter": 8, "min_samples_leaf": 5, "random_state": 0}
RNG = np.random.default_rng(5)
CODES = pandas.DataFrame(
    {
        "weight": RNG.normal(size=150),
        "kind": RNG.integers(0, 12, 150) * 3.0,
        "height": RNG.normal(size=150),
        "code": RNG.integers(0, 40, 150) * 1.0,
    }
)
VALUES = np.sin(CODES["kind"]).to_numpy() * 5 + CODES["code"].to_numpy() % 7
LABELS = (VALUES > 2).astype(int)
THREE = np.array(["a", "b", "c"])[np.digitize(VALUES, [0.0, 4.0])]


def with_gaps(frame: pandas.DataFrame) -> pandas.DataFrame:
    changed = frame.copy()
    changed.loc[::7, "kind"] = np.nan
    changed.loc[::5, "weight"] = np.nan
    return changed


def with_texts(frame: pandas.DataFrame) -> pandas.DataFrame:
    texts = [None if np.isnan(kind) else f"kind {kind}" for kind in frame["kind"]]
    return frame.assign(
        kind=pandas.Categorical(texts), code=pandas.Categorical(frame["code"].astype(int))
    )


ENCODED = make_pipeline(
    ColumnTransformer(
        [
            (
                "codes",
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
                ["kind", "code"],
            )
        ],
        remainder="passthrough",
    ),
    HistGradientBoostingRegressor(categorical_features=[0, 1], **SMALL),
)


@pytest.mark.parametrize(
    ("estimator", "frame", "labels"),
    [
        (
            HistGradientBoostingClassifier(categorical_features=[1, 3], **SMALL),
            with_gaps(CODES),
            LABELS,
        ),
        (
            HistGradientBoostingClassifier(categorical_features=["code"], **SMALL),
            CODES,
            THREE,
        ),
        (HistGradientBoostingClassifier(**SMALL), with_texts(CODES), THREE),
        (
            HistGradientBoostingRegressor(loss="poisson", **SMALL),
            with_texts(with_gaps(CODES)),
            VALUES + 5,
        ),
        (ENCODED, with_texts(CODES), VALUES),
        (
            HistGradientBoostingRegressor(categorical_features=[0, 1], **SMALL),
            CODES[["kind", "code"]],
            VALUES,
        ),
        (
            HistGradientBoostingRegressor(categorical_features=[2], **SMALL),
            CODES[["weight", "height"]].assign(always=1.0),
            VALUES,
        ),
    ],
    ids=["codes", "by name", "texts", "texts and gaps", "encoded before", "only codes", "no split"],
)
def test_categories_known_unknown_and_missing_go_where_training_sent_them(
    estimator: Any, frame: Any, labels: Any
) -> None:
    trained = a_model_of_table(estimator, frame, labels)

    graph = graph_for(trained, features_of(trained), "float64")

    rows = np.concatenate([trained.training_rows, random_rows(trained, graph.features)])
    rows = np.concatenate([rows, *unknown(trained)])
    expected = sklearn_answers(trained, rows)
    assert first_difference(expected, onnx_answers(graph, trained, rows), rows) is None


def unknown(trained: TrainedModel) -> list[Any]:
    """Put values no training row had into each column."""
    found = []
    for position in range(len(trained.feature_names)):
        is_text = any(isinstance(cell, str) for cell in trained.training_rows[:, position])
        for value in ["never heard of"] if is_text else [-1.0, 1.5, 255.0, 1e6]:
            rows = trained.training_rows[:5].copy()
            rows[:, position] = value
            found.append(rows)
    return found


def test_boosting_on_texts_and_gaps_passes_the_whole_gate(tmp_path: Path) -> None:
    frame = with_texts(with_gaps(CODES))
    trained = a_model_of_table(HistGradientBoostingClassifier(**SMALL), frame, LABELS)

    with threadpool_limits(limits=1):  # on so few rows, more threads only wait for each other
        packaged = package_trained("codes", trained, tmp_path)

    assert packaged.checked_rows > len(frame)


def test_thresholds_of_encoded_categories_are_not_taken_for_values_of_rows() -> None:
    model = HistGradientBoostingClassifier(categorical_features=[1, 3], **SMALL)

    with pytest.raises(NotImplementedError, match="compare no values of a row"):
        list(histogram_trees(model.fit(CODES, LABELS)))
