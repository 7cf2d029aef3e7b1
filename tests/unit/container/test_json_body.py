"""`application/json`: rows as lists and as records, and both forms of the answer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.codecs.json_body import decode_json, encode_bytes, encode_json
from server.errors import InvalidInstanceError, MalformedBodyError, RequestError
from server.explanation import Explanations
from server.features import Schema
from server.model import Prediction
from server.request import Form, Request
from tests.support.schemas import a_mixed_schema, a_schema

PREDICTION = Prediction(
    labels=[1, 0],
    class_indexes=[1, 0],
    probabilities=np.array([[0.04, 0.96], [0.75, 0.25]], np.float32),
)
NUMBER_TEXTS = st.one_of(
    st.sampled_from(["0", "-0", "1", "5.10", "1e2", "1E-2", "-0.0", "9007199254740993"]),
    st.sampled_from(["18446744073709551615", "3.4028235e38", "3.4028236e38", "1e400"]),
    st.sampled_from(["NaN", "null", "true", '"1"', "[1]", "{}", "", "01", "9" * 50]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
)


def decoded(body: bytes, schema: Schema) -> Any:
    """Give what matters of a request, or the error."""
    try:
        request = decode_json(body, schema)
    except RequestError as error:
        return str(error)
    inputs = {name: tensor.tolist() for name, tensor in request.inputs.items()}
    return request.form, request.explain, [list(map(float, row)) for row in request.rows], inputs


@given(
    rows=st.lists(st.lists(NUMBER_TEXTS, min_size=1, max_size=3), max_size=4),
    key=st.sampled_from(["instances", "features", "inst\\u0061nces", "x"]),
    blanks=st.sampled_from(["", " ", "\n\t ", "\r"]),
)
def test_the_kernels_reading_never_contradicts_the_rule(
    rows: list[list[str]], key: str, blanks: str
) -> None:
    lists = [f"[{f',{blanks}'.join(row)}{blanks}]" for row in rows]
    body = f'{blanks}{{"{key}":{blanks}[{f"{blanks},".join(lists)}]}}{blanks}'.encode()

    plain, exact = (decoded(body, a_schema(with_kernel=is_on)) for is_on in (True, False))

    assert plain == exact


@given(
    rows=st.lists(st.lists(NUMBER_TEXTS, min_size=2, max_size=2), min_size=1, max_size=3),
    is_certain=st.booleans(),
)
def test_an_answer_put_together_from_pieces_is_the_one_the_rule_gives(
    rows: list[list[str]], is_certain: bool
) -> None:
    schema = a_schema()
    body = ('{"instances": [' + ", ".join(f"[{', '.join(row)}]" for row in rows) + "]}").encode()
    try:
        request = decode_json(body, schema)
    except RequestError:
        return
    share = np.array([[1.0, 0.0] if is_certain else [0.3, 0.7]] * len(rows))
    indexes = share.argmax(axis=1).tolist()
    prediction = Prediction(labels=indexes, class_indexes=indexes, probabilities=share)

    plain = encode_json(request, prediction, schema, None)
    from_bytes = encode_bytes(request, share.tobytes(), schema)
    request.is_plain = False
    exact = encode_json(request, prediction, schema, None)

    # Whole numbers beyond 64 bits are floats to the rule, and the client's own text in pieces.
    assert json.loads(plain, parse_int=float) == json.loads(exact, parse_int=float)
    assert from_bytes == plain


RECORDS = st.lists(
    st.one_of(
        st.dictionaries(
            st.sampled_from(["length", "width", "depth"]), st.sampled_from([1, 2.5, None, "x"])
        ),
        st.just([1, 2]),
    ),
    min_size=1,
    max_size=3,
)


@given(records=RECORDS)
def test_records_read_at_once_are_those_read_one_by_one(records: list[Any]) -> None:
    body = json.dumps({"instances": records}).encode()
    # A list and an object are not read at once.
    mixed = json.dumps({"instances": [*records[:2], [1, 2]]}).encode()

    read = decoded(body, a_schema())
    one_by_one = decoded(mixed, a_schema())

    if isinstance(read, tuple) and len(records) < 3:
        assert one_by_one[2] == [*read[2], [1.0, 2.0]]
    if isinstance(one_by_one, tuple) and len(records) < 3:
        assert isinstance(read, tuple)


def test_records_are_rows_by_name() -> None:
    request = decode_json(
        b'{"instances": [{"width": 0.2, "length": 5}, [6, 1], {"length": 1, "width": 2}]}',
        a_schema(),
    )

    assert request.rows == [[5, 0.2], [6, 1], [1, 2]]


@pytest.mark.parametrize(
    ("record", "message", "feature"),
    [
        (
            '{"length": 5}',
            "instance 1 has no feature 'width'; give it a number",
            "width",
        ),
        (
            '{"length": 5, "width": 1, "depth": 2}',
            "instance 1 has 'depth', which is no feature; the features are length, width",
            None,
        ),
        ('{"length": 5, "width": 1, "width": 2}', "the body has the key 'width' twice", None),
        (
            '{"length": 5, "width": null}',
            "instance 1, feature 'width': null is given; it must be a number",
            "width",
        ),
    ],
)
def test_a_record_that_is_no_row_is_refused_by_the_features_name(
    record: str, message: str, feature: str | None
) -> None:
    body = f'{{"instances": [[1, 2], {record}]}}'.encode()

    with pytest.raises(RequestError) as caught:
        decode_json(body, a_schema())

    assert message in str(caught.value)
    assert caught.value.feature == feature


def test_values_of_every_type_are_fed_to_the_inputs_that_take_them() -> None:
    request = decode_json(
        b'{"instances": [[null, "red", true, "a: b"], {"colour": "blue", "ripe": false}]}',
        a_mixed_schema(),
    )

    assert request.rows == [[None, "red", True, "a: b"], [None, "blue", False, None]]
    assert np.isnan(request.inputs["length"]).tolist() == [[True], [True]]
    assert request.inputs["texts"].tolist() == [["red", "a: b"], ["blue", "?"]]
    assert request.inputs["ripe"].tolist() == [[True], [False]]
    assert {name: str(tensor.dtype) for name, tensor in request.inputs.items()} == {
        "length": "float64",
        "texts": "object",
        "ripe": "bool",
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            '[1, "green", true, null]',
            "feature 'colour': the string 'green' is given; it must be one of 'blue', 'red'",
        ),
        ('[1, "red", 1, null]', "feature 'ripe': the number 1 is given; it must be true or false"),
        ('["1", "red", true, null]', "the string '1' is given; it must be a number, or missing"),
        ("[1, null, true, null]", "feature 'colour': null is given; it must be one of 'blue', "),
        ('[1, "red", null, null]', "feature 'ripe': null is given; it must be true or false"),
        ('[1, "red", true, 5]', "the number 5 is given; it must be a string, or missing"),
        ('[NaN, "red", true, ""]', "NaN is given; it must be a finite number, or missing"),
        (
            r'[1, "red", true, "\ud800"]',
            r"the string '\ud800' is given; it must be text without lone surrogates, or missing",
        ),
        (
            '[1, "red"]',
            "instance 0 has 2 features; it must be a list of 4 values (length, colour, ",
        ),
    ],
)
def test_values_the_features_do_not_allow_are_refused_with_those_they_do(
    row: str, message: str
) -> None:
    with pytest.raises(InvalidInstanceError) as caught:
        decode_json(f'{{"instances": [{row}]}}'.encode(), a_mixed_schema())

    assert message in str(caught.value)


@pytest.mark.parametrize(("value", "explain"), [("true", True), ("false", False)])
def test_the_body_may_ask_for_explanations(value: str, explain: bool) -> None:
    request = decode_json(f'{{"features": [[1, 2]], "explain": {value}}}'.encode(), a_schema())

    assert (request.form, request.explain) == (Form.FEATURES, explain)


def test_to_explain_is_a_yes_or_a_no() -> None:
    with pytest.raises(MalformedBodyError, match="'explain' is 'yes'; it must be true or false"):
        decode_json(b'{"instances": [[1, 2]], "explain": "yes"}', a_schema())


def test_explanations_are_told_per_class_in_each_prediction() -> None:
    explanations = Explanations(
        base_values=np.array([0.4, 0.6]),
        shap_values=np.array([[[0.1, -0.1], [0.2, -0.2]], [[0.0, 0.0], [0.25, -0.25]]]),
    )
    request = Request(Form.INSTANCES, [[5, 0.2], [1, 2]], a_schema(), explain=True)

    answer = json.loads(encode_json(request, PREDICTION, a_schema(), explanations))

    assert answer["predictions"][0]["explanation"] == {
        "setosa": {"base_value": 0.4, "shap_values": {"length": 0.1, "width": 0.2}},
        "ver,sicolor": {"base_value": 0.6, "shap_values": {"length": -0.1, "width": -0.2}},
    }
    assert answer["predictions"][1]["explanation"]["setosa"]["shap_values"]["width"] == 0.25


def test_explanations_of_values_and_of_margins_are_told_once() -> None:
    explanations = Explanations(
        base_values=np.array([0.4]), shap_values=np.array([[[0.1], [0.2]], [[0.0], [0.25]]])
    )
    request = Request(Form.FEATURES, [[5, 0.2], [1, 2]], a_schema(), explain=True)

    answer = json.loads(encode_json(request, PREDICTION, a_schema(), explanations))

    assert answer["predictions"] == [1, 0]
    assert answer["explanations"] == [
        {"base_value": 0.4, "shap_values": {"length": 0.1, "width": 0.2}},
        {"base_value": 0.4, "shap_values": {"length": 0.0, "width": 0.25}},
    ]


@pytest.mark.parametrize(
    "request_",
    [
        Request(Form.FEATURES, [[1, 2]], a_schema(), is_plain=True),
        Request(Form.INSTANCES, [[1, 2]], a_schema(), is_plain=True, explain=True),
    ],
)
def test_an_answer_in_bytes_that_needs_more_is_left_to_the_rule(
    request_: Request,
) -> None:
    assert encode_bytes(request_, np.array([0.5, 0.5]).tobytes(), a_schema()) is None
