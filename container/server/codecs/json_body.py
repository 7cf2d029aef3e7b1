"""`application/json`: an object with the rows under `instances` or `features`."""

from __future__ import annotations

from typing import Any

import orjson

from ..answers import answers, plain_answers
from ..errors import MalformedBodyError, shown
from ..explanation import Explanations
from ..features import Schema
from ..instances import request_from_instances
from ..model import Prediction
from ..request import Form, Request
from .json_text import EXAMPLE, has_no_hidden_key, json_body, read_json_strictly

EXPLAIN = "explain"


def decode_json(body: bytes, schema: Schema) -> Request:
    """Read a body; rows are lists, or objects by feature name.

    Raises:
        MalformedBodyError: as `read_json`, or not an object with the keys it needs and no others
        InvalidInstanceError: as `request_from_instances`
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _checked_request(read_json_strictly(body), schema)
    # One colon: one key, not hidden by a duplicate, and neither objects nor texts with colons.
    if schema.pack_rows is not None and type(document) is dict and body.count(b":") == 1:
        form = Form.INSTANCES
        rows: Any = document.get("instances")
        if rows is None:
            form = Form.FEATURES
            rows = document.get("features")
        packed = schema.pack_rows(rows, len(schema.rules))
        if packed and len(rows) <= schema.max_rows:
            text = body.partition(b":")[2]
            return Request(form, rows, schema, is_plain=True, packed=packed, text=text)
    if not has_no_hidden_key(document, body):
        document = read_json_strictly(body)
    return _checked_request(document, schema)


def encode_json(
    request: Request, prediction: Prediction, schema: Schema, explanations: Explanations | None
) -> bytes:
    """Write the answer in the form the request had."""
    if request.form is Form.FEATURES:
        return json_body(plain_answers(prediction, schema.manifest, explanations))
    if schema.plain_writer is not None and request.is_plain and explanations is None:
        written = schema.plain_writer.written(request.text, prediction, b",")
        return b'{"predictions":[%b]}' % written
    told = answers(request.rows, prediction, schema.manifest, explanations)
    return json_body({"predictions": list(told)})


def encode_bytes(request: Request, answer: bytes, schema: Schema) -> bytes | None:
    """Write what a kernel answered, if that needs nothing but the answer itself."""
    if schema.plain_writer is None or request.form is Form.FEATURES or request.explain:
        return None
    written = schema.plain_writer.written_of_bytes(request.text, answer, b",")
    return b'{"predictions":[%b]}' % written


def _checked_request(document: Any, schema: Schema) -> Request:
    form = _form(document)
    explain = document.get(EXPLAIN, False)
    if type(explain) is not bool:
        raise MalformedBodyError(
            f"the body's key '{EXPLAIN}' is {shown(explain)}; it must be true or false"
        )
    return request_from_instances(
        document[form], form=form, field=form.value, schema=schema, explain=explain
    )


def _form(document: Any) -> Form:
    if not isinstance(document, dict):
        raise MalformedBodyError(
            f"the body is a JSON {_json_kind(document)}; send an object such as {EXAMPLE}"
        )
    unknown = [key for key in document if key not in (*Form, EXPLAIN)]
    found = [form for form in Form if form in document]
    if not found:
        keys = f"its keys are {shown(list(document)[:5])}" if document else "it has no keys"
        raise MalformedBodyError(f"the body has no 'instances'; {keys}; send {EXAMPLE}")
    if unknown:
        raise MalformedBodyError(
            f"the body has the unknown key {shown(unknown[0])}; allowed are '{found[0]}' and "
            f"'{EXPLAIN}'"
        )
    if len(found) > 1:
        raise MalformedBodyError("the body has both 'instances' and 'features'; send one of them")
    return found[0]


def _json_kind(value: object) -> str:
    kinds: dict[type, str] = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")
