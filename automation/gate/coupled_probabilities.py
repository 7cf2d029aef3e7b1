"""Probabilities of support vector machines: those of pairs of classes, coupled as libsvm does it.

libsvm stops as soon as its error is small, far from where the iteration would lead. To be equal the
graph takes the same steps: a Loop node, each row standing still once its error is small.

Source: libsvm's `multiclass_probability` and `sigmoid_predict` (scikit-learn 1.9,
`svm/src/libsvm/svm.cpp`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from automation.gate.graph_writer import GraphWriter

LEAST = 1e-7  # of the probability of either class of a pair
MOST_STEPS = 100  # or the number of classes, if greater
CLOSE = 0.005  # times the number of classes: an error this small ends the steps


def coupled_probabilities(writer: GraphWriter, margins: str, model: Any, pairs: Any) -> str:
    """Write the probabilities of all classes from the margins of each pair of them.

    Args:
        margins: (rows, pairs).
        pairs: the first and the second class of each.

    Returns:
        (rows, classes).
    """
    count = len(model.classes_)
    turned = writer.node("Mul", [margins, writer.constant(np.asarray(model.probA_, dtype=float))])
    turned = writer.node("Add", [turned, writer.constant(np.asarray(model.probB_, dtype=float))])
    first = writer.node("Sigmoid", [writer.node("Neg", [turned])])
    first = writer.node("Max", [first, writer.constant(np.array(LEAST))])
    first = writer.node("Min", [first, writer.constant(np.array(1.0 - LEAST))])
    second = writer.node("Sub", [writer.constant(np.array(1.0)), first])
    places = np.zeros((2, len(pairs), count * count))
    for pair, (i, j) in enumerate(pairs):
        places[0, pair, i * count + j] = places[1, pair, j * count + i] = 1.0
    spread = [
        writer.node("MatMul", [side, writer.constant(place)])
        for side, place in zip((first, second), places, strict=True)
    ]
    shape = writer.constant(np.array([-1, count, count]))
    wins = writer.node("Reshape", [writer.node("Add", spread), shape])
    against = writer.node("Transpose", [wins], perm=[0, 2, 1])
    sizes = writer.node(
        "ReduceSum", [writer.node("Mul", [wins, wins]), writer.constant(np.array([1]))], keepdims=1
    )
    diagonal = writer.node("Mul", [sizes, writer.constant(np.eye(count))])
    matrix = writer.node("Sub", [diagonal, writer.node("Mul", [wins, against])])
    start = writer.node("Mul", [first, writer.constant(np.array(0.0))])
    start = writer.node("MatMul", [start, writer.constant(np.zeros((len(pairs), count)))])
    start = writer.node("Add", [start, writer.constant(np.array(1.0 / count))])
    most = writer.constant(np.array(max(MOST_STEPS, count)))
    found, _ = writer.loop(most, [start, matrix], _step(count))
    return found


def _step(count: int) -> Any:
    """Give the graph of one step: of each row's probabilities, with its matrix."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []

    def node(kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"step_{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(value: Any) -> str:
        name = f"step_constant_{len(constants)}"
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    across, one, two = constant(np.array([1])), constant(np.array(1.0)), constant(np.array(2.0))
    close, last = constant(np.array(CLOSE / count)), constant(np.array([2]))
    shares = "step_shares"
    pull = node("MatMul", "step_matrix", node("Unsqueeze", shares, last))
    pull = node("Squeeze", pull, last)
    total = node("ReduceSum", node("Mul", shares, pull), across, keepdims=1)
    error = node("ReduceMax", node("Abs", node("Sub", pull, total)), across, keepdims=1)
    is_done = node("Less", error, close)
    moved = shares
    for position in range(count):
        at = constant(np.array([position]))
        row = node("Squeeze", node("Gather", "step_matrix", at, axis=1), across)
        own, here = node("Gather", row, at, axis=1), node("Gather", pull, at, axis=1)
        change = node("Div", node("Sub", total, here), own)
        grown = node("Add", one, change)
        only = constant(np.eye(count)[[position]])
        moved = node("Div", node("Add", moved, node("Mul", change, only)), grown)
        added = node("Add", node("Mul", change, own), node("Mul", two, here))
        total = node("Add", total, node("Mul", change, added))
        total = node("Div", node("Div", total, grown), grown)
        pull = node("Div", node("Add", pull, node("Mul", change, row)), grown)
    moved = node("Where", is_done, shares, moved)
    goes_on = node("Not", node("Less", node("ReduceMax", error, keepdims=0), close))
    same = node("Identity", "step_matrix")
    inputs = [
        helper.make_tensor_value_info("step_count", TensorProto.INT64, []),
        helper.make_tensor_value_info("step_goes_on", TensorProto.BOOL, []),
        helper.make_tensor_value_info(shares, TensorProto.DOUBLE, [None, count]),
        helper.make_tensor_value_info("step_matrix", TensorProto.DOUBLE, [None, count, count]),
    ]
    outputs = [
        helper.make_tensor_value_info(goes_on, TensorProto.BOOL, []),
        helper.make_tensor_value_info(moved, TensorProto.DOUBLE, [None, count]),
        helper.make_tensor_value_info(same, TensorProto.DOUBLE, [None, count, count]),
    ]
    return helper.make_graph(nodes, "step", inputs, outputs, constants)
