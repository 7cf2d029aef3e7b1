"""SHAP values of a model of decision trees: how much each feature moved a row's answer.

They are those of `shap.TreeExplainer` without background data. The compiled kernel gives them where
the image has it; `FlatForest` gives the same ones by NumPy, up to a thousand times slower. How they
are computed is told in `kernel/src/shap.c`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .errors import ArtifactError, NotExplainableError
from .forest import FOREST_FILE, compiled_forest, packed_rows

HEADER = struct.Struct("<8s8I2d")
MAGIC = b"GLFOREST"
VERSION = 1
LEAF = 0x40000000
MISSING_RIGHT = 0x80000000
MAX_WIDTH = 65_535
"""Most features and most outputs; the kernel takes no more either."""

Doubles = npt.NDArray[np.float64]


class Explanations(NamedTuple):
    """Why a model answered some rows as it did.

    For each row and output, the base value and the SHAP values of all features add up to the
    answer: the probability of a class, a regressor's value, or for a gradient boosting classifier
    the log odds of its second class.

    Args:
        base_values: (outputs,) the answer where nothing is known of a row
        shap_values: (rows, features, outputs), outputs in the order of the classes
    """

    base_values: Doubles
    shap_values: Doubles


class Explainable(Protocol):
    """A forest that explains packed rows; a `CompiledForest` is one."""

    @property
    def feature_count(self) -> int:
        """Numbers in a row."""

    @property
    def output_count(self) -> int:
        """Numbers in an answer."""

    def explain(self, rows: bytes, /) -> bytes:
        """Give SHAP values, float64 (rows, features + 1, outputs); the base value is the last."""


def explainable(content: bytes | None) -> Explainable:
    """Load what explains a model: the kernel's forest, or the same by NumPy without a kernel.

    Args:
        content: of the artifact's `forest.bin`; None where it has none

    Raises:
        NotExplainableError: the artifact has no forest
        ArtifactError: its forest is damaged
    """
    if content is None:
        raise NotExplainableError(
            "this model has no explanations: they are for single decision trees, random forests, "
            "extra trees and gradient boosting of one output; not inside a pipeline, whose trees "
            "see other features than those that are sent, and not for histogram gradient boosting; "
            "leave out x-greenlight-explain and the field explain"
        )
    return compiled_forest(content) or FlatForest(content)


def explain(forest: Explainable, matrix: npt.NDArray[Any], *, max_rows: int = 100) -> Explanations:
    """Explain rows of numbers, shape (rows, features).

    Args:
        max_rows: most that are explained; `max_explained_rows` of the settings

    Raises:
        NotExplainableError: there are more rows
    """
    rows, features = matrix.shape
    if rows > max_rows:
        raise NotExplainableError(
            f"{rows} instances are to be explained; at most {max_rows} are in one request: send "
            "fewer, or set GREENLIGHT_MAX_EXPLAINED_ROWS"
        )
    values = np.frombuffer(forest.explain(packed_rows(matrix)))
    values = values.reshape(rows, features + 1, forest.output_count)
    base = values[0, -1] if rows else np.zeros(forest.output_count)
    return Explanations(base_values=base, shap_values=values[:, :-1])


class FlatForest:
    """A forest in NumPy, for where there is no kernel.

    Args:
        content: of a `forest.bin`

    Raises:
        ArtifactError: it is damaged
    """

    def __init__(self, content: bytes) -> None:
        header = _header(content)
        self.feature_count: int = header[3]
        self.output_count: int = header[4]
        tree_count, node_count, value_count = header[5:8]
        self._start, self._divisor = header[9:]
        at = HEADER.size

        def take(kind: str, count: int) -> npt.NDArray[Any]:
            nonlocal at
            array = np.frombuffer(content, dtype=kind, count=count, offset=at)
            at += array.nbytes
            return array

        self._values = take("<f8", value_count * self.output_count).reshape(value_count, -1)
        weights, thresholds = take("<f8", node_count), take("<f4", node_count)
        splits, sizes = take("<u4", node_count), take("<u4", tree_count)
        if int(sizes.sum(dtype=np.uint64)) != node_count:
            raise _damaged("the sizes of its trees contradict its number of nodes")
        ends = np.cumsum(sizes, dtype=np.int64).tolist()
        self._trees = [
            Tree(weights[first:end], thresholds[first:end], splits[first:end])
            for first, end in zip([0, *ends[:-1]], ends, strict=True)
        ]
        for tree in self._trees:
            tree.check(self.feature_count, value_count)

    def explain(self, rows: bytes, /) -> bytes:
        """Give SHAP values, float64 (rows, features + 1, outputs); the base value is the last."""
        matrix = np.frombuffer(rows, dtype=np.float32).reshape(-1, self.feature_count)
        answer = np.zeros((len(matrix), self.feature_count + 1, self.output_count))
        answer[:, -1] = self._start
        for tree in self._trees:
            tree.add_explanation(matrix, self._values, answer)
        answer /= self._divisor
        return answer.tobytes()


class Tree:
    """One tree of a forest, its nodes in breadth-first order as in the file."""

    def __init__(
        self, weights: Doubles, thresholds: npt.NDArray[np.float32], splits: npt.NDArray[np.uint32]
    ) -> None:
        self._weights, self._thresholds, self._splits = weights, thresholds, splits
        is_leaf = (splits & LEAF) != 0
        self._leaves, self._inner = np.flatnonzero(is_leaf), np.flatnonzero(~is_leaf)
        self._features = (splits[self._inner] & ~np.uint32(MISSING_RIGHT)).astype(np.int64)

    def check(self, feature_count: int, value_count: int) -> None:
        """Check that every index in the tree leads somewhere and every node is reached once.

        Raises:
            ArtifactError: one does not
        """
        left = 1 + 2 * np.arange(len(self._inner))
        if (
            len(self._splits) != 1 + 2 * len(self._inner)
            or (left <= self._inner).any()
            or (self._features >= feature_count).any()
            or ((self._splits[self._leaves] & ~np.uint32(LEAF)) >= value_count).any()
        ):
            raise _damaged("a tree leads outside of itself")

    def add_explanation(
        self, matrix: npt.NDArray[np.float32], values: Doubles, answer: Doubles
    ) -> None:
        """Add what this tree says of rows to an answer, shape (rows, features + 1, outputs)."""
        used, column = np.unique(self._features, return_inverse=True)
        steps = list(self._steps(column))
        zeros = np.ones((len(self._splits), len(used)))
        for step in steps:
            for child in (step.left, step.left + 1):
                zeros[child] = zeros[step.parent]
                zeros[child, step.column] *= self._weights[child] / self._weights[step.parent]
        points, shares = _gauss_legendre(min(len(steps), len(used)))
        added = values[self._splits[self._leaves] & ~np.uint32(LEAF)]
        answer[:, -1] += (self._weights[self._leaves] / self._weights[0]) @ added
        zeros = zeros[self._leaves]
        for row, explained in zip(matrix, answer, strict=True):
            ones = self._ones(row, steps, len(used))[self._leaves]
            factors = points * ones[:, :, None] + (1 - points) * zeros[:, :, None]
            products = shares * factors.prod(axis=1)
            credits_ = (ones - zeros) * (products[:, None, :] / factors).sum(axis=2)
            explained[used] += credits_.T @ added

    def _ones(self, row: npt.NDArray[np.float32], steps: list[Step], width: int) -> Doubles:
        """For each node and column: 1 where the row's own value leads to the node, else 0."""
        seen = row[self._features]
        missing_right = self._splits[self._inner] >= MISSING_RIGHT
        goes_right = np.zeros(len(self._splits), dtype=bool)
        goes_right[self._inner] = np.where(
            np.isnan(seen), missing_right, seen > self._thresholds[self._inner]
        )
        ones = np.ones((len(self._splits), width))
        for step in steps:
            right = goes_right[step.parent]
            for child, is_taken in ((step.left, ~right), (step.left + 1, right)):
                ones[child] = ones[step.parent]
                ones[child, step.column] *= is_taken
        return ones

    def _steps(self, column: npt.NDArray[np.int64]) -> Iterator[Step]:
        """The splits level by level, so that a whole level is computed at once."""
        position = np.full(len(self._splits), -1)
        position[self._inner] = np.arange(len(self._inner))
        level = np.zeros(1, dtype=np.int64)
        while len(parent := level[position[level] >= 0]):
            split = position[parent]
            left = 1 + 2 * split
            yield Step(parent, left, column[split])
            level = np.concatenate([left, left + 1])


class Step(NamedTuple):
    """The splits of one level: their nodes, their left children, and which column they look at."""

    parent: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]


def _gauss_legendre(degree: int) -> tuple[Doubles, Doubles]:
    """Points and weights on 0..1 that integrate polynomials below this degree exactly."""
    points, weights = np.polynomial.legendre.leggauss(max(1, math.ceil(degree / 2)))
    return (points + 1) / 2, weights / 2


def _header(content: bytes) -> tuple[Any, ...]:
    if len(content) < HEADER.size:
        raise _damaged("it is shorter than its header")
    header = HEADER.unpack_from(content)
    magic, version, _, features, outputs, trees, nodes, values, labels, _, _ = header
    size = HEADER.size + values * outputs * 8 + nodes * 16 + trees * 4 + labels
    is_known = (magic, version, len(content)) == (MAGIC, VERSION, size) and trees > 0
    if not is_known or not 0 < features <= MAX_WIDTH or not 0 < outputs <= MAX_WIDTH:
        raise _damaged("its header contradicts its content")
    return header


def _damaged(cause: str) -> ArtifactError:
    return ArtifactError(f"{FOREST_FILE} is damaged: {cause}; package the model again")
