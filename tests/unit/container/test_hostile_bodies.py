"""Bodies nobody meant well: whatever comes in, what comes out is a request or its refusal."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from server.codecs import body_from_prediction, request_from_body
from server.content_type import (
    CSV,
    CSV_WITH_HEADER,
    JSON,
    JSON_LINES,
    NPY,
)
from server.errors import RequestError
from server.features import Schema
from server.model import Prediction
from server.request import Form, Request
from tests.support.mutation import mutated_bodies
from tests.support.schemas import MAX_ROWS, a_mixed_schema, a_schema

INPUTS_EACH = 12_500


def saved(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


RECORDS = np.array(
    [(1.5, b"red", True, "x"), (np.nan, b"blue", False, "")],
    dtype=[("length", "<f8"), ("colour", "S4"), ("ripe", "?"), ("note", "<U1")],
)
SEEDS: dict[str, list[bytes]] = {
    JSON: [
        b'{"instances": [[5.1, 3.5], [1, 2]]}',
        b'{"features":[[1e2,-0.5]],"explain":true}',
        b'{"instances": [{"length": 5, "width": 0.2}]}',
        b'{"instances": [[null, "red", true, "note"], [1, "blue", false, null]]}',
        b'{"instances": [{"colour": "red", "ripe": false, "note": "\\ud83d\\ude00"}]}',
    ],
    JSON_LINES: [
        b"[5.1, 3.5]\n[1, 2]\n",
        b'{"features": [5, 0.2]}\n{"features": [1, 2]}',
        b'{"length": 5, "width": 0.2}\r\n[1, 2]\r\n',
        b'[1.5, "red", true, null]\n{"colour": "red", "ripe": false}\n',
    ],
    CSV: [
        b"5.1,3.5\n1,2\n",
        b"width,length\r\n0.2,5\r\n",
        b'1.5,red,true,"a ""b"", c"\n,blue,false,\n',
        b"note,ripe,colour,length\nx,TRUE,red,1\n",
    ],
    NPY: [
        saved(np.array([[5.1, 3.5], [1, 2]])),
        saved(np.asfortranarray([[5, 3], [1, 2]]).astype("<f4")),
        saved(np.array([(1, 2)], dtype=[("width", "<i4"), ("length", "<f8")])),
        saved(RECORDS),
    ],
}
SEEDS[CSV_WITH_HEADER] = SEEDS[CSV]
JSON_WORDS = [
    *(b'"instances"', b'"features"', b'"explain":', b'"length":', b"true", b"null", b"NaN"),
    *(b"-Infinity", b"1e400", b"9" * 25, b"-0", b"1E-9", b"18446744073709551616", b"0.1"),
    *(b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud800", b"\xff", b"\0"),
    *(b"\xef\xbb\xbf", b"\xed\xa0\x80", b"[[" * 50, b'{"a":' * 50, b"\n", b"\r", b" ", b'"red"'),
]
WORDS: dict[str, list[bytes]] = {
    JSON: JSON_WORDS,
    JSON_LINES: JSON_WORDS,
    CSV: [
        *(b",", b"\n", b"\r", b"\r\n", b'"', b'""', b";", b"\t", b" ", b"\0", b"\xff", b"\xe2"),
        *(b"length", b"width", b"red", b"true", b"1_0", b"nan", b"inf", b"1e999", b"1e39", b"-"),
        *("٣".encode(), b"\xef\xbb\xbf", b"=1+1", b"0x1", b"," * 40, b"\n" * 6, b"9" * 50),
    ],
    NPY: [
        *(b"\x93NUMPY", b"\x01\x00", b"\x02\x00", b"\xff\xff", b"\0" * 8, b"'<f8'", b"'|O'"),
        *(b"(3, 2)", b"(0, 2)", b"(-1, 2)", b"(9" + b"9" * 20, b"True", b"'<U9'", b"'S3'", b"("),
        *(b"'descr'", b"'shape'", b"[('length', '<f8')]", b"1", b"\n", b"'<f16'", b"\xf0\x7f"),
    ],
}
WORDS[CSV_WITH_HEADER] = WORDS[CSV]


def check(media_type: str, body: bytes, schema: Schema) -> bool:
    """Decode a body; what is taken must fit the model and be answerable in every form."""
    try:
        request = request_from_body(media_type, body, schema)
    except RequestError as error:
        refusal = str(error)
    else:
        refusal = ""
    assert len(refusal) < 1000
    if refusal:
        return False
    assert 0 < len(request.rows) <= MAX_ROWS
    assert all(len(row) == len(schema.rules) for row in request.rows)
    for name, tensor in request.inputs.items():
        assert tensor.shape[0] == len(request.rows)
        assert name == "length" or tensor.dtype.kind != "f" or np.isfinite(tensor).all()
    check_answer(request, schema)
    return True


def check_answer(request: Request, schema: Schema) -> None:
    count = len(request.rows)
    prediction = Prediction(
        labels=[1] * count, class_indexes=[1] * count, probabilities=np.full((count, 2), 0.5)
    )
    answer = json.loads(body_from_prediction(JSON, request, prediction, schema))
    assert len(answer["predictions"]) == count
    if request.form is Form.INSTANCES:
        echoed = [list(each["input_features"].values()) for each in answer["predictions"]]
        # An integer beyond 64 bits is echoed as it was sent, and is a float in the rows.
        assert [list(map(as_read, row)) for row in echoed] == [
            list(map(as_read, row)) for row in request.rows
        ]


def as_read(value: Any) -> Any:
    return float(value) if type(value) is int else value


@pytest.mark.parametrize("media_type", [JSON, JSON_LINES, CSV, NPY])
@pytest.mark.parametrize("kind", ["numbers", "mixed"])
def test_a_hundred_thousand_changed_bodies_are_taken_or_refused(media_type: str, kind: str) -> None:
    schema = a_schema() if kind == "numbers" else a_mixed_schema()
    bodies = mutated_bodies(
        SEEDS[media_type], WORDS[media_type], count=INPUTS_EACH, seed=len(media_type)
    )

    taken = sum(check(media_type, body, schema) for body in bodies)

    # Bodies that are all refused, or all taken, would show nothing.
    assert INPUTS_EACH / 100 < taken < INPUTS_EACH / 2


def test_changed_bodies_with_a_header_line_are_taken_or_refused() -> None:
    bodies = mutated_bodies(SEEDS[CSV], WORDS[CSV], count=2000, seed=1)

    assert any([check(CSV_WITH_HEADER, body, a_schema()) for body in bodies])
