"""The graph that is served answers as the estimator that was trained, or there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from automation.driver import ROOT
from automation.errors import ConversionError, EqualityError
from automation.gate.answers import (
    PROBABILITY_TOLERANCE,
    Answers,
    first_difference,
    sklearn_answers,
)
from automation.gate.conversion import convert, onnx_answers
from automation.gate.packaging import package_trained
from automation.gate.training import TrainedModel, train
from automation.spec import load_spec
from tests.support.trained_models import a_model_of_table, a_table, a_trained_model

ROWS = np.array([[1.0], [2.0]])


def answers(labels: list[int], probabilities: list[list[float]], answered: int = 2) -> Answers:
    return Answers(
        is_answered=np.arange(2) < answered,
        labels=np.array(labels),
        probabilities=(np.array(probabilities),),
        refusal=None if answered == 2 else "no such category",
    )


class _Unknown(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier skl2onnx has never heard of."""

    def fit(self, rows: Any, labels: Any) -> _Unknown:
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = 2
        return self

    def predict(self, rows: Any) -> Any:
        return np.zeros(len(rows), dtype=int)

    def predict_proba(self, rows: Any) -> Any:
        return np.tile([1.0, 0.0], (len(rows), 1))


@pytest.mark.parametrize(
    ("model", "estimator"),
    [("iris", "random-forest"), ("iris", "gradient-boosting"), ("wine", "gradient-boosting")],
)
def test_shipped_models_answer_live_rows_as_scikit_learn_does(model: str, estimator: str) -> None:
    trained = train(load_spec(ROOT, model), ROOT, estimator)

    given = onnx_answers(convert(trained), trained, trained.live_rows)

    expected = trained.estimator.predict_proba(trained.live_rows)
    assert given.labels.tolist() == expected.argmax(axis=1).tolist()
    (probabilities,) = given.probabilities
    assert np.abs(probabilities - expected).max() <= PROBABILITY_TOLERANCE


def test_the_same_estimator_gives_the_same_bytes() -> None:
    assert convert(a_trained_model()).content == convert(a_trained_model()).content


def test_rows_scikit_learn_refuses_are_left_out_and_fail_in_the_graph_too() -> None:
    trained = train(load_spec(ROOT, "wine"), ROOT, "one-hot-proline")

    graph = convert(trained)

    expected = sklearn_answers(trained, trained.live_rows)
    given = onnx_answers(graph, trained, trained.live_rows)
    assert given.is_answered.tolist() == expected.is_answered.tolist()
    assert (~expected.is_answered).mean() > 0.3
    assert sklearn_answers(trained, trained.training_rows).is_answered.all()


def test_columns_are_fed_whatever_they_are_called(tmp_path: Path) -> None:
    # skl2onnx calls them petal_width__cm_ and so on, and the second of a kind a_b1.
    names = {"age": "petal width (cm)", "income": "a b", "city": "a_b", "member": '1. "member"?'}
    frame = a_table(gaps=True).rename(columns=names)
    encoder = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer((encoder, ["a_b"]), remainder=SimpleImputer())
    trained = a_model_of_table(
        make_pipeline(columns, LogisticRegression(max_iter=500)),
        frame,
        (frame["petal width (cm)"] > 45).to_numpy().astype(int),
    )

    packaged = package_trained("named", trained, tmp_path)

    inputs = packaged.artifact.manifest["onnx"]["inputs"]
    assert [given["features"] for given in inputs] == [[name] for name in names.values()]


def test_an_estimator_without_an_onnx_form_is_refused() -> None:
    trained = a_trained_model(estimator=_Unknown().fit(None, None))

    with pytest.raises(ConversionError, match=r"_Unknown cannot be converted to ONNX: .*supported"):
        convert(trained)


def test_a_graph_that_needs_a_locale_is_refused_on_every_machine() -> None:
    texts = pandas.DataFrame({"text": ["good film", "Bad film", "good", "bad"] * 5})
    vectors = make_column_transformer((CountVectorizer(), "text"))
    estimator = make_pipeline(vectors, LogisticRegression())
    trained = a_model_of_table(estimator, texts, np.array([1, 0, 1, 0] * 5))

    with pytest.raises(ConversionError, match=r"locale en_US\.UTF-8, .* lowercase=False"):
        convert(trained)


def test_an_estimator_whose_graph_answers_differently_is_refused() -> None:
    trained = a_trained_model()
    honest = trained.estimator.predict_proba
    trained.estimator.predict_proba = lambda rows: honest(rows)[:, ::-1]

    with pytest.raises(EqualityError, match=r"RandomForestClassifier .* has label [01] in"):
        convert(trained)


def a_model_of_serials(last_step: Any) -> TrainedModel:
    """A model of numbers that float32 cannot tell apart."""
    rows = np.array([[16777216.0], [16777217.0]] * 10)
    labels = np.array([0, 1] * 10)
    return a_trained_model(
        estimator=make_pipeline(StandardScaler(), last_step).fit(rows, labels),
        feature_names=("serial",),
        training_rows=rows,
        training_labels=labels,
        live_rows=rows,
        live_labels=labels,
    )


def test_values_float32_cannot_tell_apart_get_a_graph_for_float64() -> None:
    assert convert(a_model_of_serials(LogisticRegression())).float_type == "float64"


def test_a_tree_behind_a_scaler_is_followed_in_float64_to_the_last_bit() -> None:
    trained = a_model_of_serials(DecisionTreeClassifier(random_state=42))

    graph = convert(trained)

    near = np.nextafter(16777216.5, [[-np.inf], [16777216.5], [np.inf]])
    assert graph.float_type == "float64"
    assert (
        onnx_answers(graph, trained, near).labels.tolist()
        == trained.estimator.predict(near).tolist()
    )


def test_a_regressor_is_compared_by_value() -> None:
    base = a_trained_model()
    values = base.training_rows[:, 0] * 1.5
    trained = a_trained_model(
        estimator=RandomForestRegressor(n_estimators=5, random_state=42).fit(
            base.training_rows, values
        ),
        class_names=(),
        training_labels=values,
    )

    graph = convert(trained)

    given = onnx_answers(graph, trained, trained.live_rows)
    assert graph.probability_outputs == ()
    assert np.allclose(given.labels, trained.estimator.predict(trained.live_rows), atol=1e-5)


def test_equal_answers_have_no_difference() -> None:
    same = answers([0, 1], [[1.0, 0.0], [0.0, 1.0]])

    assert first_difference(same, same, ROWS) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (answers([0, 0], [[1, 0], [0, 1]]), r"row [2.0] has label 1 in scikit-learn and 0"),
        (
            answers([0, 1], [[0.9, 0.1], [0, 1]]),
            "row [1.0] has probabilities [1.0, 0.0] in scikit-learn and [0.9, 0.1]",
        ),
        (answers([0], [[1, 0]], answered=1), "row [2.0] fails in ONNX Runtime: no such category"),
    ],
)
def test_the_first_row_that_differs_is_named(given: Answers, message: str) -> None:
    difference = first_difference(answers([0, 1], [[1.0, 0.0], [0.0, 1.0]]), given, ROWS)

    assert difference is not None
    assert message in difference


def test_a_factor_before_a_product_is_not_rounded_to_float32(tmp_path: Path) -> None:
    # ONNX Runtime would fold the division into the product behind it, as an attribute of float32,
    # in the gate (which converts) and in the server (which the artifact is proven with).
    frame = a_table()[["age"]]
    labels = (frame["age"] > 45).to_numpy().astype(int)
    estimator = make_pipeline(PowerTransformer("box-cox"), LogisticRegression(max_iter=500))

    packaged = package_trained("scaled", a_model_of_table(estimator, frame, labels), tmp_path)

    assert packaged.artifact.manifest["onnx"]["inputs"][0]["type"] == "float64"
