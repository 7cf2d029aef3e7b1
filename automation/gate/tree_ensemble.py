"""Fitted trees as arrays, and the attributes of the ONNX node that holds them.

Source: ONNX operator TreeEnsemble, ai.onnx.ml version 5: float64 in, float64 out, one target per
leaf; a tree of one leaf is a node with that leaf on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
LESS_OR_EQUAL = 0  # nodes_modes: BRANCH_LEQ
SUM = 1  # aggregate_function
NOTHING = (0, 0.0)  # what a leaf adds that adds nothing
DIRECT = (
    "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor",
    "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier",
    "ExtraTreesRegressor", "GradientBoostingClassifier", "GradientBoostingRegressor",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Tree:
    """One fitted tree as arrays.

    Args:
        values: what each node adds to each target, (nodes, targets); only those of leaves count.
        left: index of the child for values up to the threshold, -1 in a leaf.
        missing_left: whether a missing value goes left.
    """

    values: Doubles
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: Doubles
    missing_left: npt.NDArray[np.bool_]


@dataclass(kw_only=True)
class EnsembleNode:
    """The attributes of one TreeEnsemble node, filled tree by tree."""

    targets: int
    roots: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    splits: list[float] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    children: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    are_leaves: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    leaf_targets: list[int] = field(default_factory=list)
    leaf_weights: list[float] = field(default_factory=list)

    def add_constant(self, values: Doubles) -> None:
        """Add a tree of one leaf per target, so that a sum starts with these values."""
        for target, value in enumerate(values):
            self._add_stump(target, float(value))

    def add(self, tree: Tree) -> None:
        """Add a tree; once per target that one of its leaves adds to beyond its first.

        A leaf of this operator adds to one target. Zeros change no sum, so a tree whose leaves are
        pure, as in most forests, stands here once, and further copies hold only the branches that
        lead to leaves with further targets.
        """
        inner = np.flatnonzero(tree.left >= 0)
        targets = [np.flatnonzero(values) for values in tree.values]
        depth_of = np.array([len(found) for found in targets])
        for node in inner[::-1]:  # children stand behind their parents
            depth_of[node] = max(depth_of[tree.left[node]], depth_of[tree.right[node]])
        for copy in range(max(1, int(depth_of[0]))):
            kept = inner if copy == 0 else inner[depth_of[inner] > copy]
            parts = {
                int(leaf): (int(targets[leaf][copy]), float(tree.values[leaf, targets[leaf][copy]]))
                for leaf in np.flatnonzero((tree.left < 0) & (depth_of > copy))
            }
            if len(kept):
                self._add_copy(tree, kept, parts)
            else:
                self._add_stump(*parts.get(0, NOTHING))

    def attributes(self) -> dict[str, Any]:
        """Give the attributes as ONNX has them."""
        from onnx import numpy_helper

        return {
            "aggregate_function": SUM,
            "post_transform": 0,
            "n_targets": self.targets,
            "tree_roots": self.roots,
            "nodes_featureids": self.features,
            "nodes_splits": numpy_helper.from_array(np.array(self.splits, dtype=np.float64)),
            "nodes_modes": numpy_helper.from_array(
                np.full(len(self.features), LESS_OR_EQUAL, dtype=np.uint8)
            ),
            "nodes_missing_value_tracks_true": self.missing,
            "nodes_truenodeids": self.children[0],
            "nodes_falsenodeids": self.children[1],
            "nodes_trueleafs": self.are_leaves[0],
            "nodes_falseleafs": self.are_leaves[1],
            "leaf_targetids": self.leaf_targets,
            "leaf_weights": numpy_helper.from_array(np.array(self.leaf_weights, dtype=np.float64)),
        }

    def _add_stump(self, target: int, value: float) -> None:
        self.roots.append(len(self.features))
        self._add_node(0, 0.0, False)
        for side in (0, 1):
            self.children[side].append(len(self.leaf_weights))
            self.are_leaves[side].append(1)
        self._add_leaf(target, value)

    def _add_copy(
        self, tree: Tree, inner: npt.NDArray[np.int64], parts: dict[int, tuple[int, float]]
    ) -> None:
        position = {int(node): len(self.features) + rank for rank, node in enumerate(inner)}
        self.roots.append(len(self.features))
        for node in inner:
            self._add_node(
                int(tree.feature[node]), float(tree.threshold[node]), bool(tree.missing_left[node])
            )
            for side, child in enumerate((int(tree.left[node]), int(tree.right[node]))):
                is_leaf = child not in position
                self.are_leaves[side].append(int(is_leaf))
                self.children[side].append(len(self.leaf_weights) if is_leaf else position[child])
                if is_leaf:
                    self._add_leaf(*parts.get(child, NOTHING))

    def _add_node(self, feature: int, split: float, missing: bool) -> None:
        self.features.append(feature)
        self.splits.append(split)
        self.missing.append(int(missing))

    def _add_leaf(self, target: int, value: float) -> None:
        self.leaf_targets.append(target)
        self.leaf_weights.append(value)


def fitted_trees(trees: Sequence[Any], output: int | None) -> Iterator[Tree]:
    """Read scikit-learn's trees; of a classifier the values of one output, else of all outputs."""
    for member in trees:
        fitted = member.tree_
        values = fitted.value[:, output, :] if output is not None else fitted.value[:, :, 0]
        yield _tree(fitted, values)


def stage_trees(model: Any) -> Iterator[Tree]:
    """Read the trees of gradient boosting, stage by stage, a target after the other."""
    for stage in model.estimators_:
        for target, member in enumerate(stage):
            values = np.zeros((member.tree_.node_count, len(stage)))
            values[:, target] = model.learning_rate * member.tree_.value[:, 0, 0]
            yield _tree(member.tree_, values)


def histogram_trees(model: Any) -> Iterator[Tree]:
    """Read the trees of histogram gradient boosting, which compares float64 values.

    Raises:
        NotImplementedError: it compares encoded categories, which are no values of a row.
    """
    if model._preprocessor is not None:
        raise NotImplementedError("splits on categories compare no values of a row")
    for stage in model._predictors:
        for target, predictor in enumerate(stage):
            yield histogram_tree(predictor.nodes, target, len(stage))


def histogram_tree(nodes: Any, target: int, targets: int) -> Tree:
    """Read one tree of histogram gradient boosting, which adds to one target."""
    values = np.zeros((len(nodes), targets))
    values[:, target] = nodes["value"]
    is_leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        values=values,
        left=np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"].astype(np.float64),
        missing_left=nodes["missing_go_to_left"].astype(bool),
    )


def _tree(fitted: Any, values: Doubles) -> Tree:
    return Tree(
        values=values,
        left=fitted.children_left,
        right=fitted.children_right,
        feature=fitted.feature,
        threshold=fitted.threshold,
        missing_left=np.asarray(fitted.missing_go_to_left, dtype=bool),
    )


def start_of(model: Any) -> Doubles:
    """Give what gradient boosting starts from.

    Raises:
        NotImplementedError: it depends on the row.
    """
    if type(model.init_).__name__ not in ("DummyClassifier", "DummyRegressor", "str"):
        raise NotImplementedError("boosting that starts from another estimator has no exact form")
    row = np.zeros((1, model.n_features_in_), dtype=np.float32)
    start: Doubles = np.asarray(model._raw_predict_init(row), dtype=np.float64)[0]
    return start


def trees_of(model: Any) -> list[Tree] | None:
    """Read the trees that compare a row's own values; None for an estimator of another kind."""
    if type(model).__name__ not in DIRECT:
        return None
    members = np.ravel(getattr(model, "estimators_", [model])).tolist()
    return [_tree(member.tree_, member.tree_.value[:, 0, :]) for member in members]
