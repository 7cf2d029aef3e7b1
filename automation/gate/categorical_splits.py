"""Histogram gradient boosting that splits on categories, for a node that compares numbers only.

A split on categories sends a set of them left. Each such set becomes a column of its own, 0 where
it sends a row left and 1 where right, looked up by the row's category; the tree then compares that
column with 0.5. Missing values and categories of no training row go where the split sends missing
values.

Source: scikit-learn 1.9, `_hist_gradient_boosting/_predictor.pyx` (`_predict_one_from_raw_data`)
and `gradient_boosting.py` (`_preprocess_X`: encoded categories first, then numbers). ONNX has a
mode for sets, BRANCH_MEMBER, which compares float by float and has no place for the unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from automation.gate.category_converter import code_of, is_missing
from automation.gate.graph_writer import GraphWriter
from automation.gate.tree_ensemble import Doubles, Tree, histogram_tree

MIDDLE = 0.5  # between left and right


@dataclass(frozen=True, order=True)
class Split:
    """A set of categories that goes left.

    Args:
        position: of the column among those with categories.
        goes_left: bits of the categories' codes, 32 bytes.
        missing_left: whether a missing or unknown category goes left.
    """

    position: int
    goes_left: bytes
    missing_left: bool

    def sides(self, categories: npt.NDArray[Any]) -> Doubles:
        """Give 0 for left and 1 for right, by code; the last is for unknown categories."""
        bits = np.unpackbits(np.frombuffer(self.goes_left, dtype=np.uint8), bitorder="little")
        other = 0.0 if self.missing_left else 1.0
        sides = [other if is_missing(c) else 1.0 - bits[code] for code, c in enumerate(categories)]
        return np.array([*sides, other], dtype=np.float64)


def categorical_trees(writer: GraphWriter, model: Any) -> tuple[str, list[Tree]]:
    """Write what the trees compare, (rows, numbers and splits), and read the trees to match."""
    encoder = model._preprocessor.named_transformers_["encoder"]
    chosen = np.flatnonzero(model.is_categorical_)
    numbers = np.flatnonzero(~model.is_categorical_)
    splits = sorted({split for nodes, sets in _nodes(model) for split in _splits(nodes, sets)})
    tables = []
    for position, categories in enumerate(encoder.categories_):
        sides = [split.sides(categories) for split in splits if split.position == position]
        if sides:
            column, source = writer.columns()[chosen[position]]
            code = code_of(writer, column, source, categories)
            table = writer.constant(np.column_stack(sides))
            tables.append(writer.node("Gather", [table, code], axis=0))
    if len(numbers):
        tables.insert(0, _numbers(writer, numbers))
    place = {split: len(numbers) + index for index, split in enumerate(splits)}
    trees = list(_trees(model, len(chosen), place))
    return writer.node("Concat", tables, axis=1), trees


def _numbers(writer: GraphWriter, positions: npt.NDArray[np.int64]) -> str:
    from onnx import TensorProto

    if len(writer.operator.inputs) == 1:
        return writer.node("Gather", [writer.doubles(), writer.constant(positions)], axis=1)
    columns = writer.columns()
    wide = [
        writer.node("Cast", [columns[position][0]], to=TensorProto.DOUBLE) for position in positions
    ]
    return writer.node("Concat", wide, axis=1)


def _nodes(model: Any) -> list[tuple[Any, Any]]:
    return [
        (each.nodes, each.raw_left_cat_bitsets) for stage in model._predictors for each in stage
    ]


def _splits(nodes: Any, sets: Any) -> list[Split]:
    return [_split(node, sets) for node in nodes if node["is_categorical"]]


def _split(node: Any, sets: Any) -> Split:
    return Split(
        int(node["feature_idx"]),  # categories come first
        np.asarray(sets[node["bitset_idx"]], dtype="<u4").tobytes(),
        bool(node["missing_go_to_left"]),
    )


def _trees(model: Any, categorical: int, place: dict[Split, int]) -> list[Tree]:
    found = []
    for stage in model._predictors:
        for target, predictor in enumerate(stage):
            nodes = predictor.nodes.copy()
            for index, node in enumerate(predictor.nodes):
                if node["is_categorical"]:
                    split = _split(node, predictor.raw_left_cat_bitsets)
                    nodes[index]["feature_idx"] = place[split]
                    nodes[index]["num_threshold"] = MIDDLE
                elif not node["is_leaf"]:
                    nodes[index]["feature_idx"] = node["feature_idx"] - categorical
            found.append(histogram_tree(nodes, target, len(stage)))
    return found
