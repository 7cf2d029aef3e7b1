"""Transformers that skl2onnx 1.20 has no form for, as float64 nodes.

Splines and quantiles are tables with a row for each piece between two knots; an imputer that
predicts what is missing is its estimators in a row; a linear decomposition is asked what it makes
of each feature alone.

Source: scikit-learn 1.9, `preprocessing/_polynomial.py` (`SplineTransformer.transform`),
`impute/_iterative.py` (`transform`, `_impute_one_feature`), `impute/_base.py`
(`MissingIndicator`) (read).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from automation.gate.category_converter import is_missing, write_imputed
from automation.gate.graph_writer import Converter, GraphWriter, declare_values
from automation.gate.nested_estimators import NestedEstimators
from automation.gate.tree_ensemble import Doubles


def transformer_converters() -> dict[type, Converter]:
    """Give converter functions by transformer class."""
    from sklearn import decomposition, feature_selection, impute, preprocessing
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes it importable

    return {
        preprocessing.SplineTransformer: _convert_spline,
        preprocessing.QuantileTransformer: _convert_quantiles,
        impute.IterativeImputer: _convert_iterative,
        impute.MissingIndicator: _convert_indicator,
        feature_selection.SequentialFeatureSelector: _convert_selector,
        decomposition.FactorAnalysis: _convert_linear,
        decomposition.FastICA: _convert_linear,
    }


def transformer_shapes() -> dict[type, Callable[[Any], None]]:
    """Give the functions that declare the types of the outputs, by transformer class."""
    return dict.fromkeys(transformer_converters(), declare_values)


def _convert_spline(scope: Any, operator: Any, container: Any) -> None:
    """Write each feature's basis functions side by side."""
    model = operator.raw_operator
    if model.extrapolation in ("periodic", "error"):
        raise NotImplementedError(f"splines of extrapolation {model.extrapolation!r} have no form")
    if model.handle_missing != "error":
        raise NotImplementedError("splines of missing values have no form")
    if model.extrapolation == "linear" and model.degree < 2:
        # scikit-learn 1.9 raises the degree once more for every feature, and takes the ends of
        # the second one's range for a knot further in (observed).
        raise NotImplementedError("linear extrapolation of splines below degree 2 has no form")
    writer = GraphWriter(scope, operator, container)
    rows = writer.doubles()
    columns = [
        _basis(writer, writer.column(rows, position), spline, model)
        for position, spline in enumerate(model.bsplines_)
    ]
    writer.write(writer.node("Concat", columns, axis=1), operator.outputs[0])


def _basis(writer: GraphWriter, values: str, spline: Any, model: Any) -> str:
    """Write the basis functions of one feature at values of (rows, 1)."""
    degree, functions = spline.k, spline.c.shape[1] - (not model.include_bias)
    knots = spline.t[degree : len(spline.t) - degree]
    low, high = (writer.constant(np.array(float(end))) for end in (knots[0], knots[-1]))
    inside = values
    if model.extrapolation != "continue":
        inside = writer.node("Min", [writer.node("Max", [values, low]), high])
    piece = writer.reached(inside, knots[1:-1], is_flat=True)
    start = writer.node("Gather", [writer.constant(knots[:-1].reshape(-1, 1)), piece], axis=0)
    way = writer.node("Sub", [inside, start])
    tables = _pieces(spline)[:, :, :functions]
    result = writer.node("Gather", [writer.constant(tables[0]), piece], axis=0)
    for table in tables[1:]:
        factor = writer.node("Gather", [writer.constant(table), piece], axis=0)
        result = writer.node("Add", [writer.node("Mul", [result, way]), factor])
    if model.extrapolation == "linear":
        for end, knot in ((low, knots[0]), (high, knots[-1])):
            kind = "Min" if end is low else "Max"
            zero = writer.constant(np.array(0.0))
            beyond = writer.node(kind, [writer.node("Sub", [values, end]), zero])
            slope = writer.constant(spline(knot, nu=1)[:functions].reshape(1, -1))
            result = writer.node("Add", [result, writer.node("Mul", [beyond, slope])])
    return result


def _pieces(spline: Any) -> Doubles:
    """Give the polynomials between the inner knots, (degree + 1, pieces, functions)."""
    from scipy.interpolate import BSpline, PPoly  # type: ignore[import-untyped]

    degree = spline.k
    parts = [
        PPoly.from_spline(BSpline(spline.t, np.ascontiguousarray(function), degree)).c
        for function in spline.c.T
    ]
    inner: Doubles = np.stack(parts, axis=2)[:, degree : len(spline.t) - 1 - degree]
    return inner


def _convert_quantiles(scope: Any, operator: Any, container: Any) -> None:
    """Write the share of training's values below each value."""
    model = operator.raw_operator
    if model.output_distribution != "uniform":
        raise NotImplementedError("quantiles of a normal distribution have no form")
    writer = GraphWriter(scope, operator, container)
    rows = writer.doubles()
    shares = [
        _share(writer, writer.column(rows, position), quantiles, model.references_)
        for position, quantiles in enumerate(model.quantiles_.T)
    ]
    writer.write(writer.node("Concat", shares, axis=1), operator.outputs[0])


def _share(writer: GraphWriter, values: str, quantiles: Doubles, references: Doubles) -> str:
    """Write the line through the quantiles; on one that many share, the middle of their shares."""
    knots, first = np.unique(quantiles, return_index=True)
    if len(knots) < 2:
        raise NotImplementedError("quantiles of a column with one value have no form")
    last = np.append(first[1:], len(quantiles)) - 1
    low, high = references[first], references[last]
    slopes = np.append((low[1:] - high[:-1]) / np.diff(knots), 0.0)
    middles = (low + high) / 2
    middles[0], middles[-1] = 0.0, 1.0
    tables = (knots, high, slopes, middles)
    ends = [writer.constant(np.array(knots[end])) for end in (0, -1)]
    inside = writer.node("Min", [writer.node("Max", [values, ends[0]]), ends[1]])
    piece = writer.reached(inside, knots[1:])
    knot, level, slope, middle = (
        writer.node("Gather", [writer.constant(table), piece], axis=0) for table in tables
    )
    way = writer.node("Mul", [slope, writer.node("Sub", [inside, knot])])
    line = writer.node("Add", [way, level])
    return writer.node("Where", [writer.node("Equal", [inside, knot]), middle, line])


def _convert_iterative(scope: Any, operator: Any, container: Any) -> None:
    """Write the first guess, and the estimators that replace it one after the other.

    A request of nothing but missing values is left at its first guess by scikit-learn, which then
    answers a row by what comes along with it; here it never does.
    """
    model = operator.raw_operator
    if model.sample_posterior or not is_missing(model.missing_values):
        raise NotImplementedError(
            "iterative imputing has a form for NaN in place of what is missing, and none for "
            "values that are drawn (sample_posterior=True)"
        )
    if len(model.initial_imputer_.get_feature_names_out()) != model.n_features_in_:
        raise NotImplementedError("iterative imputing has no form for columns without any value")
    nested = NestedEstimators(scope, operator, container)
    writer = nested.writer
    values = writer.doubles()
    is_gap = writer.node("IsNaN", [values])
    filled = write_imputed(writer, model.initial_imputer_, values)
    columns = [writer.column(filled, position) for position in range(model.n_features_in_)]
    for step in model.imputation_sequence_:
        seen = writer.node("Concat", [columns[index] for index in step.neighbor_feat_idx], axis=1)
        nested.fed(step.estimator, seen, len(step.neighbor_feat_idx))
        target = int(step.feat_idx)
        low, high = (
            writer.constant(np.array(float(end[target])))
            for end in (model._min_value, model._max_value)
        )
        guess = writer.node("Max", [nested.values(step.estimator), low])
        guess = writer.node("Min", [guess, high])
        columns[target] = writer.node(
            "Where", [writer.column(is_gap, target), guess, columns[target]]
        )
    if model.add_indicator:
        columns.append(_flags(writer, is_gap, model.indicator_))
    writer.write(writer.node("Concat", columns, axis=1), operator.outputs[0])


def _convert_indicator(scope: Any, operator: Any, container: Any) -> None:
    """Write 1 for each value that is missing."""
    model = operator.raw_operator
    if not is_missing(model.missing_values):
        raise NotImplementedError("indicators have a form for NaN in place of what is missing")
    writer = GraphWriter(scope, operator, container)
    flags = _flags(writer, writer.node("IsNaN", [writer.doubles()]), model)
    writer.write(flags, operator.outputs[0])


def _flags(writer: GraphWriter, is_gap: str, indicator: Any) -> str:
    from onnx import TensorProto

    chosen = writer.constant(np.asarray(indicator.features_, dtype=np.int64))
    return writer.node(
        "Cast", [writer.node("Gather", [is_gap, chosen], axis=1)], to=TensorProto.DOUBLE
    )


def _convert_selector(scope: Any, operator: Any, container: Any) -> None:
    writer = GraphWriter(scope, operator, container)
    chosen = writer.constant(np.flatnonzero(operator.raw_operator.get_support()))
    writer.write(writer.node("Gather", [writer.doubles(), chosen], axis=1), operator.outputs[0])


def _convert_linear(scope: Any, operator: Any, container: Any) -> None:
    """Write the mean and the matrix of a linear decomposition; of the matrix it is asked."""
    model = copy.copy(operator.raw_operator)
    center = np.asarray(getattr(model, "mean_", np.zeros(model.n_features_in_)), dtype=np.float64)
    model.mean_ = np.zeros_like(center)
    writer = GraphWriter(scope, operator, container)
    moved = writer.node("Sub", [writer.doubles(), writer.constant(center.reshape(1, -1))])
    matrix = writer.constant(model.transform(np.eye(len(center))))
    writer.write(writer.node("MatMul", [moved, matrix]), operator.outputs[0])
