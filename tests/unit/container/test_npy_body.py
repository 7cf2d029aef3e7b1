"""`application/x-npy`: arrays of rows, and headers that lie."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from server.codecs.npy_body import decode_npy, encode_npy
from server.errors import RequestError
from server.features import schema_from_manifest
from server.manifest import Feature, FeatureType, ModelInput, TensorType
from server.model import Prediction
from server.request import Form, Request
from tests.support.manifests import a_manifest
from tests.support.schemas import a_mixed_schema, a_schema


def saved(array: Any, **options: Any) -> bytes:
    """Write an array as clients do."""
    content = io.BytesIO()
    np.save(content, array, **options)
    return content.getvalue()


def with_header(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Write a header that says whatever it likes."""
    text = header.encode()
    size = 2 if version == b"\x01\x00" else 4
    return b"\x93NUMPY" + version + len(text).to_bytes(size, "little") + text + content


def described(shape: str, descr: str = "'<f8'", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    "array",
    [
        np.array([[5, 0.25], [1, 2]]),
        np.array([[5, 0.25], [1, 2]], np.float16),
        np.array([[5, 0.25], [1, 2]], ">f4"),
        np.asfortranarray([[5, 0.25], [1, 2]]),
        np.array([(0.25, 5), (2, 1)], dtype=[("width", "<f4"), ("length", "<i2")]),
    ],
    ids=["float64", "float16", "big-endian", "fortran", "records"],
)
def test_arrays_of_rows_are_read(array: Any) -> None:
    request = decode_npy(saved(array), a_schema())

    assert (request.form, request.rows) == (Form.INSTANCES, [[5, 0.25], [1, 2]])
    assert request.inputs["X"].tolist() == [[5, 0.25], [1, 2]]


@pytest.mark.parametrize("version", [b"\x02\x00", b"\x03\x00"])
def test_every_version_of_the_format_is_read(version: bytes) -> None:
    body = with_header(described("(1, 2)"), np.array([5.0, 0.25]).tobytes(), version)

    assert decode_npy(body, a_schema()).rows == [[5, 0.25]]


def test_whole_numbers_are_exact() -> None:
    request = decode_npy(saved(np.array([[2**64 - 1, 2**53 + 1]], np.uint64)), a_schema())

    assert request.rows == [[2**64 - 1, 2**53 + 1]]


def test_records_hold_values_of_every_type() -> None:
    array = np.array(
        [(np.nan, b"red", True, "note"), (1.5, b"blue", False, "")],
        dtype=[("length", "<f8"), ("colour", "S4"), ("ripe", "?"), ("note", "<U4")],
    )

    request = decode_npy(saved(array), a_mixed_schema())

    assert request.rows == [[None, "red", True, "note"], [1.5, "blue", False, ""]]


def test_an_array_of_texts_is_read_where_all_features_are_texts() -> None:
    features = [Feature(name=name, type=FeatureType.STRING) for name in "ab"]
    inputs = [ModelInput(name="texts", type=TensorType.STRING, features=("a", "b"))]
    schema = schema_from_manifest(a_manifest(features, inputs=inputs), 3)

    request = decode_npy(saved(np.array([["x", "äö"]])), schema)

    assert request.inputs["texts"].tolist() == [["x", "äö"]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"PK\x03\x04 a zip of arrays", "the body is no .npy array; write the array with numpy.sa"),
        (b"\x93NUMPY", "the body is no .npy array"),
        (b"\x93NUMPY\x04\x00\x00\x00", "the body is no .npy array"),
        (b"\x93NUMPY\x01\x00\xff\xff", "header says it is 65535 bytes long, of 0; at most 10000"),
        (with_header("{"), "the array's header is '{'; write the array with numpy.save(file"),
        (with_header("[1]"), "the array's header is '[1]'"),
        (with_header("(" * 9000), "the array's header is '((((("),
        (with_header("-" * 9000 + "1"), "the array's header is '-----"),
        (with_header("__import__('os')"), "the array's header is \"__import__"),
        (with_header("{}"), "the array has the dtype null; send numbers of up to 8"),
        (
            with_header(described("(1, 2)", "'|O'"), b"x" * 16),
            "has the dtype '|O'; send",
        ),
        (with_header(described("(1, 2)", "'<M8[s]'"), b"x" * 16), "has the dtype '<M8[s]'; send"),
        (with_header(described("(1, 2)", "'<c16'"), b"x" * 32), "has the dtype '<c16'; send"),
        (with_header(described("(1, 2)", "'<f16'"), b"x" * 32), "has the dtype '<f16'; send"),
        (with_header(described("(1, 2)", "'|V8'"), b"x" * 16), "has the dtype '|V8'; send"),
        (with_header(described("(1, 2)", "'<U0'")), "has the dtype '<U0'; send"),
        (with_header(described("(1, 2)", "'nope'")), "the array has the dtype 'nope'"),
        (with_header(described("(1, 2)", "('<f8', (2,))"), b"x" * 32), "has the dtype"),
        (with_header(described("(1, 2)", "[('length', '|O'), ('width', '<f8')]")), "'|O'), ("),
        (with_header(described("(1, 2)", "[1, 2]")), "the array has the dtype [1, 2]; send"),
        (with_header(described("5")), "the array's header has the shape 5"),
        (with_header(described("(-1, 2)")), "the array's header has the shape (-1, 2)"),
        (with_header(described("(True, 2)")), "the array's header has the shape (True, 2)"),
        (
            with_header(described("(1, 2)", order="1"), b"x" * 16),
            "the array's header has the shape",
        ),
        (
            saved(np.zeros(2)),
            "the body (application/x-npy) has the shape (2,); it must be (rows, 2)",
        ),
        (saved(np.zeros((1, 3))), "has the shape (1, 3); it must be (rows, 2), the features being"),
        (saved(np.zeros((1, 2, 1))), "has the shape (1, 2, 1); it must be (rows, 2)"),
        (saved(np.zeros((0, 2))), "has 0 instances; 1 to 3 are allowed in one request"),
        (saved(np.zeros((4, 2))), "has 4 instances; 1 to 3 are allowed in one request"),
        (with_header(described(f"({10**18}, 2)")), "instances; 1 to 3 are allowed in one request"),
        (with_header(described("(1, 2)", "'<U200000'")), "says 1600000 bytes ((1, 2) of <U2000"),
        (saved(np.zeros((1, 2)))[:-1], "says 16 bytes ((1, 2) of float64), 15 follow it; write"),
        (saved(np.zeros((1, 2))) + b"\0", "says 16 bytes ((1, 2) of float64), 17 follow it"),
        (
            saved(np.array([(1.0,)], dtype=[("length", "<f8")])),
            "has records of ['length'] in the shape (1,); it must be (rows,) records of length, w",
        ),
        (saved(np.array([[1, np.nan]])), "feature 'width': NaN is given; it must be a finite numb"),
        (saved(np.array([["1", "2"]])), "feature 'length': the string '1' is given; it must be a"),
        (saved(np.array([[b"\xff", b"2"]])), "has the text b'\\xff', which is not UTF-8"),
        (
            with_header(described("(1, 2)", "'<U1'"), b"\xff" * 8),
            "the array has a text with the code point 0xffffffff, which is none",
        ),
        (
            with_header(described("(1, 2)", "'>U1'"), b"\x00\x11\x00\x00" * 2),
            "the array has a text with the code point 0x110000, which is none",
        ),
        (
            with_header(described("(1,)", "[('length', '<U1'), ('width', '<f8')]"), b"\xff" * 12),
            "the array has a text with the code point 0xffffffff, which is none",
        ),
        (saved(np.array([[True, False]])), "feature 'length': true is given; it must be a number"),
        (saved(np.array([[None, 1]]), allow_pickle=True), "has the dtype '|O'; send"),
    ],
)
def test_wrong_arrays_are_refused_with_the_reason(body: bytes, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        decode_npy(body, a_schema())

    assert message in str(caught.value)


@given(
    array=hnp.arrays(
        dtype=st.one_of(hnp.floating_dtypes(sizes=(32, 64)), hnp.integer_dtypes()),
        shape=st.tuples(st.integers(1, 3), st.just(2)),
    )
)
def test_numbers_of_any_type_come_back_as_they_were(array: Any) -> None:
    try:
        request = decode_npy(saved(array), a_schema(tensor=TensorType.FLOAT64))
    except RequestError:
        assert not np.isfinite(array).all()
    else:
        assert request.rows == array.tolist()


@given(damage=st.lists(st.tuples(st.integers(0, 143), st.integers(0, 255)), max_size=4))
def test_a_damaged_array_is_read_or_refused(damage: list[tuple[int, int]]) -> None:
    body = bytearray(saved(np.array([[5, 0.25]])))
    for position, value in damage:
        body[position] = value

    try:
        request = decode_npy(bytes(body), a_schema())
    except RequestError:
        return
    assert np.isfinite(request.inputs["X"]).all()


@pytest.mark.parametrize(
    "labels", [[0, 2], ["setosa", "virginica"], [1.5, 2.5], [[1.0, 2.0], [3.0, 4.0]], [[0, 1]]]
)
def test_an_answer_is_what_predict_gives(labels: list[Any]) -> None:
    request = Request(Form.INSTANCES, [[1, 2]], a_schema())
    prediction = Prediction(labels=labels, class_indexes=[], probabilities=None)

    answer = encode_npy(request, prediction, a_schema(), None)

    assert np.load(io.BytesIO(answer), allow_pickle=False).tolist() == labels
