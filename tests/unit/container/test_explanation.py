"""SHAP values, by the kernel and by NumPy, beside those of the shap library."""

from __future__ import annotations

import struct
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from automation.gate.forest import LEAF, forest_bytes
from server.errors import ArtifactError, NotExplainableError
from server.explanation import Explainable, FlatForest, explain, explainable
from server.forest import compiled_forest
from tests.support.forests import (
    EXPLAINED,
    FittedForest,
    a_fitted_forest,
    a_forest_of,
    fitted_forests,
)


@pytest.fixture(scope="module")
def tree_explainer() -> Any:
    """The library's explainer; importing it takes seconds."""
    shap = pytest.importorskip("shap", reason="no shap for this platform; see requirements.in")
    return shap.TreeExplainer


@pytest.fixture(params=["kernel", "numpy"])
def load(request: pytest.FixtureRequest) -> Any:
    """Each of the two ways a forest is explained."""
    if request.param == "numpy":
        return FlatForest
    pytest.importorskip(
        "greenlight_kernel",
        reason="no compiled kernel; install a C compiler, then run `make setup`",
    )
    return compiled_forest


def asked_rows(fitted: FittedForest) -> Any:
    """Give some rows of the training data and some on thresholds."""
    return fitted.rows[[0, 1, 2, -1, -2, -3]]


def assert_equal_to_shap(forest: Explainable, fitted: FittedForest, tree_explainer: Any) -> None:
    rows = asked_rows(fitted)
    explainer = tree_explainer(fitted.estimator)

    explanations = explain(forest, rows)

    expected = explainer.shap_values(rows).reshape(len(rows), rows.shape[1], -1)
    assert explanations.shap_values == pytest.approx(expected, rel=1e-8, abs=1e-10)
    expected_base = np.ravel(explainer.expected_value)
    assert explanations.base_values == pytest.approx(expected_base, rel=1e-8, abs=1e-10)


@given(fitted=fitted_forests(EXPLAINED))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_explanations_are_those_of_shap(
    load: Any, tree_explainer: Any, fitted: FittedForest
) -> None:
    assert_equal_to_shap(load(fitted.content), fitted, tree_explainer)


@pytest.mark.parametrize("kind", EXPLAINED)
def test_every_kind_of_forest_is_explained_as_by_shap(
    load: Any, tree_explainer: Any, kind: Any
) -> None:
    fitted = a_fitted_forest(kind, trees=20, features=6)

    assert_equal_to_shap(load(fitted.content), fitted, tree_explainer)


@pytest.mark.parametrize("kind", [RandomForestClassifier, DecisionTreeRegressor])
def test_base_value_and_shap_values_add_up_to_the_answer(load: Any, kind: Any) -> None:
    fitted = a_fitted_forest(kind, missing=0.2)

    explanations = explain(load(fitted.content), fitted.rows, max_rows=1000)

    total = explanations.base_values + explanations.shap_values.sum(axis=1)
    assert total == pytest.approx(fitted.answers, rel=1e-9, abs=1e-12)


def test_a_boosted_classifier_is_explained_by_its_log_odds(load: Any) -> None:
    fitted = a_fitted_forest(GradientBoostingClassifier)

    explanations = explain(load(fitted.content), fitted.rows, max_rows=1000)

    total = explanations.base_values + explanations.shap_values.sum(axis=1)
    log_odds = fitted.estimator.decision_function(fitted.rows)
    assert total[:, 0] == pytest.approx(log_odds, rel=1e-9, abs=1e-12)


def test_paths_of_many_features_keep_their_precision(load: Any) -> None:
    # The library's own method loses digits on such paths, so the sum is what is checked.
    rows, targets = np.eye(60), np.arange(60.0)
    estimator = DecisionTreeRegressor(max_features=1, random_state=5).fit(rows, targets)
    assert estimator.get_depth() > 30

    explanations = explain(load(forest_bytes(estimator)), rows)

    total = explanations.base_values + explanations.shap_values.sum(axis=1)
    assert total[:, 0] == pytest.approx(targets, abs=1e-9)


def test_a_tree_without_a_split_explains_nothing(load: Any) -> None:
    fitted = a_fitted_forest(RandomForestClassifier, trees=2)
    stump = RandomForestClassifier(2, max_depth=1, min_samples_split=500)
    stump.fit(fitted.rows, np.arange(len(fitted.rows)) % 2)

    explanations = explain(load(forest_bytes(stump)), fitted.rows[:2])

    assert not explanations.shap_values.any()
    assert explanations.base_values == pytest.approx(stump.predict_proba(fitted.rows[:1])[0])


def test_no_row_gives_no_explanation(load: Any) -> None:
    fitted = a_fitted_forest(RandomForestClassifier)

    explanations = explain(load(fitted.content), fitted.rows[:0])

    assert explanations.shap_values.shape == (0, 4, 3)


def test_more_rows_than_allowed_are_refused_with_the_limit() -> None:
    fitted = a_fitted_forest(DecisionTreeClassifier)

    with pytest.raises(NotExplainableError, match="11 instances are to be explained; at most 10"):
        explain(FlatForest(fitted.content), fitted.rows[:11], max_rows=10)


def test_a_model_without_a_forest_says_which_ones_explain() -> None:
    with pytest.raises(NotExplainableError, match="single decision trees, random forests"):
        explainable(None)


def test_without_the_module_numpy_explains(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = a_fitted_forest(ExtraTreesClassifier)
    monkeypatch.setitem(sys.modules, "greenlight_kernel", None)

    assert isinstance(explainable(fitted.content), FlatForest)


def test_with_the_module_the_kernel_explains() -> None:
    pytest.importorskip(
        "greenlight_kernel",
        reason="no compiled kernel; install a C compiler, then run `make setup`",
    )

    forest = explainable(a_fitted_forest(RandomForestRegressor).content)

    assert not isinstance(forest, FlatForest)


@pytest.mark.parametrize(
    ("at", "value", "problem"),
    [
        (0, b"X", "header contradicts"),
        (8, struct.pack("<I", 2), "header contradicts"),
        (16, struct.pack("<I", 0), "header contradicts"),
        (16, struct.pack("<I", 65_536), "header contradicts"),
        (16, struct.pack("<I", 1), "leads outside"),
        (28, struct.pack("<I", 2**32 - 1), "header contradicts"),
        (-8, struct.pack("<I", 1), "contradict its number of nodes"),
    ],
)
def test_a_damaged_forest_is_refused_without_the_kernel_too(
    at: int, value: bytes, problem: str
) -> None:
    content = bytearray(a_fitted_forest(DecisionTreeRegressor).content)
    # The labels of a regressor, "null", end the file; before them are the sizes of the trees.
    at %= len(content)
    content[at : at + len(value)] = value

    with pytest.raises(ArtifactError, match=problem):
        FlatForest(bytes(content))


@pytest.mark.parametrize(
    ("splits", "sizes"),
    [
        ([0, 0, LEAF], [3]),
        ([LEAF, 0, LEAF], [3]),
        ([LEAF, LEAF, LEAF], [3]),
        ([0, LEAF, LEAF, LEAF], [4, 0]),
        ([1, LEAF, LEAF], [3]),
        ([0, LEAF, LEAF + 1], [3]),
    ],
)
def test_a_tree_that_leads_nowhere_is_refused_without_the_kernel_too(
    splits: list[int], sizes: list[int]
) -> None:
    with pytest.raises(ArtifactError, match="leads outside"):
        FlatForest(a_forest_of(splits, sizes))


@pytest.fixture(scope="module")
def small_content() -> bytes:
    """A forest of few bytes."""
    return a_fitted_forest(DecisionTreeClassifier, max_depth=2).content


@given(data=st.data())
@settings(max_examples=200)
def test_no_damage_raises_anything_else(small_content: bytes, data: st.DataObject) -> None:
    content = bytearray(small_content)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        forest = FlatForest(bytes(content))
    except ArtifactError:
        return
    with np.errstate(all="ignore"):
        forest.explain(bytes(4 * forest.feature_count))
