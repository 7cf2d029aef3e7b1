"""Classifiers that decide by margins, and binning, as float64 nodes.

ONNX's LinearClassifier and SVMClassifier compute in float32 whatever they are given, and skl2onnx
bins in float32: values next to a boundary change sides. Plain arithmetic in float64 does not.

Source: scikit-learn 1.9, `svm/_base.py` and `utils/multiclass.py` (`_ovr_decision_function`);
libsvm's `svm_predict_values` (votes; the first of the most voted wins); skl2onnx 1.20,
`operator_converters/k_bins_discretiser.py` (casts to float32, refuses `onehot`).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from automation.gate.coupled_probabilities import coupled_probabilities
from automation.gate.graph_writer import Converter, GraphWriter, declare_float64


def margin_converters() -> dict[type, Converter]:
    """Give converter functions by estimator class."""
    from sklearn import linear_model, preprocessing, svm

    return {
        svm.LinearSVC: _convert_linear,
        linear_model.RidgeClassifier: _convert_linear,
        linear_model.RidgeClassifierCV: _convert_linear,
        svm.SVC: _convert_svm,
        svm.NuSVC: _convert_svm,
        preprocessing.KBinsDiscretizer: _convert_bins,
    }


def margin_shapes() -> dict[type, Callable[[Any], None]]:
    """Give the functions that declare the types of the outputs, by estimator class."""
    from skl2onnx.shape_calculators import k_bins_discretiser
    from sklearn import preprocessing

    def declare_bins(operator: Any) -> None:
        k_bins_discretiser.calculate_sklearn_k_bins_discretiser(operator)

    return {preprocessing.KBinsDiscretizer: declare_float64(declare_bins, 0)}


def _convert_linear(scope: Any, operator: Any, container: Any) -> None:
    """Write the margins, and the class of the greatest (of two: the second above zero)."""
    writer = GraphWriter(scope, operator, container)
    model = operator.raw_operator
    if getattr(model, "classes_", None) is None or np.ndim(model.classes_) != 1:
        raise NotImplementedError("several labels at once have no form")
    margins = linear_margins(writer, model)
    if len(np.atleast_2d(model.coef_)) == 1:
        margins = _both_sides(writer, margins)
    writer.finish_classifier(margins, margins, model.classes_)


def _convert_svm(scope: Any, operator: Any, container: Any) -> None:
    """Write the margins of each pair of classes, their votes, and what is made of them."""
    from onnx import TensorProto

    model = operator.raw_operator
    if callable(model.kernel) or model.kernel == "precomputed":
        _convert_by_skl2onnx(scope, operator, container)
        return
    writer = GraphWriter(scope, operator, container)
    kernel = _kernel(writer, writer.doubles(), model)
    margins = writer.node("MatMul", [kernel, writer.constant(_pair_weights(model))])
    start = np.asarray(model._intercept_, dtype=np.float64).reshape(1, -1)
    margins = writer.node("Add", [margins, writer.constant(start)])
    first, second = _pair_matrices(len(model.classes_))
    is_first = writer.node("Greater", [margins, writer.constant(np.array(0.0))])
    for_first = writer.node("Cast", [is_first], to=TensorProto.DOUBLE)
    for_second = writer.node("Sub", [writer.constant(np.array(1.0)), for_first])
    votes = writer.node(
        "Add",
        [
            writer.node("MatMul", [for_first, writer.constant(first)]),
            writer.node("MatMul", [for_second, writer.constant(second)]),
        ],
    )
    if len(model.classes_) == 2:
        scores = _both_sides(writer, writer.node("Neg", [margins]))
    else:
        sums = writer.node("MatMul", [margins, writer.constant(first - second)])
        size = writer.node("Add", [writer.node("Abs", [sums]), writer.constant(np.array(1.0))])
        third = writer.node("Mul", [size, writer.constant(np.array(3.0))])
        scores = writer.node("Add", [votes, writer.node("Div", [sums, third])])
    decisive = scores if model.break_ties and len(model.classes_) > 2 else votes
    if model.probability is True:  # left out it is a text, "deprecated"
        pairs = list(combinations(range(len(model.classes_)), 2))
        scores = coupled_probabilities(writer, margins, model, pairs)
    writer.finish_classifier(decisive, scores, model.classes_)


def linear_margins(writer: GraphWriter, model: Any) -> str:
    """Write what a linear classifier's decision function gives, (rows, 1) of two classes."""
    weights = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64)).T
    start = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64), weights.shape[1])
    product = writer.node("MatMul", [writer.doubles(), writer.constant(weights)])
    return writer.node("Add", [product, writer.constant(start.reshape(1, -1))])


def _both_sides(writer: GraphWriter, margins: str) -> str:
    """Give the margins of two classes as (rows, 2): of the first, and of the second."""
    return writer.node("Concat", [writer.node("Neg", [margins]), margins], axis=1)


def _kernel(writer: GraphWriter, rows: str, model: Any) -> str:
    """Write the kernel of each row with each support vector, (rows, vectors)."""
    vectors = model.support_vectors_
    dense = np.asarray(vectors.toarray() if hasattr(vectors, "toarray") else vectors)
    dense = dense.astype(np.float64)
    gamma = float(model._gamma)
    if model.kernel in ("poly", "sigmoid"):
        # Gamma goes into the vectors: ONNX Runtime would fuse a factor behind a MatMul into an
        # attribute of float32 (observed, 1.31).
        product = writer.node("MatMul", [rows, writer.constant(gamma * dense.T)])
        inner = writer.node("Add", [product, writer.constant(np.array(float(model.coef0)))])
        if model.kernel == "sigmoid":
            return writer.node("Tanh", [inner])
        return writer.node("Pow", [inner, writer.constant(np.array(float(model.degree)))])
    product = writer.node("MatMul", [rows, writer.constant(dense.T)])
    if model.kernel == "linear":
        return product
    own = writer.node("ReduceSumSquare", [rows, writer.constant(np.array([1]))], keepdims=1)
    theirs = writer.constant((dense**2).sum(axis=1).reshape(1, -1))
    twice = writer.node("Mul", [product, writer.constant(np.array(2.0))])
    distance = writer.node("Sub", [writer.node("Add", [own, theirs]), twice])
    return writer.node("Exp", [writer.node("Mul", [distance, writer.constant(np.array(-gamma))])])


def _pair_weights(model: Any) -> npt.NDArray[np.float64]:
    """Lay libsvm's coefficients out as (vectors, pairs of classes)."""
    coefficients = model._dual_coef_
    dense = np.asarray(coefficients.toarray() if hasattr(coefficients, "toarray") else coefficients)
    ends = np.cumsum(model._n_support if hasattr(model, "_n_support") else model.n_support_)
    starts = ends - np.diff(ends, prepend=0)
    pairs = list(combinations(range(len(ends)), 2))
    weights = np.zeros((dense.shape[1], len(pairs)))
    for pair, (i, j) in enumerate(pairs):
        weights[starts[i] : ends[i], pair] = dense[j - 1, starts[i] : ends[i]]
        weights[starts[j] : ends[j], pair] = dense[i, starts[j] : ends[j]]
    return weights


def _pair_matrices(
    classes: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Say of each pair which class is its first and which its second, (pairs, classes)."""
    pairs = list(combinations(range(classes), 2))
    first, second = np.zeros((len(pairs), classes)), np.zeros((len(pairs), classes))
    for pair, (i, j) in enumerate(pairs):
        first[pair, i] = second[pair, j] = 1.0
    return first, second


def _convert_bins(scope: Any, operator: Any, container: Any) -> None:
    """Write how many inner edges a value has reached, as a number or as one of a table's rows."""
    from onnx import TensorProto

    writer = GraphWriter(scope, operator, container)
    model = operator.raw_operator
    rows = writer.doubles()
    columns = []
    for position, edges in enumerate(model.bin_edges_):
        inner = edges[1:-1] if len(edges) > 2 else [np.inf]
        is_code = model.encode == "ordinal"
        code = writer.reached(writer.column(rows, position), inner, is_flat=not is_code)
        if is_code:
            columns.append(writer.node("Cast", [code], to=TensorProto.DOUBLE))
        else:
            table = writer.constant(np.eye(int(model.n_bins_[position])))
            columns.append(writer.node("Gather", [table, code], axis=0))
    writer.write(writer.node("Concat", columns, axis=1), operator.outputs[0])


def _convert_by_skl2onnx(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common._registration import get_converter

    get_converter(operator.type)(scope, operator, container)
