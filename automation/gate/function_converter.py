"""Functions of NumPy inside pipelines, power transformations, and regressors of transformed values.

skl2onnx 1.20 has no form for functions and for TransformedTargetRegressor, and computes power
transformations in float32 alone. NumPy's own functions have operators of ONNX; a function of
somebody's own has not, and is refused.

Source: scikit-learn 1.9, `PowerTransformer._yeo_johnson_transform`, `TransformedTargetRegressor`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from automation.gate.graph_writer import Converter, GraphWriter, declare_values


def function_converters() -> dict[type, Converter]:
    """Give converter functions by estimator class."""
    from sklearn import compose, preprocessing

    return {
        preprocessing.FunctionTransformer: _convert_function,
        preprocessing.PowerTransformer: _convert_power,
        compose.TransformedTargetRegressor: _convert_target,
    }


def function_shapes() -> dict[type, Callable[[Any], None]]:
    """Give the functions that declare the types of the outputs, by estimator class."""
    from sklearn import compose, preprocessing

    return {
        preprocessing.FunctionTransformer: _declare_as_wide,
        preprocessing.PowerTransformer: _declare_as_wide,
        compose.TransformedTargetRegressor: declare_values,
    }


def apply_function(writer: GraphWriter, function: Any, values: str) -> str:
    """Write a function of NumPy's.

    Raises:
        NotImplementedError: it is somebody's own, or has no operator.
    """
    if function is None:
        return values
    if function not in FORMS:
        known = ", ".join(sorted(function.__name__ for function in FORMS))
        raise NotImplementedError(
            f"{getattr(function, '__name__', function)!r} has no ONNX operator; known are numpy's "
            f"{known}"
        )
    for kind, number in FORMS[function]:
        more = [] if number is None else [writer.constant(np.array(number))]
        values = writer.node(kind, [values, *more])
    return values


LN_2, LN_10 = float(np.log(2.0)), float(np.log(10.0))
# The operators a function consists of, in order, each with its second operand.
FORMS: dict[Any, tuple[tuple[str, float | None], ...]] = {
    np.abs: (("Abs", None),),
    np.ceil: (("Ceil", None),),
    np.cos: (("Cos", None),),
    np.degrees: (("Mul", 180.0 / np.pi),),
    np.exp: (("Exp", None),),
    np.exp2: (("Mul", LN_2), ("Exp", None)),
    np.expm1: (("Exp", None), ("Sub", 1.0)),
    np.floor: (("Floor", None),),
    np.log: (("Log", None),),
    np.log10: (("Log", None), ("Div", LN_10)),
    np.log1p: (("Add", 1.0), ("Log", None)),
    np.log2: (("Log", None), ("Div", LN_2)),
    np.negative: (("Neg", None),),
    np.radians: (("Mul", np.pi / 180.0),),
    np.reciprocal: (("Reciprocal", None),),
    np.rint: (("Round", None),),
    np.sign: (("Sign", None),),
    np.sin: (("Sin", None),),
    np.sqrt: (("Sqrt", None),),
    np.square: (("Pow", 2.0),),
    np.tanh: (("Tanh", None),),
}


def _declare_as_wide(operator: Any) -> None:
    """Declare as many columns as the inputs have."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    kinds = [type(given.type) for given in operator.inputs]
    if StringTensorType in kinds:
        raise NotImplementedError("functions of texts have no form")
    width = sum(int(given.type.shape[1]) for given in operator.inputs)
    kind = DoubleTensorType if DoubleTensorType in kinds else FloatTensorType
    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].set_type(kind([rows, width]))


def _convert_function(scope: Any, operator: Any, container: Any) -> None:
    writer = GraphWriter(scope, operator, container)
    model = operator.raw_operator
    if model.kw_args:
        raise NotImplementedError("functions with arguments have no form")
    writer.write(apply_function(writer, model.func, writer.doubles()), operator.outputs[0])


def _convert_power(scope: Any, operator: Any, container: Any) -> None:
    """Write each column's power, and the scaling behind."""
    writer = GraphWriter(scope, operator, container)
    model = operator.raw_operator
    values = writer.doubles()
    power = _box_cox if model.method == "box-cox" else _yeo_johnson
    columns = [
        power(writer, writer.column(values, position), float(exponent))
        for position, exponent in enumerate(model.lambdas_)
    ]
    result = writer.node("Concat", columns, axis=1)
    if model.standardize:
        result = writer.node("Sub", [result, writer.constant(model._scaler.mean_.reshape(1, -1))])
        result = writer.node("Div", [result, writer.constant(model._scaler.scale_.reshape(1, -1))])
    writer.write(result, operator.outputs[0])


def _box_cox(writer: GraphWriter, values: str, exponent: float) -> str:
    if exponent == 0:
        return writer.node("Log", [values])
    raised = writer.node("Pow", [values, writer.constant(np.array(exponent))])
    less = writer.node("Sub", [raised, writer.constant(np.array(1.0))])
    return writer.node("Div", [less, writer.constant(np.array(exponent))])


def _yeo_johnson(writer: GraphWriter, values: str, exponent: float) -> str:
    """Write Box-Cox of x + 1 from zero on, and its mirror image with 2 - exponent below."""
    one, zero = writer.constant(np.array(1.0)), writer.constant(np.array(0.0))
    size = writer.node("Add", [writer.node("Abs", [values]), one])
    above = _box_cox(writer, size, 0.0 if abs(exponent) < EPSILON else exponent)
    mirrored = 0.0 if abs(exponent - 2) <= EPSILON else 2.0 - exponent
    below = writer.node("Neg", [_box_cox(writer, size, mirrored)])
    return writer.node("Where", [writer.node("GreaterOrEqual", [values, zero]), above, below])


EPSILON = float(np.finfo(np.float64).eps)


def _convert_target(scope: Any, operator: Any, container: Any) -> None:
    """Write the regressor inside, and the way back from the values it was fitted to."""
    from onnx import TensorProto
    from skl2onnx._supported_operators import sklearn_operator_name_map

    writer = GraphWriter(scope, operator, container)
    model = operator.raw_operator
    inner = model.regressor_
    if type(inner) not in sklearn_operator_name_map:
        raise NotImplementedError(f"no form is known for {type(inner).__name__}")
    nested = scope.declare_local_operator(sklearn_operator_name_map[type(inner)], inner)
    nested.inputs.extend(operator.inputs)
    found = scope.declare_local_variable("value", type(operator.outputs[0].type)())
    nested.outputs.append(found)
    values = writer.node("Cast", [found.onnx_name], to=TensorProto.DOUBLE)
    shape = writer.constant(np.array([-1, 1]))
    if np.ndim(getattr(inner, "intercept_", 0.0)) == 0 or model._training_dim == 1:
        values = writer.node("Reshape", [values, shape])
    writer.write(_back(writer, model.transformer_, values), operator.outputs[0])


def _back(writer: GraphWriter, transformer: Any, values: str) -> str:
    from sklearn import preprocessing

    if isinstance(transformer, preprocessing.FunctionTransformer):
        return apply_function(writer, transformer.inverse_func, values)
    if isinstance(transformer, preprocessing.StandardScaler):
        scale = 1.0 if transformer.scale_ is None else transformer.scale_
        mean = transformer.mean_ if transformer.with_mean else 0.0
    elif isinstance(transformer, preprocessing.MinMaxScaler) and not transformer.clip:
        scale, mean = 1.0 / transformer.scale_, -transformer.min_ / transformer.scale_
    else:
        raise NotImplementedError(f"no way back is known for {type(transformer).__name__}")
    wide = writer.node("Mul", [values, writer.constant(np.asarray(scale, dtype=np.float64))])
    return writer.node("Add", [wide, writer.constant(np.asarray(mean, dtype=np.float64))])
