"""Bodies to rows and predictions to bodies."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.codecs import (
    Form,
    Request,
    body_from_bytes,
    body_from_prediction,
    json_body,
    request_from_body,
)
from server.content_type import CSV, JSON, NPY
from server.errors import NotAcceptableError, RequestError
from server.explanation import Explanations
from server.features import Schema, schema_from_manifest
from server.manifest import Feature, FeatureType, Task, TensorType
from server.model import Prediction
from tests.support.manifests import a_manifest

FEATURES = [Feature(name=name, type=FeatureType.NUMBER) for name in ("length", "width")]
SEND = 'send rows such as {"instances": [[5.1, 3.5, 1.4, 0.2]]}'
EXAMPLE = 'send {"instances": [[5.1, 3.5, 1.4, 0.2]]}'


def decoded(media_type: str, body: bytes) -> Request | None:
    """Decode a body, None when it is refused; anything else it may raise fails the test."""
    try:
        return request_from_body(media_type, body, SCHEMA)
    except RequestError:
        return None


def a_schema(task: Task = Task.CLASSIFICATION) -> Schema:
    classes = ("setosa", "ver,sicolor") if task is Task.CLASSIFICATION else ()
    return schema_from_manifest(a_manifest(FEATURES, TensorType.FLOAT32, classes), 3)


SCHEMA = a_schema()


def a_request(form: Form = Form.INSTANCES) -> Request:
    rows = [[5, 0.2], [1.5, 2]]
    return Request(form, rows, SCHEMA, is_plain=True)


def a_classification() -> Prediction:
    return Prediction(
        labels=[1, 0],
        class_indexes=[1, 0],
        probabilities=np.array([[0.04, 0.96], [0.75, 0.25]], np.float32),
    )


@pytest.mark.parametrize(
    ("body", "form", "rows"),
    [
        (b'{"instances": [[5, 0.2]]}', Form.INSTANCES, [[5, 0.2]]),
        (b'{"features": [[5, 0.2], [1, 2]]}', Form.FEATURES, [[5, 0.2], [1, 2]]),
        (b'\n {"\\u0069nstances": [[5, 0.2]]} ', Form.INSTANCES, [[5, 0.2]]),
        (b'{"instances": [[123456789012345678901234567890, 0]]}', Form.INSTANCES, [[1.2345e29, 0]]),
    ],
)
def test_json_bodies_give_rows_and_their_form(
    body: bytes, form: Form, rows: list[list[float]]
) -> None:
    request = request_from_body(JSON, body, SCHEMA)

    assert request.form is form
    assert request.rows[0] == pytest.approx(rows[0], rel=1e-4)
    assert request.inputs["X"].shape == (len(rows), 2)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"5,0.2", [[5.0, 0.2]]),
        (b"5,0.2\n1e2,-.5\n", [[5.0, 0.2], [100.0, -0.5]]),
        (b"\xef\xbb\xbf5, 0.2\r\n1,2\r\n\r\n", [[5.0, 0.2], [1.0, 2.0]]),
        (b'"5","0.2"', [[5.0, 0.2]]),
    ],
)
def test_csv_bodies_give_rows(body: bytes, rows: list[list[float]]) -> None:
    request = request_from_body(CSV, body, SCHEMA)

    assert (request.form, request.rows) == (Form.INSTANCES, rows)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", f"the body is empty; {SEND}"),
        (b"[[5, 0.2]]", "the body is a JSON array; send an object such as "),
        (b'"x"', "the body is a JSON string; send an object such as "),
        (b"true", "the body is a JSON boolean; send an object such as "),
        (b"null", "the body is a JSON null; send an object such as "),
        (b"7", "the body is a JSON number; send an object such as "),
        (b"{}", f"the body has no 'instances'; it has no keys; {EXAMPLE}"),
        (
            b'{"data": [[5, 0.2]]}',
            f"the body has no 'instances'; its keys are ['data']; {EXAMPLE}",
        ),
        (
            b'{"instances": [[5, 0.2]], "explian": true}',
            "the body has the unknown key 'explian'; allowed are 'instances' and 'explain'",
        ),
        (
            b'{"instances": [[5, 0.2]], "explain": 1}',
            "the body's key 'explain' is 1; it must be true or false",
        ),
        (
            b'{"instances": [[5, 0.2]], "features": [[5, 0.2]]}',
            "the body has both 'instances' and 'features'; send one of them",
        ),
        (
            b'{"instances": [[5, 0.2]], "instances": [[1, 1]]}',
            "the body has the key 'instances' twice; give it once",
        ),
        (
            b'{"instances": [[5, 0.2]',
            "the body is not JSON: Expecting ',' delimiter at line 1, column 24 (character 23); "
            + SEND,
        ),
        (
            b'{"instances": [[5,, 0.2]]}',
            "the body is not JSON: Expecting value at line 1, column 19 (character 18); " + SEND,
        ),
        (b"\xef\xbb\xbf{}", "the body is not JSON: Unexpected UTF-8 BOM"),
        (b'{"instances": "\xff"}', "the body is not UTF-8: byte 0xff at position 15"),
        (b'{"instances": ' + b"[" * 200_000, f"the body is nested too deeply; {SEND}"),
        (b'{"instances": [[5, NaN]]}', "instance 0, feature 'width': NaN is given; it must be a"),
        (
            b'{"instances": [[5, -Infinity]]}',
            "instance 0, feature 'width': -Infinity is given; it must be a finite number",
        ),
        (
            b'{"instances": [[1e999, 5]]}',
            "instance 0, feature 'length': Infinity is given; it must be a finite number",
        ),
        (
            b'{"instances": [[5, ' + b"9" * 5000 + b"]]}",
            "instance 0, feature 'width': Infinity is given; it must be a finite number",
        ),
        (b'{"instances": [["5", 1]]}', "the string '5' is given; it must be a number"),
        (b'{"instances": [[{"a": 1, "a": 2}, 1]]}', "the body has the key 'a' twice"),
        (b'{"instances": [[5, 1], [5]]}', "instance 1 has 1 features; it must be a list of 2"),
        (b'{"features": 5}', "features is the number 5; give a list of instances, each a list of"),
        (
            b'{"instances": [[1, 2], [1, 2], [1, 2], [1, 2]]}',
            "instances has 4 instances; at most 3",
        ),
    ],
)
def test_wrong_json_bodies_are_refused_with_the_reason(body: bytes, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        request_from_body(JSON, body, SCHEMA)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\n\n", "the body (text/csv) is empty; give 1 to 3 instances"),
        (
            b"length,breadth\n1,2",
            "the header line has no 'width'; it must name each feature once: ",
        ),
        (b"1,2\n\n1,2", "instance 1 has 0 features; it must be a list of 2 numbers"),
        (b"1;2", "instance 0 has 1 features; it must be a list of 2 numbers (length, width)"),
        (b"1,1_000", "instance 0, feature 'width': the string '1_000' is given; it must be"),
        ("1,٣".encode(), "instance 0, feature 'width': the string '٣' is given; it must be"),
        (b"1,", "instance 0, feature 'width': the string '' is given; it must be a number"),
        (b"1,nan", "instance 0, feature 'width': NaN is given; it must be a finite number"),
        (b"1,-inf", "instance 0, feature 'width': -Infinity is given; it must be a finite"),
        (b'1,"2', "the body is not CSV: unexpected end of data"),
        (b"1," + b"x" * 200_000, "the body is not CSV: field larger than field limit"),
        (b"1,\xff", "the body is not UTF-8: byte 0xff at position 2"),
    ],
)
def test_wrong_csv_bodies_are_refused_with_the_reason(body: bytes, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        request_from_body(CSV, body, SCHEMA)

    assert message in str(caught.value)


def test_instances_are_answered_with_class_confidence_and_the_input() -> None:
    answer = body_from_prediction(JSON, a_request(), a_classification(), a_schema())

    assert json.loads(answer) == {
        "predictions": [
            {
                "predicted_class": "ver,sicolor",
                "predicted_class_index": 1,
                "confidence": 0.96,
                "probabilities": {"setosa": 0.04, "ver,sicolor": 0.96},
                "input_features": {"length": 5, "width": 0.2},
            },
            {
                "predicted_class": "setosa",
                "predicted_class_index": 0,
                "confidence": 0.75,
                "probabilities": {"setosa": 0.75, "ver,sicolor": 0.25},
                "input_features": {"length": 1.5, "width": 2},
            },
        ]
    }


def test_features_are_answered_with_two_plain_lists() -> None:
    answer = body_from_prediction(JSON, a_request(Form.FEATURES), a_classification(), a_schema())

    assert json.loads(answer) == {
        "predictions": [1, 0],
        "probabilities": [[0.04, 0.96], [0.75, 0.25]],
    }


def test_csv_answers_have_the_class_then_its_probabilities() -> None:
    answer = body_from_prediction(CSV, a_request(), a_classification(), a_schema())

    assert answer == b'"ver,sicolor",0.04,0.96\nsetosa,0.75,0.25\n'


def test_a_classifier_without_probabilities_answers_the_class_alone() -> None:
    prediction = Prediction(labels=["setosa", "setosa"], class_indexes=[0, 0], probabilities=None)

    answer = body_from_prediction(JSON, a_request(), prediction, a_schema())

    assert json.loads(answer)["predictions"][0] == {
        "predicted_class": "setosa",
        "predicted_class_index": 0,
        "input_features": {"length": 5, "width": 0.2},
    }
    assert body_from_prediction(CSV, a_request(), prediction, a_schema()) == b"setosa\nsetosa\n"


@pytest.mark.parametrize(
    ("form", "media_type", "expected"),
    [
        (
            Form.INSTANCES,
            JSON,
            b'{"predictions":['
            b'{"predicted_value":1.5,"input_features":{"length":5,"width":0.2}},'
            b'{"predicted_value":2.0,"input_features":{"length":1.5,"width":2}}]}',
        ),
        (Form.FEATURES, JSON, b'{"predictions":[1.5,2.0]}'),
        (Form.INSTANCES, CSV, b"1.5\n2.0\n"),
    ],
)
def test_regressors_answer_values(form: Form, media_type: str, expected: bytes) -> None:
    prediction = Prediction(labels=[1.5, 2.0], class_indexes=[], probabilities=None)

    answer = body_from_prediction(
        media_type, a_request(form), prediction, a_schema(Task.REGRESSION)
    )

    assert answer == expected


@pytest.mark.parametrize("media_type", [CSV, NPY])
def test_a_type_without_a_place_for_explanations_is_not_acceptable_with_them(
    media_type: str,
) -> None:
    explanations = Explanations(base_values=np.zeros(2), shap_values=np.zeros((2, 2, 2)))

    with pytest.raises(NotAcceptableError) as caught:
        body_from_prediction(media_type, a_request(), a_classification(), a_schema(), explanations)

    assert str(caught.value) == (
        f"{media_type} has no place for explanations; accept application/json or "
        "application/jsonlines"
    )


def test_an_answer_in_bytes_is_encoded_as_json_alone() -> None:
    answer = np.array([[0.25, 0.75], [1, 0]]).tobytes()

    written = body_from_bytes(JSON, a_request(), answer, a_schema())

    assert written is not None
    assert [each["confidence"] for each in json.loads(written)["predictions"]] == [0.75, 1.0]
    assert body_from_bytes(CSV, a_request(), answer, a_schema()) is None


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda children: st.one_of(
        st.lists(children, max_size=4),
        st.dictionaries(st.sampled_from(["instances", "features", "x"]), children, max_size=2),
    ),
    max_leaves=8,
)


@given(media_type=st.sampled_from([JSON, CSV]), body=st.binary(max_size=40))
@example(media_type=JSON, body=b'{"instances":[[1,2]]}\x00')
@example(media_type=CSV, body=b"\x00,\x00")
def test_no_bytes_do_anything_but_decode_or_be_refused(media_type: str, body: bytes) -> None:
    request = decoded(media_type, body)

    assert request is None or np.isfinite(request.inputs["X"]).all()


@given(document=JSON_VALUES)
def test_no_json_value_does_anything_but_decode_or_be_refused(document: Any) -> None:
    request = decoded(JSON, json.dumps(document).encode())

    assert request is None or np.isfinite(request.inputs["X"]).all()
    assert request is None or json_body({"rows": request.rows})


@given(text=st.text(alphabet='{}[]":,.0123456789eE+-aNInfinity instances\\u', max_size=60))
def test_no_text_like_json_does_anything_but_decode_or_be_refused(text: str) -> None:
    body = b'{"instances":' + text.encode()

    request = decoded(JSON, body)

    assert request is None or request.inputs["X"].shape[1] == 2


@given(
    rows=st.lists(
        st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=2
        ),
        min_size=1,
        max_size=3,
    )
)
def test_json_and_csv_of_the_same_rows_are_the_same_input(rows: list[list[float]]) -> None:
    as_json = request_from_body(JSON, json.dumps({"instances": rows}).encode(), SCHEMA)

    text = "\n".join(",".join(map(repr, row)) for row in rows)
    as_csv = request_from_body(CSV, text.encode(), SCHEMA)

    assert as_json.inputs["X"].tolist() == as_csv.inputs["X"].tolist()
    assert all(math.isfinite(value) for row in as_csv.rows for value in row)
