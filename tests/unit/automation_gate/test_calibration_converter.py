"""Calibrated classifiers answer in ONNX as in scikit-learn, on and between the thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from automation.errors import ConversionError
from automation.gate.answers import sklearn_answers
from automation.gate.conversion import Graph, convert, onnx_answers
from automation.gate.training import TrainedModel
from tests.support.trained_models import a_model_of_table

ROWS, LABELS = load_iris(return_X_y=True, as_frame=True)
# Of the second and the third kind: the two that no line tells apart.
PAIR, PAIR_LABELS = ROWS[50:], LABELS[50:].to_numpy()
CLOSE = {"float32": 1e-6, "float64": 1e-12}


@pytest.mark.parametrize(
    ("estimator", "classes"),
    [
        (SVC(), 2),
        (SVC(), 3),
        (RandomForestClassifier(5, random_state=42), 2),
        (RandomForestClassifier(5, random_state=42), 3),
        (GradientBoostingClassifier(n_estimators=3, random_state=42), 2),
        (LogisticRegression(max_iter=500), 3),
        (GaussianNB(), 3),
        (make_pipeline(StandardScaler(), LinearSVC()), 2),
    ],
    ids=lambda given: type(given).__name__ if hasattr(given, "fit") else f"{given}-classes",
)
def test_isotonic_calibration_is_served(estimator: Any, classes: int) -> None:
    trained = _calibrated(estimator, classes, method="isotonic", cv=3)

    graph = convert(trained)

    _assert_same(graph, trained, _random_rows())


@pytest.mark.parametrize("method", ["isotonic", "sigmoid"])
@pytest.mark.parametrize(
    "options", [{"ensemble": False}, {"estimator": FrozenEstimator(LinearSVC().fit(ROWS, LABELS))}]
)
def test_one_classifier_for_all_folds_is_served(method: str, options: dict[str, Any]) -> None:
    given = {"estimator": SVC(), "method": method, "cv": 3} | options
    trained = _calibrated(given.pop("estimator"), 3, **given)

    graph = convert(trained)

    _assert_same(graph, trained, _random_rows())


def test_a_row_every_calibrator_gives_nothing_is_shared_evenly() -> None:
    trained = _calibrated(LinearSVC(), 3, method="isotonic", ensemble=False)
    for calibrator in trained.estimator.calibrated_classifiers_[0].calibrators:
        calibrator.fit(*_line_from(-100.0, [0.0, 0.0, 0.0, 1.0]))

    graph = convert(trained)

    even = onnx_answers(graph, trained, ROWS.to_numpy()[:5]).probabilities[0]
    assert even == pytest.approx(np.full((5, 3), 1 / 3))


@pytest.mark.parametrize("out_of_bounds", ["clip", "nan"])
@pytest.mark.parametrize("increasing", [True, False])
def test_isotonic_regression_is_served_on_and_beside_its_thresholds(
    out_of_bounds: Any, increasing: bool
) -> None:
    rng = np.random.default_rng(3)
    frame = pandas.DataFrame({"x": rng.normal(size=80)})
    model = IsotonicRegression(out_of_bounds=out_of_bounds, increasing=increasing)
    trained = a_model_of_table(model, frame, np.sin(frame["x"].to_numpy()) + rng.normal(size=80))

    graph = convert(trained)

    knots = model.X_thresholds_
    rows = np.concatenate([knots, *(np.nextafter(knots, end) for end in (-9, 9)), [-50.0, 50.0]])
    if graph.float_type == "float32":
        rows = rows.astype(np.float32).astype(np.float64)
    expected = model.predict(rows)
    found = onnx_answers(graph, trained, rows.reshape(-1, 1)).labels
    np.testing.assert_allclose(found, expected, rtol=CLOSE[graph.float_type])
    assert np.isnan(expected).any() == (out_of_bounds == "nan")


@pytest.mark.parametrize(
    ("estimator", "classes"),
    [
        (SVC(), 3),
        (LinearSVC(), 2),
        (GaussianNB(), 3),
        (RandomForestClassifier(5, random_state=1), 2),
    ],
    ids=lambda given: type(given).__name__ if hasattr(given, "fit") else f"{given}-classes",
)
def test_calibration_by_temperature_is_served(estimator: Any, classes: int) -> None:
    trained = _calibrated(estimator, classes, method="temperature", cv=3)

    graph = convert(trained)

    _assert_same(graph, trained, _random_rows())


def test_a_calibration_without_a_form_is_refused_by_name() -> None:
    estimator = CalibratedClassifierCV(SVC(decision_function_shape="ovo"), method="isotonic")
    trained = a_model_of_table(estimator, ROWS, LABELS.to_numpy())

    with pytest.raises(ConversionError, match="decision function of SVC"):
        convert(trained)


def _calibrated(estimator: Any, classes: int, **options: Any) -> TrainedModel:
    rows, labels = (PAIR, PAIR_LABELS) if classes == 2 else (ROWS, LABELS.to_numpy())
    return a_model_of_table(CalibratedClassifierCV(estimator, **options), rows, labels)


def _random_rows() -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(11)
    low, high = ROWS.to_numpy().min(axis=0) - 0.5, ROWS.to_numpy().max(axis=0) + 0.5
    rows: npt.NDArray[np.float64] = low + (high - low) * rng.random((2000, 4))
    return rows


def _line_from(start: float, values: list[float]) -> tuple[list[float], list[float]]:
    return [start + 100.0 * step for step in range(len(values))], values


def _assert_same(graph: Graph, trained: TrainedModel, rows: npt.NDArray[np.float64]) -> None:
    if graph.float_type == "float32":
        rows = rows.astype(np.float32).astype(np.float64)
    expected, given = sklearn_answers(trained, rows), onnx_answers(graph, trained, rows)
    assert (given.labels == expected.labels).all()
    close = CLOSE[graph.float_type]
    np.testing.assert_allclose(
        given.probabilities[0], expected.probabilities[0], rtol=close, atol=close
    )
