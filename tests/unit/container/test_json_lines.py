"""`application/jsonlines`: a row in, a line out."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.codecs.json_lines import decode_json_lines, encode_json_lines
from server.errors import RequestError
from server.explanation import Explanations
from server.features import Schema
from server.manifest import Output
from server.model import Prediction
from server.request import Form, Request
from tests.support.schemas import a_mixed_schema, a_schema

PREDICTION = Prediction(
    labels=[1, 0], class_indexes=[1, 0], probabilities=np.array([[0.04, 0.96], [0.75, 0.25]])
)

LINES = [
    *("[1, 2]", "[1,2],[3,4]", "[1, 2", "3]", "[1,2]\r", " [1,2]", "[[1,2]]", "[]", "", "1"),
    *("[.5,1]", "[1e400,1]", "[-0,05]", "[1,2]]", "][1,2", "[18446744073709551616,1]"),
]


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"[5, 0.2]\n[1, 2]\n", Form.INSTANCES),
        (b"[5, 0.2]\r\n[1, 2]", Form.INSTANCES),
        (b'{"length": 5, "width": 0.2}\n{"width": 2, "length": 1}\n\n', Form.INSTANCES),
        (b'{"instances": [[5, 0.2]]}\n{"instances": [1, 2]}', Form.INSTANCES),
        (b'{"instances": [{"length": 5, "width": 0.2}]}\n[1, 2]', Form.INSTANCES),
        (b'{"features": [5, 0.2]}\n{"features": [[1, 2]]}', Form.FEATURES),
    ],
)
def test_each_line_is_a_row(body: bytes, form: Form) -> None:
    request = decode_json_lines(body, a_schema())

    assert (request.form, request.rows) == (form, [[5, 0.2], [1, 2]])


def test_a_feature_may_be_called_features() -> None:
    request = decode_json_lines(b'{"features": 5}\n{"features": 6}', a_schema(names=["features"]))

    assert (request.form, request.rows) == (Form.INSTANCES, [[5], [6]])


@pytest.mark.parametrize(
    ("body", "message", "instance"),
    [
        (b"\n \n", "the body has no lines; send a row such as [5.1, 3.5] on each", None),
        (b"[1, 2]\n\n[1, 2]", "line 2 is empty; give a row on each line", 1),
        (b"[1, 2]\n[1, 2", "line 2 is not JSON: Expecting ',' delimiter at line 1, column 6", None),
        (b"[1, 2]\n\xff", "line 2 is not UTF-8: byte 0xff at position 0", None),
        (b'[1, 2]\n{"length": 1, "length": 1}', "line 2 has the key 'length' twice", None),
        (b"[1, 2],\n[1, 2]", "line 1 is not JSON: Extra data", None),
        (b"[1, 2]\n[1]", "instance 1 has 1 features; it must be a list of 2 numbers", 1),
        (b"5", "instance 0 is the number 5; each instance must be a list of 2 numbers", 0),
        (b'{"features": []}', "instance 0 has 0 features", 0),
        (b'{"depth": 1}', "instance 0 has 'depth', which is no feature; the features are", 0),
        (
            b'{"instances": [[1, 2], [1, 2]]}',
            "line 1 has a list of 2 under 'instances'; give one row on each line, as each line is",
            0,
        ),
        (
            b'{"features": [1, 2]}\n[1, 2]',
            "line 2 has the form 'instances', the first line has 'features'; send all lines in one",
            1,
        ),
        (b"[1, 2]\n" * 4, "the body has 4 lines; at most 3 are allowed in one request", None),
    ],
)
def test_a_line_that_is_no_row_is_named(body: bytes, message: str, instance: int | None) -> None:
    with pytest.raises(RequestError) as caught:
        decode_json_lines(body, a_schema())

    assert message in str(caught.value)
    assert caught.value.instance == instance


def test_rows_of_every_type_are_read() -> None:
    request = decode_json_lines(b'[null, "red", true, null]\n', a_mixed_schema())

    assert request.rows == [[None, "red", True, None]]


def test_each_row_is_answered_on_its_line() -> None:
    request = decode_json_lines(b"[5, 0.2]\n[1, 2]\n", a_schema())

    answer = encode_json_lines(request, PREDICTION, a_schema(), None)

    assert answer.endswith(b"}\n")
    first, second = map(json.loads, answer.splitlines())
    assert first == {
        "predicted_class": "ver,sicolor",
        "predicted_class_index": 1,
        "confidence": 0.96,
        "probabilities": {"setosa": 0.04, "ver,sicolor": 0.96},
        "input_features": {"length": 5, "width": 0.2},
    }
    assert second["predicted_class"] == "setosa"


def test_the_form_of_features_is_answered_line_by_line() -> None:
    request = Request(Form.FEATURES, [[5, 0.2], [1, 2]], a_schema())

    answer = encode_json_lines(request, PREDICTION, a_schema(), None)

    assert answer == (
        b'{"predictions":[1],"probabilities":[[0.04,0.96]]}\n'
        b'{"predictions":[0],"probabilities":[[0.75,0.25]]}\n'
    )


def test_several_outputs_are_answered_line_by_line() -> None:
    outputs = [Output(name="a", classes=("x", "y")), Output(name="b", classes=("z", "w"))]
    schema = a_schema(classes=(), outputs=outputs)
    prediction = Prediction(
        labels=[[0, 1], [1, 1]],
        class_indexes=[[0, 1], [1, 1]],
        probabilities=(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.4, 0.6], [0.3, 0.7]])),
    )

    plain = encode_json_lines(
        Request(Form.FEATURES, [[1, 2], [3, 4]], schema), prediction, schema, None
    )
    named = encode_json_lines(
        Request(Form.INSTANCES, [[1, 2], [3, 4]], schema), prediction, schema, None
    )

    assert plain.splitlines()[1] == (
        b'{"predictions":[[1,1]],"probabilities":[[[0.2,0.8]],[[0.3,0.7]]]}'
    )
    assert json.loads(named.splitlines()[1])["outputs"]["b"] == {
        "predicted_class": "w",
        "predicted_class_index": 1,
        "confidence": 0.7,
        "probabilities": {"z": 0.3, "w": 0.7},
    }


@pytest.mark.parametrize("form", list(Form))
def test_explanations_stay_with_their_line(form: Form) -> None:
    explanations = Explanations(
        base_values=np.array([0.4]), shap_values=np.array([[[0.1], [0.2]], [[0.0], [0.25]]])
    )
    request = Request(form, [[5, 0.2], [1, 2]], a_schema(), explain=True)

    lines = encode_json_lines(request, PREDICTION, a_schema(), explanations).splitlines()

    document = json.loads(lines[1])
    told = document["explanations"][0] if form is Form.FEATURES else document["explanation"]
    assert told == {"base_value": 0.4, "shap_values": {"length": 0.0, "width": 0.25}}


@given(lines=st.lists(st.sampled_from(LINES), max_size=4))
def test_the_plain_reading_never_contradicts_the_exact_one(lines: list[str]) -> None:
    body = "\n".join(lines).encode()
    exact_schema = replace(a_schema(), plain_type=None, plain_writer=None, pack_rows=None)

    def read(schema: Schema) -> object:
        try:
            request = decode_json_lines(body, schema)
        except RequestError as error:
            return str(error)
        return request.form, request.rows, request.inputs["X"].tolist()

    assert read(a_schema()) == read(exact_schema)
