"""Bodies: from bytes to rows, and from a prediction to bytes, per content type.

A decoder gives a `Request`; an encoder takes it back with the prediction. A new content type is one
function in `DECODERS` or `ENCODERS` and its name in `content_type.py`.

JSON is read by orjson; it is read again by the standard library only where orjson cannot vouch for
it (it refuses NaN without saying where, and keeps the last of duplicate keys).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import orjson

from .content_type import CSV, JSON
from .errors import MalformedBodyError, shown
from .features import Schema
from .instances import inputs_from_instances
from .manifest import Manifest, Task
from .model import Inputs, Prediction

EXAMPLE = '{"instances": [[5.1, 3.5, 1.4, 0.2]]}'
LONGEST_INTEGER = 40
"""Digits; a longer integer is beyond every float32 and is read as a float."""

CSV_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
CSV_NOT_FINITE = re.compile(r"\s*[+-]?(nan|inf|infinity)\s*", re.ASCII | re.IGNORECASE)


class Form(StrEnum):
    """The word a JSON body has for its rows; it decides the form of the answer."""

    INSTANCES = "instances"
    FEATURES = "features"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A decoded body.

    Args:
        form: how the answer is to look
        rows: the rows as the client gave them
        inputs: the same as what the model is fed
    """

    form: Form
    rows: list[list[Any]]
    inputs: Inputs


def request_from_body(media_type: str, body: bytes, schema: Schema) -> Request:
    """Decode a body of a media type that `content_type` chose.

    Raises:
        MalformedBodyError: not what the media type promises
        InvalidInstanceError: rows the model cannot take
    """
    if not body:
        raise MalformedBodyError(f"the body is empty; send rows such as {EXAMPLE}")
    return DECODERS[media_type](body, schema)


def body_from_prediction(
    media_type: str, request: Request, prediction: Prediction, schema: Schema
) -> bytes:
    """Encode the answer to a request in a media type that `content_type` chose."""
    return ENCODERS[media_type](request, prediction, schema.manifest)


def _decode_json(body: bytes, schema: Schema) -> Request:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = read_json_strictly(body)
    else:
        # One key and no other string: no key can be hidden by a duplicate.
        if not (type(document) is dict and len(document) == 1 and body.count(b'"') == 2):
            document = read_json_strictly(body)
    form = _form(document)
    rows, inputs = inputs_from_instances(document[form], field=form.value, schema=schema)
    return Request(form=form, rows=rows, inputs=inputs)


def read_json_strictly(body: bytes) -> Any:
    """Read JSON slowly, with an exact complaint; NaN and Infinity pass, to be named by feature.

    Raises:
        MalformedBodyError: not UTF-8, not JSON, nested too deeply, or a key given twice
    """
    try:
        text = body.decode("utf-8")
        return json.loads(text, object_pairs_hook=_unique_keys, parse_int=_integer)
    except UnicodeDecodeError as error:
        raise MalformedBodyError(
            f"the body is not UTF-8: byte {body[error.start]:#04x} at position {error.start}"
        ) from error
    except json.JSONDecodeError as error:
        raise MalformedBodyError(
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno} "
            f"(character {error.pos}); send rows such as {EXAMPLE}"
        ) from error
    except RecursionError as error:
        raise MalformedBodyError(
            f"the body is nested too deeply; send rows such as {EXAMPLE}"
        ) from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise MalformedBodyError(f"the body has the key {shown(key)} twice; give it once")
        document[key] = value
    return document


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= LONGEST_INTEGER else float(text)


def _form(document: Any) -> Form:
    if not isinstance(document, dict):
        raise MalformedBodyError(
            f"the body is a JSON {_json_kind(document)}; send an object such as {EXAMPLE}"
        )
    unknown = [key for key in document if key not in tuple(Form)]
    found = [form for form in Form if form in document]
    if not found:
        keys = f"its keys are {shown(unknown[:5])}" if unknown else "it has no keys"
        raise MalformedBodyError(f"the body has no 'instances'; {keys}; send {EXAMPLE}")
    if unknown:
        raise MalformedBodyError(
            f"the body has the unknown key {shown(unknown[0])}; allowed is '{found[0]}' alone"
        )
    if len(found) > 1:
        raise MalformedBodyError("the body has both 'instances' and 'features'; send one of them")
    return found[0]


def _json_kind(value: object) -> str:
    kinds: dict[type, str] = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


def _decode_csv(body: bytes, schema: Schema) -> Request:
    try:
        text = body.decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except UnicodeDecodeError as error:
        raise MalformedBodyError(
            f"the body is not UTF-8: byte {body[error.start]:#04x} at position {error.start}"
        ) from error
    except csv.Error as error:
        raise MalformedBodyError(f"the body is not CSV: {error}") from error
    while lines and not lines[-1]:
        lines.pop()
    rows, inputs = inputs_from_instances(
        [[_number_from_cell(cell) for cell in line] for line in lines],
        field="the body (text/csv without a header line)",
        schema=schema,
    )
    return Request(form=Form.INSTANCES, rows=rows, inputs=inputs)


def _number_from_cell(cell: str) -> float | str:
    # float() alone also takes "1_000" and digits of other scripts, which CSV writers never mean.
    if CSV_NUMBER.fullmatch(cell) or CSV_NOT_FINITE.fullmatch(cell):
        return float(cell)
    return cell


def _encode_json(request: Request, prediction: Prediction, manifest: Manifest) -> bytes:
    document: dict[str, Any]
    if request.form is Form.FEATURES:
        document = {"predictions": prediction.labels}
        if prediction.probabilities is not None:
            document["probabilities"] = np.ascontiguousarray(prediction.probabilities)
    elif manifest.task == Task.REGRESSION:
        document = {
            "predictions": [
                {
                    "predicted_value": value,
                    "input_features": dict(zip(manifest.feature_names, row, strict=True)),
                }
                for value, row in zip(prediction.labels, request.rows, strict=True)
            ]
        }
    else:
        document = {"predictions": _classifications(request, prediction, manifest)}
    return json_body(document)


def json_body(document: dict[str, Any]) -> bytes:
    """Write a JSON object; NumPy arrays and scalars count as lists and numbers."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _classifications(
    request: Request, prediction: Prediction, manifest: Manifest
) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    for position, (index, row) in enumerate(
        zip(prediction.class_indexes, request.rows, strict=True)
    ):
        answer: dict[str, Any] = {
            "predicted_class": manifest.classes[index],
            "predicted_class_index": index,
        }
        if prediction.probabilities is not None:
            # NumPy's own scalars: orjson writes a float32 as 0.96, a float of it as 0.9599999785.
            probabilities = prediction.probabilities[position]
            answer["confidence"] = probabilities[index]
            answer["probabilities"] = dict(zip(manifest.classes, probabilities, strict=True))
        answer["input_features"] = dict(zip(manifest.feature_names, row, strict=True))
        answers.append(answer)
    return answers


def _encode_csv(request: Request, prediction: Prediction, manifest: Manifest) -> bytes:
    """Write a line per row: the class and its probabilities in class order, or the value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for position in range(len(request.rows)):
        if manifest.task == Task.REGRESSION:
            value = prediction.labels[position]
            writer.writerow(value if isinstance(value, list) else [value])
            continue
        line: list[Any] = [manifest.classes[prediction.class_indexes[position]]]
        if prediction.probabilities is not None:
            line.extend(str(probability) for probability in prediction.probabilities[position])
        writer.writerow(line)
    return text.getvalue().encode()


DECODERS: dict[str, Callable[[bytes, Schema], Request]] = {JSON: _decode_json, CSV: _decode_csv}
ENCODERS: dict[str, Callable[[Request, Prediction, Manifest], bytes]] = {
    JSON: _encode_json,
    CSV: _encode_csv,
}
