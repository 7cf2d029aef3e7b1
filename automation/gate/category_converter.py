"""Encoders of categories and imputers as ONNX nodes that answer as scikit-learn does.

skl2onnx casts numeric categories to int64, so that 1.5 counts as the category 1, and has no form
for missing texts, for infrequent categories in one tensor or for what an encoder makes of an
unknown value. Here an encoder is a table: a row for each category, one more for any other value,
filled by asking the fitted encoder itself. Where the encoder refuses other values there is no such
row, and the graph fails on them as the encoder does.

Source: skl2onnx 1.20, `operator_converters/one_hot_encoder.py`, `imputer_op.py` (read).
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from automation.gate.features import MISSING_TEXT
from automation.gate.graph_writer import Converter, GraphWriter, declare_float64

UNHEARD_TEXT = "<a text no encoder has heard of>"


def category_converters() -> dict[type, Converter]:
    """Give converter functions by transformer class."""
    from sklearn import impute, preprocessing

    return {
        preprocessing.OneHotEncoder: _convert_encoder,
        preprocessing.OrdinalEncoder: _convert_encoder,
        preprocessing.TargetEncoder: _convert_encoder,
        impute.SimpleImputer: _convert_imputer,
    }


def category_shapes(*, is_float64: bool) -> dict[type, Callable[[Any], None]]:
    """Give the functions that declare the types of the outputs, by transformer class.

    Args:
        is_float64: whether the graph computes in float64; texts do not say.
    """
    from sklearn import impute, preprocessing

    def declare(operator: Any) -> None:
        _declare_encoder(operator, is_float64=is_float64)

    return {
        preprocessing.OneHotEncoder: declare,
        preprocessing.OrdinalEncoder: declare,
        preprocessing.TargetEncoder: declare,
        impute.SimpleImputer: declare_float64(_declare_imputer, 0),
    }


def _declare_encoder(operator: Any, *, is_float64: bool) -> None:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    width = sum(table.shape[1] for table in _tables(operator.raw_operator))
    rows = operator.inputs[0].get_first_dimension()
    kind = DoubleTensorType if is_float64 else FloatTensorType
    operator.outputs[0].set_type(kind([rows, width]))


def _declare_imputer(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    model = operator.raw_operator
    rows = operator.inputs[0].get_first_dimension()
    if isinstance(operator.inputs[0].type, StringTensorType):
        operator.outputs[0].set_type(StringTensorType([rows, len(model.statistics_)]))
        return
    width = len(_kept(model)) + (len(model.indicator_.features_) if model.add_indicator else 0)
    operator.outputs[0].set_type(FloatTensorType([rows, width]))


def _convert_encoder(scope: Any, operator: Any, container: Any) -> None:
    """Look each column's value up in its table."""
    writer = GraphWriter(scope, operator, container)
    encoder = operator.raw_operator
    columns = []
    found = zip(writer.columns(), encoder.categories_, _tables(encoder), strict=True)
    for (column, source), categories, table in found:
        code = code_of(writer, column, source, categories)
        columns.append(writer.node("Gather", [writer.constant(table), code], axis=0))
    joined = columns[0] if len(columns) == 1 else writer.node("Concat", columns, axis=1)
    writer.write(joined, operator.outputs[0])


def code_of(writer: GraphWriter, column: str, source: Any, categories: npt.NDArray[Any]) -> str:
    """Give the index of each value among the categories, their number for any other, (rows,)."""
    from onnx import TensorProto
    from skl2onnx.common.data_types import StringTensorType

    if isinstance(source.type, StringTensorType):
        keys = [MISSING_TEXT if is_missing(entry) else str(entry) for entry in categories]
        code = writer.ml_node(
            "LabelEncoder",
            [column],
            keys_strings=keys,
            values_int64s=list(range(len(keys))),
            default_int64=len(keys),
        )
        return writer.node("Reshape", [code, writer.constant(np.array([-1]))])
    values = writer.node("Cast", [column], to=TensorProto.DOUBLE)
    known = np.array([np.nan if is_missing(entry) else float(entry) for entry in categories])
    equal = writer.node("Equal", [values, writer.constant(known.reshape(1, -1))])
    if np.isnan(known).any():
        is_gap = writer.constant(np.isnan(known).reshape(1, -1))
        gaps = writer.node("And", [writer.node("IsNaN", [values]), is_gap])
        equal = writer.node("Or", [equal, gaps])
    matches = writer.node("Cast", [equal], to=TensorProto.INT64)
    # One more column, always 1: the first of the greatest is the match, or this one.
    ones = writer.node("Cast", [writer.node("Equal", [column, column])], to=TensorProto.INT64)
    either = writer.node("Max", [ones, writer.constant(np.array([[1]]))])
    return writer.node(
        "ArgMax", [writer.node("Concat", [matches, either], axis=1)], axis=1, keepdims=0
    )


def _convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    """Write the statistic where a value is missing, and the indicators behind."""
    from skl2onnx.common.data_types import StringTensorType

    writer = GraphWriter(scope, operator, container)
    imputer = operator.raw_operator
    if isinstance(operator.inputs[0].type, StringTensorType):
        _convert_text_imputer(writer, imputer)
        return
    writer.write(write_imputed(writer, imputer, writer.doubles()), operator.outputs[0])


def write_imputed(writer: GraphWriter, imputer: Any, values: str) -> str:
    """Write what an imputer makes of numbers."""
    from onnx import TensorProto

    if is_missing(imputer.missing_values):
        is_gap = writer.node("IsNaN", [values])
    else:
        is_gap = writer.node("Equal", [values, writer.constant(float(imputer.missing_values))])
    filled = np.asarray(imputer.statistics_, dtype=np.float64).reshape(1, -1)
    result = writer.node("Where", [is_gap, writer.constant(filled), values])
    kept = _kept(imputer)
    if len(kept) != filled.size:
        result = writer.node("Gather", [result, writer.constant(kept)], axis=1)
    if imputer.add_indicator:
        chosen = writer.constant(np.asarray(imputer.indicator_.features_, dtype=np.int64))
        flags = writer.node("Gather", [is_gap, chosen], axis=1)
        flags = writer.node("Cast", [flags], to=TensorProto.DOUBLE)
        result = writer.node("Concat", [result, flags], axis=1)
    return result


def _convert_text_imputer(writer: GraphWriter, imputer: Any) -> None:
    if imputer.add_indicator or any(map(is_missing, imputer.statistics_)):
        raise NotImplementedError(
            "no form is known for an imputer of texts with indicators or with an empty column"
        )
    values = writer.joined_inputs()
    missing = imputer.missing_values
    gap = MISSING_TEXT if is_missing(missing) else str(missing)
    is_gap = writer.node("Equal", [values, writer.constant(np.array([gap], dtype=object))])
    filled = writer.constant(np.array([imputer.statistics_], dtype=object))
    writer.write(writer.node("Where", [is_gap, filled, values]), writer.operator.outputs[0])


def _tables(encoder: Any) -> list[npt.NDArray[np.float64]]:
    """Ask a fitted encoder what it makes of each category, and of any other value."""
    known = [list(categories) for categories in encoder.categories_]
    base = [categories[0] for categories in known]
    wide = _encode(encoder, [base]).shape[1]
    widths = _widths(encoder, wide)
    tables, start = [], 0
    for position, categories in enumerate(known):
        rows = [[*base[:position], entry, *base[position + 1 :]] for entry in categories]
        parts = [_encode(encoder, rows)]
        other = [*base[:position], _unheard(categories), *base[position + 1 :]]
        # Where the encoder refuses other values, the table has no row for them.
        with contextlib.suppress(ValueError):
            parts.append(_encode(encoder, [other]))
        whole = np.concatenate(parts)
        tables.append(whole[:, start : start + widths[position]])
        start += widths[position]
    return tables


def _widths(encoder: Any, wide: int) -> list[int]:
    """Tell how many columns the encoder makes of each column."""
    count = len(encoder.categories_)
    sizes = getattr(encoder, "_n_features_outs", None)
    if sizes is not None:
        return [int(size) for size in sizes]
    return [wide // count] * count


def _encode(encoder: Any, rows: list[list[Any]]) -> npt.NDArray[np.float64]:
    cells = np.array(rows, dtype=object)
    if all(categories.dtype.kind in "biuf" for categories in encoder.categories_):
        cells = cells.astype(np.float64)
    names = getattr(encoder, "feature_names_in_", None)
    given: Any = cells
    if names is not None:
        import pandas

        given = pandas.DataFrame(cells, columns=names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # handle_unknown="warn" warns, which is not what is asked
        encoded = encoder.transform(given)
    dense = encoded.toarray() if hasattr(encoded, "toarray") else np.asarray(encoded)
    return dense.astype(np.float64)


def _unheard(categories: list[Any]) -> Any:
    if any(isinstance(entry, str) for entry in categories):
        return UNHEARD_TEXT
    numbers = [float(entry) for entry in categories if not is_missing(entry)]
    return max(numbers, default=0.0) + 1.5


def _kept(imputer: Any) -> npt.NDArray[np.int64]:
    """Tell which columns an imputer keeps: it drops those without any value in training."""
    statistics = imputer.statistics_
    if imputer.keep_empty_features or imputer.strategy == "constant":
        return np.arange(len(statistics))
    return np.flatnonzero([not is_missing(entry) for entry in statistics])


def is_missing(entry: Any) -> bool:
    """Tell whether a category is that of values left out."""
    return entry is None or (isinstance(entry, float | np.floating) and bool(np.isnan(entry)))
