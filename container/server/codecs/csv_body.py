"""`text/csv`: a row on each line, with or without a header line that names the features."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import orjson

from ..errors import InvalidInstanceError, MalformedBodyError, shown
from ..explanation import Explanations
from ..features import FeatureRule, Schema
from ..instances import names_in_words, request_from_instances, wrong_length
from ..manifest import FeatureType, Task
from ..model import Prediction
from ..request import Form, Request
from .json_text import read_integer, read_plain_rows

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
WHOLE_NUMBER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
NOT_FINITE = re.compile(r"\s*[+-]?(nan|inf|infinity)\s*", re.ASCII | re.IGNORECASE)
BOOLEANS = {"true": True, "false": False}
PLAIN_BYTES = b"0123456789+-.eE, \t\r\n"
QUOTED = frozenset(b'"\r\n')
FIELD = "the body (text/csv)"

Line = list[str]


def decode_csv(body: bytes, schema: Schema, *, has_header: bool | None) -> Request:
    """Read a body.

    Args:
        has_header: what the content type says of a header line; None where it says nothing, and
            the first line is a header if it is exactly the names of the features, in any order

    Raises:
        MalformedBodyError: not UTF-8, not CSV, or a header that is not that of the features
        InvalidInstanceError: as `request_from_instances`
    """
    text = _plain_text(body, schema, has_header)
    rows = None if text is None else read_plain_rows(text)
    if rows is None:
        text = None
        rows = _checked_rows(body, schema, has_header)
    return request_from_instances(rows, form=Form.INSTANCES, field=FIELD, schema=schema, text=text)


def encode_csv(
    request: Request, prediction: Prediction, schema: Schema, explanations: Explanations | None
) -> bytes:
    """Write a line per row: the class and its probabilities in class order, or the value.

    With several outputs, that of each output one after another.
    """
    manifest = schema.manifest
    columns: list[list[bytes]] = []
    if manifest.task is Task.REGRESSION:
        columns.append(_texts(np.array(prediction.labels)))
    elif manifest.outputs:
        indexes: Any = prediction.class_indexes
        probabilities: Any = prediction.probabilities
        for number, output in enumerate(manifest.outputs):
            columns.append(_names(output.classes, [each[number] for each in indexes]))
            if probabilities is not None:
                columns.append(_texts(probabilities[number]))
    else:
        columns.append(_names(manifest.classes, prediction.class_indexes))
        if prediction.probabilities is not None:
            columns.append(_texts(prediction.probabilities))
    return b"\n".join(map(b",".join, zip(*columns, strict=True))) + b"\n"


def _names(classes: Sequence[str], indexes: Sequence[int]) -> list[bytes]:
    cells = [_cell_text(name) for name in classes]
    return [cells[index] for index in indexes]


def _cell_text(name: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([name])
    return text.getvalue().encode()


def _texts(numbers: Any) -> list[bytes]:
    """Write the numbers of each row between commas, in their shortest form."""
    table = np.ascontiguousarray(numbers.reshape(len(numbers), -1))
    text = orjson.dumps(table, option=orjson.OPT_SERIALIZE_NUMPY).replace(b"null", b"nan")
    return text[2:-2].split(b"],[")


def _plain_text(body: bytes, schema: Schema, has_header: bool | None) -> bytes | None:
    """Make JSON of what nearly every body is, lines of plain numbers; None where it is not that."""
    if schema.plain_type is None:
        return None
    if has_header is not False:
        rest = _after_plain_header(body, schema)
        body, has_header = (body, has_header) if rest is None else (rest, False)
    if has_header or not body or body.translate(None, PLAIN_BYTES):
        return None
    # Where features are called 0, 1, 2, ... a line of numbers may be a header.
    if has_header is None and not schema.feature_names[0].encode().translate(None, PLAIN_BYTES):
        return None
    text = body.rstrip(b"\r\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = text.count(b"\n") + 1
    if lines > schema.max_rows or text.count(b",") != lines * (len(schema.rules) - 1):
        return None
    return b"[[%b]]" % text.replace(b"\n", b"],[")


def _after_plain_header(body: bytes, schema: Schema) -> bytes | None:
    """Give what follows a header of the names in their own order; None where there is another."""
    if not body.startswith(schema.feature_names[0].encode()):
        return None
    header = ",".join(schema.feature_names).encode()
    # A name with a comma, a quote or a line's end in it would be written in quotes.
    if header.count(b",") >= len(schema.rules) or not QUOTED.isdisjoint(header):
        return None
    line, end, rest = body.partition(b"\n")
    return rest if end and line.removesuffix(b"\r") == header else None


def _checked_rows(body: bytes, schema: Schema, has_header: bool | None) -> list[list[Any]]:
    lines = _lines(body)
    first = next(lines, None)
    if first is None:
        return []
    order: Sequence[int] = range(len(schema.rules))
    rows: list[list[Any]] = []
    if has_header or (has_header is None and _is_header(first, schema)):
        order = _order(first, schema)
    else:
        lines = chain([first], lines)
    for index, line in enumerate(lines):
        if index == schema.max_rows:
            count = index + 1 + sum(1 for _ in lines)
            raise InvalidInstanceError(
                f"{FIELD} has {count} instances; at most {schema.max_rows} are allowed in one "
                "request: split it"
            )
        if len(line) != len(order):
            raise wrong_length(index, len(line), schema)
        rows.append(_row(line, order, schema))
    return rows


def _lines(body: bytes) -> Iterator[Line]:
    """Give the lines as cells, one at a time; empty lines at the end do not count."""
    try:
        text = body.decode("utf-8-sig").rstrip("\r\n")
        yield from csv.reader(io.StringIO(text, newline=""), strict=True)
    except UnicodeDecodeError as error:
        raise MalformedBodyError(
            f"the body is not UTF-8: byte {body[error.start]:#04x} at position {error.start}"
        ) from error
    except csv.Error as error:
        raise MalformedBodyError(f"the body is not CSV: {error}") from error


def _row(line: Line, order: Sequence[int], schema: Schema) -> list[Any]:
    """Give a line's values in the order of the features."""
    return [_value(rule, line[at]) for rule, at in zip(schema.rules, order, strict=True)]


def _value(rule: FeatureRule, cell: str) -> Any:
    if not cell or (rule.type is not FeatureType.STRING and not cell.strip()):
        # CSV cannot tell an empty text from none.
        return None if rule.allows_missing or rule.type is FeatureType.STRING else cell
    if rule.type is FeatureType.STRING:
        return cell
    if rule.type is FeatureType.BOOLEAN:
        return BOOLEANS.get(cell.strip().lower(), cell)
    # Python alone also takes "1_000" and digits of other scripts, which CSV writers never mean.
    if WHOLE_NUMBER.fullmatch(cell):
        return read_integer(cell.strip())
    return float(cell) if NUMBER.fullmatch(cell) or NOT_FINITE.fullmatch(cell) else cell


def _is_header(line: Line, schema: Schema) -> bool:
    """Tell a header line: all names of the features, or several words where numbers belong.

    The latter is a header with a mistake; that is to be said of it, and not that a value is wrong.
    """
    if len(line) > 2 * len(schema.rules):
        return False
    names = _names_of(line, schema)
    if len(names) == len(schema.rules) and set(names) == schema.positions.keys():
        return True
    has_no_number = not any(NUMBER.fullmatch(name) or NOT_FINITE.fullmatch(name) for name in names)
    only_numbers_belong = all(rule.type is FeatureType.NUMBER for rule in schema.rules)
    return len(names) > 1 and only_numbers_belong and has_no_number and all(names)


def _names_of(line: Line, schema: Schema) -> list[str]:
    return [cell if cell in schema.positions else cell.strip() for cell in line]


def _order(header: Line, schema: Schema) -> list[int]:
    """Give the column of each feature."""
    names = _names_of(header, schema)
    column_of = {name: column for column, name in enumerate(names)}
    missing = (name for name in schema.feature_names if name not in column_of)
    unknown = (name for name in names if name not in schema.positions)
    twice = (name for column, name in enumerate(names) if column_of[name] != column)
    for problem, found in (("has no", missing), ("names", unknown), ("names twice", twice)):
        for name in found:
            raise MalformedBodyError(
                f"the header line {problem} {shown(name)}; it must name each feature once: "
                f"{names_in_words(schema.rules)}; without a header line, say text/csv; "
                "header=absent"
            )
    return [column_of[name] for name in schema.feature_names]
