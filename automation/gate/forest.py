"""Writes a forest as the compiled kernel reads it: `forest.bin`, the same bytes on every machine.

Only estimators whose answers the kernel gives to the bit get one that answers; a gradient boosting
classifier gets one that only explains. The layout is that of `container/kernel/src/forest.h`, which
this package may not import: they meet in the file.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FOREST_NAME = "forest.bin"
MAGIC = b"GLFOREST"
VERSION = 1
HEADER = struct.Struct("<8s8I2d")
IS_ANSWER = 1
LEAF = 0x40000000
MISSING_RIGHT = 0x80000000
MAX_FEATURES = 65_535
MAX_NODES = 2**30
MAX_VALUES = 2**23
MAX_DEPTH = 500

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Fitted trees and how their leaves become an answer.

    Args:
        trees: scikit-learn's `tree_` of each, in the order it adds them up.
        outputs: how many numbers an answer has.
        scale: what a leaf's value is multiplied by.
        start: what a sum begins with.
        divisor: what the sum is divided by.
        is_answer: whether the result is the estimator's own answer, to the bit.
        labels: the estimator's own classes, in order; None for a regressor.
    """

    trees: Sequence[Any]
    outputs: int
    scale: float = 1.0
    start: float = 0.0
    divisor: float = 1.0
    is_answer: bool = True
    labels: list[bool | int | str] | None = None


def forest_bytes(estimator: Any) -> bytes | None:
    """Write a fitted estimator's trees, or give None where the kernel cannot stand in for it.

    Args:
        estimator: fitted; a decision tree, random forest or extra trees estimator or a gradient
            boosting regressor of one output, or a binary gradient boosting classifier (explained
            only).

    Returns:
        the same bytes for the same trees on every machine; None for every other estimator, for a
        subclass of these (which may answer otherwise), and for trees beyond the kernel's limits.
    """
    ensemble = _ensemble(estimator)
    if ensemble is None or not 1 <= estimator.n_features_in_ <= MAX_FEATURES:
        return None
    parts = [_flat(tree, ensemble) for tree in ensemble.trees]
    if any(part is None for part in parts):
        return None
    leaf_values, weights, thresholds, splits = (
        np.concatenate([part[index] for part in parts if part is not None]) for index in range(4)
    )
    if len(splits) > MAX_NODES:
        return None
    values, value_of_leaf = distinct(leaf_values)
    if len(values) > MAX_VALUES:
        return None
    splits[splits == LEAF] |= value_of_leaf
    labels = json.dumps(ensemble.labels).encode()
    header = HEADER.pack(
        MAGIC,
        VERSION,
        IS_ANSWER if ensemble.is_answer else 0,
        estimator.n_features_in_,
        ensemble.outputs,
        len(ensemble.trees),
        len(splits),
        len(values),
        len(labels),
        ensemble.start,
        ensemble.divisor,
    )
    sizes = np.array([tree.node_count for tree in ensemble.trees], dtype="<u4")
    arrays = (
        values.astype("<f8"),
        weights.astype("<f8"),
        thresholds.astype("<f4"),
        splits.astype("<u4"),
        sizes,
    )
    return header + b"".join(array.tobytes() for array in arrays) + labels


def _ensemble(estimator: Any) -> Ensemble | None:
    from sklearn import ensemble, tree

    kind = type(estimator)
    single = (
        tree.DecisionTreeClassifier,
        tree.DecisionTreeRegressor,
        tree.ExtraTreeClassifier,
        tree.ExtraTreeRegressor,
    )
    forests = (
        ensemble.RandomForestClassifier,
        ensemble.RandomForestRegressor,
        ensemble.ExtraTreesClassifier,
        ensemble.ExtraTreesRegressor,
    )
    if kind in single + forests:
        labels = _labels(estimator)
        if estimator.n_outputs_ != 1 or labels == []:
            return None
        outputs = 1 if labels is None else len(labels)
        if kind in single:
            # -0.0 and not 0.0: a single tree's value is not added to anything.
            return Ensemble(trees=[estimator.tree_], outputs=outputs, start=-0.0, labels=labels)
        trees = [each.tree_ for each in estimator.estimators_]
        return Ensemble(trees=trees, outputs=outputs, divisor=float(len(trees)), labels=labels)
    if kind in (ensemble.GradientBoostingRegressor, ensemble.GradientBoostingClassifier):
        return _boosted(estimator)
    return None


def _labels(estimator: Any) -> list[bool | int | str] | None:
    """The estimator's classes; None for a regressor, empty where they are of another kind.

    A whole float is the integer it stands for, as in the manifest.
    """
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return None
    given = [] if isinstance(classes, list) else classes.tolist()
    plain = [int(each) if type(each) is float and each.is_integer() else each for each in given]
    return plain if {type(label) for label in plain} in ({bool}, {int}, {str}) else []


def _boosted(estimator: Any) -> Ensemble | None:
    """The raw prediction; for a classifier the log odds of the second of two classes."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if estimator.estimators_.shape[1] != 1:
        return None
    first = estimator.init_
    if isinstance(first, str) and first == "zero":
        start = 0.0
    elif type(first) is DummyRegressor:
        start = float(first.constant_.ravel()[0])
    elif type(first) is DummyClassifier and first.strategy == "prior":
        share = float(first.class_prior_[1])
        # Rounded, as machines differ in the last digit of a logarithm and the file must not.
        start = round(math.log(share / (1.0 - share)), 12)
    else:
        return None
    return Ensemble(
        trees=[each.tree_ for each in estimator.estimators_[:, 0]],
        outputs=1,
        scale=float(estimator.learning_rate),
        start=start,
        is_answer=not hasattr(estimator, "classes_"),
    )


def _flat(
    tree: Any, ensemble: Ensemble
) -> tuple[Values, Values, npt.NDArray[np.float32], npt.NDArray[np.uint32]] | None:
    """A tree's values per leaf, weights, thresholds and splits, in breadth-first order."""
    order = breadth_first(tree.children_left, tree.children_right)
    if order is None:
        return None
    weights = tree.weighted_n_node_samples[order]
    # The parts of a weight that is not above zero cannot be told from one another.
    if not (weights > 0).all():
        return None
    is_leaf = tree.children_left[order] < 0
    if furthest_child(is_leaf) >= child_limit(tree.n_features):
        return None
    splits = tree.feature[order].astype(np.int64)
    splits[tree.missing_go_to_left[order] == 0] |= MISSING_RIGHT
    splits[is_leaf] = LEAF
    values = tree.value[order][is_leaf, 0, :] * ensemble.scale
    return (
        values[:, : ensemble.outputs],
        weights,
        floor_to_float32(tree.threshold[order]),
        splits.astype(np.uint32),
    )


def distinct(values: Values) -> tuple[Values, npt.NDArray[np.uint32]]:
    """Give every different row once, and for each row which of those it is.

    Rows are told apart by their bits, so that -0.0 is not 0.0.
    """
    bits = np.ascontiguousarray(values, dtype="<f8").view("<u8")
    rows, index = np.unique(bits, axis=0, return_inverse=True)
    return rows.view("<f8"), index.ravel().astype(np.uint32)


def floor_to_float32(values: Values) -> npt.NDArray[np.float32]:
    """Give the greatest float32 not above each: a float32 is above both or above neither."""
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    is_above = near.astype(np.float64) > values
    near[is_above] = np.nextafter(near[is_above], np.float32(-np.inf))
    return near


def child_limit(features: int) -> int:
    """Before how many nodes further on a split's left child has to stand, for the kernel.

    It packs that number with the feature and one bit more into 32 bits, at least 9 for these two.
    """
    return int(2 ** (31 - max(8, (features - 1).bit_length())))


def furthest_child(is_leaf: npt.NDArray[np.bool_]) -> int:
    """How many nodes after its split a left child stands at most, in breadth-first order."""
    splits = np.flatnonzero(~is_leaf)
    return int((2 * np.arange(len(splits)) + 1 - splits).max(initial=0))


def breadth_first(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
    """The nodes level by level; None where there are more levels than the kernel takes."""
    levels = [np.zeros(1, dtype=np.int64)]
    while True:
        inner = levels[-1][left[levels[-1]] >= 0]
        if not len(inner):
            return np.concatenate(levels)
        if len(levels) > MAX_DEPTH:
            return None
        levels.append(np.stack([left[inner], right[inner]], axis=1).ravel().astype(np.int64))
