"""Rows and features: in the one form the gate holds them in, and in those others take them in.

The gate holds rows as a float64 array where all features are numbers, else as an array of objects:
numbers and booleans as floats and bools, texts as they are, None for what is missing. Estimators
take what they were fitted on (an array or a DataFrame), ONNX Runtime takes a tensor per input, and
clients of the endpoint send JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from automation.errors import TrainingError

Rows = npt.NDArray[Any]
MISSING_TEXT = "<missing>"  # stands for a missing text in ONNX, whose strings have no null


class FeatureType(StrEnum):
    """What clients send for a feature."""

    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of the rows.

    Args:
        allows_missing: whether the model was fitted on missing values of it and answers them.
        categories: the only values the estimator answers; None where it takes any.
    """

    name: str
    type: FeatureType
    allows_missing: bool = False
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class GraphInput:
    """One input of an ONNX graph: a tensor (rows, features).

    Args:
        type: float32, float64 or string.
    """

    name: str
    type: str
    features: tuple[str, ...]


def rows_from_returned(value: object, what: str) -> tuple[Rows, Mapping[str, Any] | None]:
    """Take rows as a training script has them.

    Args:
        value: a DataFrame, an array, or lists.
        what: the name for messages.

    Returns:
        the rows as the gate holds them, and a DataFrame's types by column (None for others).

    Raises:
        TrainingError: a cell is no number, text or boolean, or a column mixes them.
    """
    columns = getattr(value, "columns", None)
    if columns is None:
        cells, types = np.asarray(value), None
        if cells.dtype.kind in "fiu":
            return cells.astype(np.float64), None
        if cells.dtype.kind in "US":  # lists of numbers and texts have become texts throughout
            cells = np.asarray(value, dtype=object)
    else:
        cells = value.to_numpy(dtype=object)  # type: ignore[attr-defined]
        types = {str(name): value[name].dtype for name in columns}  # type: ignore[index]
    if cells.ndim != 2:
        raise TrainingError(
            f"train() returned {what} of shape {cells.shape}; give rows, (rows, features)"
        )
    return _plain(cells, what), types


def type_of(column: npt.NDArray[Any]) -> FeatureType:
    """Tell what a column of the gate's rows holds."""
    if column.dtype != object:
        return FeatureType.NUMBER
    kinds = {type(cell) for cell in column.tolist() if not _is_missing(cell)}
    if kinds == {str}:
        return FeatureType.STRING
    return FeatureType.BOOLEAN if kinds == {bool} else FeatureType.NUMBER


def has_missing(column: npt.NDArray[Any]) -> bool:
    """Tell whether a column leaves a value out."""
    if column.dtype != object:
        return bool(np.isnan(column).any())
    return any(map(_is_missing, column.tolist()))


def estimator_rows(rows: Rows, names: Sequence[str], column_types: Mapping[str, Any] | None) -> Any:
    """Give rows in the form the estimator was fitted on.

    Args:
        column_types: pandas's type of each column; None for an estimator fitted on an array.
    """
    if column_types is None:
        return rows if rows.dtype != object else _with_nan(rows)
    import pandas

    columns = {}
    for position, name in enumerate(names):
        column = rows[:, position]
        kind = column_types[name]
        if pandas.api.types.is_numeric_dtype(kind) and not pandas.api.types.is_bool_dtype(kind):
            # Whole numbers too: a client may send 1.5 where all rows of the training had 1 or 2.
            columns[name] = column.astype(np.float64)
        else:
            columns[name] = _column_of(column, kind)
    return pandas.DataFrame(columns, columns=list(names))


def feed(rows: Rows, names: Sequence[str], inputs: Sequence[GraphInput]) -> dict[str, Any]:
    """Give rows as ONNX Runtime takes them, just as the server makes them from a body."""
    position = {name: index for index, name in enumerate(names)}
    tensors = {}
    for given in inputs:
        part = rows
        if given.features != tuple(names):
            part = rows[:, [position[name] for name in given.features]]
        if given.type == "string":
            texts = np.empty(part.shape, dtype=object)
            for index, cell in np.ndenumerate(part):
                texts[index] = MISSING_TEXT if _is_missing(cell) else cell
            tensors[given.name] = texts
        else:
            with np.errstate(over="ignore"):
                tensors[given.name] = part.astype(np.float64).astype(given.type)
    return tensors


def instances(rows: Rows) -> list[list[Any]]:
    """Give rows as JSON has them: null for what is missing."""
    return [[None if _is_missing(cell) else cell for cell in row] for row in rows.tolist()]


def known_texts(estimator: Any, column: npt.NDArray[Any]) -> list[str]:
    """List the texts a column had in training, and all that any encoder inside knows."""
    known = {cell for cell in column.tolist() if isinstance(cell, str)}
    for part in parts_of(estimator):
        for categories in _listed(getattr(part, "categories_", ())):
            known.update(str(entry) for entry in categories if isinstance(entry, str))
    return sorted(known)


def parts_of(estimator: Any, depth: int = 0) -> Iterator[Any]:
    """Walk a fitted estimator and the estimators inside it."""
    yield estimator
    if depth > 10:
        return
    for name, value in sorted(getattr(estimator, "__dict__", {}).items()):
        if name in ("steps", "transformers_") or name.endswith("_"):
            for inner in _estimators_in(value):
                yield from parts_of(inner, depth + 1)


def _estimators_in(value: Any) -> Iterator[Any]:
    if hasattr(value, "get_params") and not isinstance(value, type):
        yield value
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _estimators_in(entry)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        yield from _estimators_in(value.ravel().tolist())


def _listed(categories: Any) -> Sequence[Any]:
    return categories if isinstance(categories, list | tuple) else []


def _plain(cells: npt.NDArray[Any], what: str) -> Rows:
    """Make plain Python values of the cells; a float64 array where all are numbers."""
    rows = np.empty(cells.shape, dtype=object)
    for index, cell in np.ndenumerate(cells):
        rows[index] = _plain_cell(cell, index, what)
    kinds = [{type(cell) for cell in column if cell is not None} for column in rows.T.tolist()]
    mixed = [index for index, kind in enumerate(kinds) if len(kind) > 1]
    if mixed:
        named = ", ".join(sorted(kind.__name__ for kind in kinds[mixed[0]]))
        raise TrainingError(
            f"train() returned {what} whose column {mixed[0]} mixes {named}; give one type a column"
        )
    if all(kind <= {float} for kind in kinds):
        return np.array([[np.nan if c is None else c for c in row] for row in rows.tolist()])
    return rows


def _plain_cell(cell: Any, index: tuple[int, ...], what: str) -> Any:
    if _is_missing(cell):
        return None
    if isinstance(cell, bool | np.bool_):
        return bool(cell)
    if isinstance(cell, str):
        return str(cell)
    if isinstance(cell, int | float | np.number):
        return float(cell)
    raise TrainingError(
        f"train() returned {what} with {cell!r}, a {type(cell).__name__}, in row {index[0]}; "
        "give numbers, texts, booleans, and None or NaN for what is missing"
    )


def _is_missing(cell: Any) -> bool:
    if cell is None or (isinstance(cell, float) and cell != cell):
        return True
    return type(cell).__name__ in ("NAType", "NaTType")  # pandas's own, without importing pandas


def _with_nan(rows: Rows) -> Rows:
    """Write what is missing as NaN, the one missing value scikit-learn knows in object arrays."""
    native = rows.copy()
    for index, cell in np.ndenumerate(rows):
        if cell is None:
            native[index] = np.nan
    return native


def _column_of(column: npt.NDArray[Any], kind: Any) -> Any:
    import pandas

    cells = [np.nan if cell is None else cell for cell in column.tolist()]
    has_gap = any(isinstance(cell, float) for cell in cells)
    if isinstance(kind, pandas.CategoricalDtype):
        known = set(kind.categories)  # pandas warns of others, which it takes for missing
        cells = [cell if cell in known else np.nan for cell in cells]
    if kind == bool and has_gap:  # noqa: E721 - pandas compares its types with ==
        return pandas.Series(cells, dtype=object)
    return pandas.Series(cells, dtype=kind)
