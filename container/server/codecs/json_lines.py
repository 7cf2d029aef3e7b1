"""`application/jsonlines`: a row on each line, and its answer on the same line of the answer.

That is what Batch Transform needs to split its input, and to put answers beside what they answer.
"""

from __future__ import annotations

from typing import Any

from ..answers import answers, plain_answers
from ..errors import InvalidInstanceError, MalformedBodyError
from ..explanation import Explanations
from ..features import Schema
from ..instances import kind, request_from_instances
from ..model import Prediction, rows_of
from ..request import Form, Request
from .json_text import json_body, read_json, read_plain_rows

BLANKS = b" \t\r"
PLAIN_BYTES = b"0123456789+-.eE, \t\r\n[]"


def decode_json_lines(body: bytes, schema: Schema) -> Request:
    """Read a body: each line is a row, a record, or an object with one row under its key.

    Raises:
        MalformedBodyError: a line is empty, no JSON, or of another form than the first
        InvalidInstanceError: as `request_from_instances`
    """
    text = body.rstrip(BLANKS + b"\n")
    count = text.count(b"\n") + 1
    if count > schema.max_rows:
        raise InvalidInstanceError(
            f"the body has {count} lines; at most {schema.max_rows} are allowed in one request: "
            "split it"
        )
    if not text:
        raise MalformedBodyError("the body has no lines; send a row such as [5.1, 3.5] on each")
    plain = _plain_text(text, count, schema)
    rows = None if plain is None else read_plain_rows(plain)
    form = Form.INSTANCES
    if rows is None:
        plain = None
        form, rows = _checked_rows(text, schema)
    return request_from_instances(rows, form=form, field="the body", schema=schema, text=plain)


def _plain_text(text: bytes, count: int, schema: Schema) -> bytes | None:
    """Make one list of what most bodies are, lists of numbers; None where it is not that.

    Args:
        count: of the lines
    """
    if schema.plain_type is None or text.translate(None, PLAIN_BYTES):
        return None
    lines = text.replace(b"\r\n", b"\n")
    # As many brackets as lines, and one at both sides of each line's end: each line is one list.
    if lines[:1] != b"[" or lines.count(b"[") != count or lines.count(b"]\n[") != count - 1:
        return None
    return b"[%b]" % lines.replace(b"\n", b",")


def _checked_rows(text: bytes, schema: Schema) -> tuple[Form, list[Any]]:
    rows = []
    first: Form | None = None
    for index, line in enumerate(text.split(b"\n")):
        if not line.strip(BLANKS):
            raise _wrong_line(index, f"line {index + 1} is empty; give a row on each line")
        form, row = _row(index, read_json(line, f"line {index + 1}"), schema)
        if first is None:
            first = form
        elif form is not first:
            raise _wrong_line(
                index,
                f"line {index + 1} has the form {form.value!r}, the first line has "
                f"{first.value!r}; send all lines in one form",
            )
        rows.append(row)
    return first or Form.INSTANCES, rows


def encode_json_lines(
    request: Request, prediction: Prediction, schema: Schema, explanations: Explanations | None
) -> bytes:
    """Write a line for each row."""
    if request.form is Form.FEATURES:
        lines = [
            json_body(
                plain_answers(
                    rows_of(prediction, position, position + 1),
                    schema.manifest,
                    None if explanations is None else _part_of(explanations, position),
                )
            )
            for position in range(len(request.rows))
        ]
        return b"\n".join(lines) + b"\n"
    if schema.plain_writer is not None and request.is_plain and explanations is None:
        return schema.plain_writer.written(request.text, prediction, b"\n") + b"\n"
    told = answers(request.rows, prediction, schema.manifest, explanations)
    return b"\n".join(map(json_body, told)) + b"\n"


def _row(index: int, line: Any, schema: Schema) -> tuple[Form, Any]:
    """Take the row out of a line."""
    if isinstance(line, dict) and len(line) == 1:
        key, value = next(iter(line.items()))
        if key in tuple(Form) and key not in schema.positions:
            return Form(key), _only_row(index, key, value)
    return Form.INSTANCES, line


def _only_row(index: int, key: str, value: Any) -> Any:
    is_list_of_rows = isinstance(value, list) and value and isinstance(value[0], list | dict)
    if not is_list_of_rows:
        return value
    if len(value) != 1:
        raise _wrong_line(
            index,
            f"line {index + 1} has {kind(value)} under {key!r}; give one row on each line, as each "
            "line is answered by one",
        )
    return value[0]


def _wrong_line(index: int, message: str) -> MalformedBodyError:
    return MalformedBodyError(message, instance=index)


def _part_of(explanations: Explanations, position: int) -> Explanations:
    return explanations._replace(shap_values=explanations.shap_values[position : position + 1])
