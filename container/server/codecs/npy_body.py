"""`application/x-npy`: an array of rows, as `numpy.save` writes it.

Only arrays of plain numbers, booleans and texts are read; what NumPy would unpickle is refused, and
so is every header whose shape is not that of the bytes after it, before anything is allocated.
"""

from __future__ import annotations

import ast
import io
import math
import re
import sys
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInstanceError, MalformedBodyError, shown
from ..explanation import Explanations
from ..features import Schema
from ..instances import names_in_words, request_from_instances
from ..model import Prediction
from ..request import Form, Request

MAGIC = b"\x93NUMPY"
LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
"""Of the header's own length, by version of the format."""
LARGEST_HEADER_BYTES = 10_000
"""As NumPy's own limit; the header is a Python literal, and parsing one takes memory."""
PLAIN_TYPE = re.compile(r"[<>|=](b1|[iu][1248]|f[248]|[US][1-9][0-9]{0,5})")
FIELD = "the body (application/x-npy)"

Array = npt.NDArray[Any]


def decode_npy(body: bytes, schema: Schema) -> Request:
    """Read an array of shape (rows, features), or of records with the features' names.

    Raises:
        MalformedBodyError: not an array, of objects, or not as long as its header says
        InvalidInstanceError: as `request_from_instances`
    """
    array = read_array(body, schema)
    _check_texts(array)
    if array.dtype.names is not None:
        rows: list[Any] = [list(record) for record in array[list(schema.feature_names)].tolist()]
    else:
        rows = array.tolist()
    if any(rule.allows_missing for rule in schema.rules):
        rows = [[None if value != value else value for value in row] for row in rows]
    if array.dtype.kind in "SV":
        rows = [[_text(value) for value in row] for row in rows]
    return request_from_instances(rows, form=Form.INSTANCES, field=FIELD, schema=schema)


def encode_npy(
    request: Request, prediction: Prediction, schema: Schema, explanations: Explanations | None
) -> bytes:
    """Write what the estimator's `predict` gives: an array of classes or values."""
    content = io.BytesIO()
    np.lib.format.write_array(content, np.array(prediction.labels), allow_pickle=False)
    return content.getvalue()


def read_array(body: bytes, schema: Schema) -> Array:
    """Read an array that has the model's features and no more rows than allowed.

    Raises:
        MalformedBodyError: as `decode_npy`
        InvalidInstanceError: too many rows, or not the model's features
    """
    start, header = _header(body)
    dtype = _dtype(header.get("descr"))
    shape, is_fortran = header.get("shape"), header.get("fortran_order")
    if not _is_shape(shape) or type(is_fortran) is not bool:
        raise MalformedBodyError(f"the array's header has the shape {shown(shape)}; {_hint()}")
    _check_columns(dtype, shape, schema)
    if not 0 < shape[0] <= schema.max_rows:
        raise InvalidInstanceError(
            f"{FIELD} has {shape[0]} instances; 1 to {schema.max_rows} are allowed in one request"
        )
    size = math.prod(shape) * dtype.itemsize
    if size != len(body) - start:
        raise MalformedBodyError(
            f"the array's header says {size} bytes ({shape} of {dtype}), {len(body) - start} "
            f"follow it; {_hint()}"
        )
    array = np.frombuffer(body, dtype, offset=start)
    return array.reshape(shape, order="F" if is_fortran else "C")


def _hint() -> str:
    return "write the array with numpy.save(file, rows, allow_pickle=False)"


def _header(body: bytes) -> tuple[int, dict[str, Any]]:
    """Give where the numbers start, and what the header says."""
    length_bytes = LENGTH_BYTES.get((body[6], body[7])) if len(body) >= 8 else None
    if not body.startswith(MAGIC) or length_bytes is None:
        raise MalformedBodyError(f"the body is no .npy array; {_hint()}")
    start = 8 + length_bytes
    length = int.from_bytes(body[8:start], "little")
    if length > LARGEST_HEADER_BYTES or start + length > len(body):
        raise MalformedBodyError(
            f"the array's header says it is {length} bytes long, of {len(body) - start}; at most "
            f"{LARGEST_HEADER_BYTES} are read; {_hint()}"
        )
    text = body[start : start + length].decode("utf-8", "replace").strip()
    try:
        header = ast.literal_eval(text)
    # The parser runs out of stack or memory on nested literals, and says so in many ways.
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise MalformedBodyError(f"the array's header is {shown(text)}; {_hint()}") from error
    if not isinstance(header, dict):
        raise MalformedBodyError(f"the array's header is {shown(text)}; {_hint()}")
    return start + length, header


def _dtype(descr: Any) -> np.dtype[Any]:
    """Make the type of a header's description: of numbers, booleans, texts, or records of those.

    NumPy itself takes far more, and some of it ends in errors of any kind.
    """
    parts = [descr] if isinstance(descr, str) else descr
    if isinstance(descr, list):
        is_record = all(isinstance(part, tuple) and len(part) == 2 for part in descr)
        parts = [part[1] for part in descr] if is_record else None
    if not isinstance(parts, list) or not all(map(_is_plain_type, parts)):
        raise MalformedBodyError(
            f"the array has the dtype {shown(descr)}; send numbers of up to 8 bytes, booleans or "
            "texts of fixed size"
        )
    try:
        return np.lib.format.descr_to_dtype(descr)
    except (TypeError, ValueError) as error:
        raise MalformedBodyError(f"the array has the dtype {shown(descr)}: {error}") from error


def _is_plain_type(descr: Any) -> bool:
    found = PLAIN_TYPE.fullmatch(descr) if isinstance(descr, str) else None
    return found is not None


def _is_shape(shape: Any) -> TypeGuard[tuple[int, ...]]:
    return isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)


def _check_columns(dtype: np.dtype[Any], shape: tuple[int, ...], schema: Schema) -> None:
    names = dtype.names
    if names is None:
        if len(shape) != 2 or shape[1] != len(schema.rules):
            raise InvalidInstanceError(
                f"{FIELD} has the shape {shown(shape)}; it must be (rows, {len(schema.rules)}), "
                f"the features being {names_in_words(schema.rules)}"
            )
    elif len(shape) != 1 or set(names) != set(schema.positions):
        raise InvalidInstanceError(
            f"{FIELD} has records of {shown(list(names))} in the shape {shown(shape)}; it must be "
            f"(rows,) records of {names_in_words(schema.rules)}"
        )


def _check_texts(array: Array) -> None:
    """Refuse what is no character: NumPy holds any four bytes and fails when it has to read them.

    Raises:
        MalformedBodyError: a code point beyond Unicode's last
    """
    columns = [array] if array.dtype.names is None else [array[name] for name in array.dtype.names]
    for column in columns:
        if column.dtype.kind != "U":
            continue
        codes = np.ascontiguousarray(column).view(
            np.dtype("u4").newbyteorder(column.dtype.byteorder)
        )
        if codes.max() > sys.maxunicode:
            raise MalformedBodyError(
                f"the array has a text with the code point {int(codes.max()):#x}, which is none"
            )


def _text(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise MalformedBodyError(
            f"the array has the text {shown(value)}, which is not UTF-8"
        ) from error
