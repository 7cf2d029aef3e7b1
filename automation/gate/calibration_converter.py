"""Calibrated classifiers and isotonic regression as float64 nodes.

Between two thresholds skl2onnx takes the value of the nearer one where scikit-learn draws a line,
and it has no form for the calibration of pipelines, of frozen classifiers and of boosted margins.
Here each piece of the line is a row of a table: where it starts, the value there and its slope.

Source: scikit-learn 1.9, `calibration.py` (`_CalibratedClassifier.predict_proba`) and
`isotonic.py`; NumPy's `interp` (slope times distance, plus the value at the piece's start);
skl2onnx 1.20, `operator_converters/calibrated_classifier_cv.py` (ArgMin of distances).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from automation.gate.graph_writer import Converter, GraphWriter, declare_values
from automation.gate.nested_estimators import NestedEstimators

ABOVE_ZERO = 1e-12  # added to a probability before its logarithm is taken
SLIGHTLY_ABOVE = 1e-5  # scikit-learn takes a probability this far above 1 for 1


def calibration_converters() -> dict[type, Converter]:
    """Give converter functions by estimator class."""
    from sklearn import calibration, isotonic

    return {
        calibration.CalibratedClassifierCV: _convert_calibrated,
        isotonic.IsotonicRegression: _convert_isotonic,
    }


def calibration_shapes() -> dict[type, Callable[[Any], None]]:
    """Give the functions that declare the types of the outputs, by estimator class."""
    from sklearn import isotonic

    return {isotonic.IsotonicRegression: declare_values}


def _convert_isotonic(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType

    model = operator.raw_operator
    if model.out_of_bounds == "nan" and not isinstance(operator.inputs[0].type, DoubleTensorType):
        raise NotImplementedError("float32 cannot tell the ends of an isotonic regression")
    writer = GraphWriter(scope, operator, container)
    values = _steps(writer, model, writer.doubles())
    writer.write(values, operator.outputs[0])


def _convert_calibrated(scope: Any, operator: Any, container: Any) -> None:
    """Write the mean of what the calibrated classifiers say."""
    model = operator.raw_operator
    nested = NestedEstimators(scope, operator, container)
    writer = nested.writer
    parts = [_calibrated(nested, part) for part in model.calibrated_classifiers_]
    total = reduce(lambda sum_, part: writer.node("Add", [sum_, part]), parts)
    mean = writer.node("Div", [total, writer.constant(np.array(float(len(parts))))])
    writer.finish_classifier(mean, mean, model.classes_)


def _calibrated(nested: NestedEstimators, model: Any) -> str:
    """Write one classifier's probabilities, (rows, classes)."""
    if not np.array_equal(model.estimator.classes_, model.classes):
        raise NotImplementedError("no form is known for a fold that lacks one of the classes")
    writer, response = nested.writer, nested.scores(model.estimator)
    one = writer.constant(np.array(1.0))
    if model.method == "temperature":
        result = _softened(writer, model, response)
    elif len(model.classes) == 2:
        second = _calibrate(writer, model.calibrators[0], response)
        columns = [writer.node("Sub", [one, second]), second]
        result = writer.node("Concat", columns, axis=1)
    else:
        columns = [
            _calibrate(writer, calibrator, writer.column(response, position))
            for position, calibrator in enumerate(model.calibrators)
        ]
        total = reduce(lambda sum_, column: writer.node("Add", [sum_, column]), columns)
        shares = writer.node("Div", [writer.node("Concat", columns, axis=1), total])
        is_nothing = writer.node("Equal", [total, writer.constant(np.array(0.0))])
        uniform = writer.constant(np.array(1.0 / len(columns)))
        result = writer.node("Where", [is_nothing, uniform, shares])
    is_above = writer.node("Greater", [result, one])
    limit = writer.constant(np.array(1.0 + SLIGHTLY_ABOVE))
    is_slight = writer.node("And", [is_above, writer.node("LessOrEqual", [result, limit])])
    return writer.node("Where", [is_slight, one, result])


def _softened(writer: GraphWriter, model: Any, response: str) -> str:
    """Write margins, or the logarithms of probabilities, times the inverse of the temperature.

    scikit-learn tells margins from probabilities by looking at all rows of a request.
    """
    has_margins = hasattr(model.estimator, "decision_function")
    if len(model.classes) == 2:
        first = writer.node("Neg", [response])
        if not has_margins:
            first = writer.node("Add", [writer.constant(np.array(1.0)), first])
        response = writer.node("Concat", [first, response], axis=1)
    if not has_margins:
        above_zero = writer.node("Add", [response, writer.constant(np.array(ABOVE_ZERO))])
        response = writer.node("Log", [above_zero])
    factor = writer.constant(np.array(float(model.calibrators[0].beta_)))
    return writer.node("Softmax", [writer.node("Mul", [response, factor])], axis=1)


def _calibrate(writer: GraphWriter, model: Any, values: str) -> str:
    if hasattr(model, "X_thresholds_"):
        return _steps(writer, model, values)
    turned = writer.node("Mul", [writer.constant(np.array(float(model.a_))), values])
    moved = writer.node("Add", [turned, writer.constant(np.array(float(model.b_)))])
    return writer.node("Sigmoid", [writer.node("Neg", [moved])])


def _steps(writer: GraphWriter, model: Any, values: str) -> str:
    """Write the fitted line through the thresholds at values of (rows, 1)."""
    x, y = np.asarray(model.X_thresholds_), np.asarray(model.y_thresholds_)
    if x.dtype != np.float64 or model.out_of_bounds == "raise":
        raise NotImplementedError(
            "isotonic regression has a form for float64 thresholds and for out_of_bounds 'clip' "
            f"or 'nan', not for {x.dtype} and {model.out_of_bounds!r}"
        )
    slopes = np.diff(y) / np.diff(x)
    if not np.isfinite(slopes).all():
        raise NotImplementedError("isotonic regression has no form for thresholds this close")
    outside = y[[0, -1]]
    if model.out_of_bounds == "nan":
        outside = np.full(2, np.nan)
    # Before the first threshold, from each one on, and behind the last.
    edges = np.append(x, np.nextafter(x[-1], np.inf))
    starts = np.concatenate([x[:1], x, x[-1:]])
    levels = np.concatenate([outside[:1], y, outside[1:]])
    slopes = np.concatenate([[0.0], slopes, [0.0, 0.0]])
    piece = writer.reached(values, edges)
    start, level, slope = (
        writer.node("Gather", [writer.constant(table), piece], axis=0)
        for table in (starts, levels, slopes)
    )
    way = writer.node("Mul", [slope, writer.node("Sub", [values, start])])
    return writer.node("Add", [way, level])
