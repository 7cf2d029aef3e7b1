"""Fitted tree estimators of many shapes, and the rows they are most likely to go wrong on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from automation.gate.forest import HEADER, MAGIC, VERSION, forest_bytes
from tests.support.onnx_models import FittedModel, reseal

SINGLE = (DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor)
FORESTS = (
    RandomForestClassifier,
    RandomForestRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
)
ANSWERING = (*SINGLE, *FORESTS, GradientBoostingRegressor)
"""Estimators whose own answers the kernel gives."""

EXPLAINED = (*ANSWERING, GradientBoostingClassifier)

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FittedForest:
    """An estimator, its `forest.bin`, and rows to ask it.

    Args:
        rows: (rows, features); some of them lie exactly on thresholds, or one float32 beside
    """

    estimator: Any
    content: bytes
    rows: Rows

    @property
    def answers(self) -> Rows:
        """What the estimator answers: probabilities or a column of values."""
        if hasattr(self.estimator, "classes_"):
            return np.asarray(self.estimator.predict_proba(self.rows))
        return np.asarray(self.estimator.predict(self.rows)).reshape(-1, 1)


@st.composite
def fitted_forests(draw: st.DrawFn, kinds: tuple[Any, ...] = ANSWERING) -> FittedForest:
    """Draw an estimator fitted on random rows, some with missing values and many equal values."""
    kind = draw(st.sampled_from(kinds))
    return a_fitted_forest(
        kind,
        seed=draw(st.integers(0, 2**32 - 1)),
        trees=draw(st.integers(1, 20)),
        features=draw(st.integers(1, 9)),
        classes=draw(st.integers(2, 5)),
        max_depth=draw(st.sampled_from([None, None, 1, 2, 6])),
        decimals=draw(st.sampled_from([0, 1, 7])),
        missing=draw(st.sampled_from([0.0, 0.2])) if takes_missing(kind) else 0.0,
    )


def a_fitted_forest(
    kind: Any,
    *,
    seed: int = 0,
    trees: int = 10,
    features: int = 4,
    classes: int = 3,
    max_depth: int | None = None,
    decimals: int = 7,
    missing: float = 0.0,
) -> FittedForest:
    """Fit an estimator on random rows.

    Args:
        decimals: of the training values; the fewer, the more are equal
        missing: share of the training values that are missing
    """
    generator = np.random.default_rng(seed)
    rows = np.round(generator.normal(size=(120, features)), decimals)
    noise = generator.normal(scale=0.7, size=120)
    target: Any = rows.sum(axis=1) + noise
    if hasattr(kind, "predict_proba"):
        classes = 2 if kind is GradientBoostingClassifier else classes
        target = np.digitize(target, np.quantile(target, np.linspace(0, 1, classes + 1)[1:-1]))
    rows[generator.random(rows.shape) < missing] = np.nan
    settings: dict[str, Any] = {"random_state": 1, "max_depth": max_depth}
    if kind not in SINGLE:
        settings["n_estimators"] = trees
    if kind in (GradientBoostingRegressor, GradientBoostingClassifier):
        settings["max_depth"] = max_depth or 3
    estimator = kind(**settings).fit(rows, target)
    content = forest_bytes(estimator)
    assert content is not None
    asked = np.concatenate([rows, rows_on_thresholds(estimator, rows, generator)])
    if missing:
        asked[generator.random(asked.shape) < 0.1] = np.nan
    return FittedForest(estimator=estimator, content=content, rows=asked)


def takes_missing(kind: Any) -> bool:
    """Whether an estimator can be fitted on rows with missing values."""
    return kind not in (GradientBoostingRegressor, GradientBoostingClassifier)


def rows_on_thresholds(estimator: Any, rows: Rows, generator: np.random.Generator) -> Rows:
    """Move one value of rows onto a threshold, and one step of float32 or float64 beside it."""
    chosen = rows[generator.integers(len(rows), size=150)].copy()
    trees = trees_of(estimator)
    for number, row in enumerate(chosen):
        tree = trees[generator.integers(len(trees))]
        node = generator.integers(tree.node_count)
        if tree.children_left[node] >= 0 and np.isfinite(tree.threshold[node]):
            row[tree.feature[node]] = beside(tree.threshold[node])[number % 5]
    return np.asarray(chosen)


def beside(threshold: float) -> list[float]:
    """Give a threshold, its float32, and the next numbers beside them."""
    near = np.float32(threshold)
    up, down = np.float32(np.inf), np.float32(-np.inf)
    steps = [near, np.nextafter(near, up), np.nextafter(near, down), np.nextafter(threshold, up)]
    return [threshold, *map(float, steps)]


def trees_of(estimator: Any) -> list[Any]:
    """Give the fitted trees of any of these estimators."""
    if hasattr(estimator, "tree_"):
        return [estimator.tree_]
    return [each.tree_ for each in np.ravel(estimator.estimators_)]


def a_forest_of(splits: list[int], sizes: list[int], features: int = 1) -> bytes:
    """Give a `forest.bin` of one output and one value, with any nodes in it."""
    nodes = len(splits)
    header = HEADER.pack(MAGIC, VERSION, 0, features, 1, len(sizes), nodes, 1, 4, 0.0, 1.0)
    numbers = np.ones(1 + nodes).tobytes() + bytes(4 * nodes)
    return header + numbers + np.array([*splits, *sizes], dtype="<u4").tobytes() + b"null"


def add_forest(fitted: FittedModel) -> FittedModel:
    """Put the `forest.bin` of its estimator into an artifact's folder."""
    content = forest_bytes(fitted.estimator)
    assert content is not None
    path = fitted.directory / "forest.bin"
    path.write_bytes(content)
    reseal(path)
    return fitted
