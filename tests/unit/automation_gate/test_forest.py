"""Writing a fitted estimator's trees for the compiled kernel."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from automation.gate.forest import (
    MAX_DEPTH,
    breadth_first,
    child_limit,
    distinct,
    floor_to_float32,
    forest_bytes,
    furthest_child,
)

ROWS = np.arange(60, dtype=float).reshape(30, 2) % 7
LABELS = (ROWS[:, 0] > 3).astype(int)


class OwnForest(RandomForestClassifier):  # type: ignore[misc]
    """May answer otherwise than the forest it is made from."""


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression().fit(ROWS, LABELS),
        make_pipeline(StandardScaler(), RandomForestClassifier(3)).fit(ROWS, LABELS),
        HistGradientBoostingRegressor(max_iter=2).fit(ROWS, LABELS),
        OwnForest(3).fit(ROWS, LABELS),
        RandomForestClassifier(3).fit(ROWS, np.stack([LABELS, LABELS], axis=1)),
        RandomForestRegressor(3).fit(ROWS, ROWS),
        GradientBoostingClassifier(n_estimators=2).fit(ROWS, np.arange(30) % 3),
        GradientBoostingClassifier(n_estimators=2, init=DecisionTreeClassifier()).fit(ROWS, LABELS),
        DecisionTreeClassifier().fit(ROWS, LABELS, sample_weight=np.full(30, -1.0)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_what_the_kernel_cannot_stand_in_for_has_no_forest(estimator: Any) -> None:
    assert forest_bytes(estimator) is None


@pytest.mark.parametrize(("depth", "is_taken"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_trees_as_deep_as_the_kernel_walks_are_written(depth: int, is_taken: bool) -> None:
    # Node 2k splits off the leaf 2k + 1.
    nodes = np.arange(2 * depth + 1)
    has_children = (nodes % 2 == 0) & (nodes < 2 * depth)

    order = breadth_first(
        np.where(has_children, nodes + 1, -1), np.where(has_children, nodes + 2, -1)
    )

    assert (order is not None) == is_taken
    assert order is None or order.tolist() == nodes.tolist()


@pytest.mark.parametrize(
    ("features", "limit"), [(1, 2**23), (256, 2**23), (257, 2**22), (65_535, 2**15)]
)
def test_the_more_features_the_narrower_trees_have_to_be(features: int, limit: int) -> None:
    assert child_limit(features) == limit


@pytest.mark.parametrize(("depth", "is_taken"), [(15, True), (16, False)])
def test_trees_as_wide_as_the_kernel_packs_are_written(depth: int, is_taken: bool) -> None:
    # A complete tree in breadth-first order; the first split of the last level is the furthest.
    nodes = np.arange(2 ** (depth + 1) - 1)
    has_children = nodes < 2**depth - 1
    estimator = DecisionTreeRegressor()
    estimator.n_outputs_, estimator.n_features_in_ = 1, 65_535
    estimator.tree_ = SimpleNamespace(
        node_count=len(nodes),
        n_features=65_535,
        children_left=np.where(has_children, 2 * nodes + 1, -1),
        children_right=np.where(has_children, 2 * nodes + 2, -1),
        feature=np.zeros(len(nodes), int),
        threshold=np.zeros(len(nodes)),
        missing_go_to_left=np.zeros(len(nodes), int),
        weighted_n_node_samples=np.ones(len(nodes)),
        value=np.zeros((len(nodes), 1, 1)),
    )

    assert furthest_child(~has_children) == 2**depth - 1
    assert (forest_bytes(estimator) is not None) == is_taken


@given(st.floats(width=64, allow_nan=False))
def test_rounding_down_a_threshold_decides_no_float32_otherwise(threshold: float) -> None:
    rounded = floor_to_float32(np.array([threshold]))[0]
    with np.errstate(over="ignore"):
        near = np.float32(threshold)
        values = [near, *(np.nextafter(near, np.float32(end)) for end in (np.inf, -np.inf))]

    for value in values:
        assert (value <= rounded) == (float(value) <= threshold)


def test_values_are_kept_once_and_told_apart_by_their_bits() -> None:
    values, index = distinct(np.array([[0.0], [1.0], [-0.0], [1.0]]))

    assert len(values) == 3
    assert values[index].tobytes() == np.array([[0.0], [1.0], [-0.0], [1.0]]).tobytes()


def test_the_same_trees_are_written_in_the_same_bytes() -> None:
    once, again = (RandomForestClassifier(5, random_state=1).fit(ROWS, LABELS) for _ in range(2))

    assert forest_bytes(once) == forest_bytes(again) is not None


def test_the_header_counts_what_follows() -> None:
    estimator = RandomForestClassifier(5, random_state=1).fit(ROWS, np.array(["a", "b"])[LABELS])

    content = forest_bytes(estimator) or b""

    magic, version, flags, features, outputs, trees, nodes, values, labels, start, divisor = (
        struct.unpack_from("<8s8I2d", content)
    )
    assert (magic, version, flags, features, outputs, trees) == (b"GLFOREST", 1, 1, 2, 2, 5)
    assert nodes == sum(each.tree_.node_count for each in estimator.estimators_)
    assert (start, divisor, content[-labels:]) == (0.0, 5.0, b'["a", "b"]')
    assert len(content) == 56 + values * 16 + nodes * 16 + trees * 4 + labels


@pytest.mark.parametrize(
    ("classes", "end"),
    [([0.0, 1.0], b"[0, 1]"), ([False, True], b"[false, true]"), ([-1, 1], b"[-1, 1]")],
)
def test_the_file_ends_with_the_classes_as_json_has_them(classes: list[Any], end: bytes) -> None:
    estimator = RandomForestClassifier(5, random_state=1).fit(ROWS, np.array(classes)[LABELS])

    content = forest_bytes(estimator)

    assert content is not None
    assert content.endswith(end)
