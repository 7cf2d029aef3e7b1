"""`text/csv`: lines of cells, with a header line or without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.codecs.csv_body import decode_csv, encode_csv
from server.errors import RequestError
from server.features import Schema
from server.manifest import Output
from server.model import Prediction
from server.request import Form, Request
from tests.support.schemas import a_mixed_schema, a_schema

CELLS = st.sampled_from(
    [
        "1",
        " 2.5 ",
        "-.5",
        "5.",
        "1e2",
        "",
        "e",
        "1_0",
        "nan",
        "1e999",
        "+-1",
        "- 1",
        "1e39",
        "٣",
        '"1"',
    ]
)


def refused(body: bytes, *, has_header: bool | None = None, mixed: bool = False) -> str:
    """Give what is said of a body."""
    with pytest.raises(RequestError) as caught:
        decode_csv(body, a_mixed_schema() if mixed else a_schema(), has_header=has_header)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "has_header"),
    [
        (b"5,0.2\n1,2\n", None),
        (b"5,0.2\r\n1,2\r\n\r\n", None),
        (b"5,0.2\r1,2", False),
        (b"\xef\xbb\xbf5, 0.2\n1,2", None),
        (b'"5","0.2"\n1,2', None),
        (b"length,width\n5,0.2\n1,2\n", None),
        (b"length,width\n5,0.2\n1,2\n", True),
        (b"width,length\n0.2,5\n2,1\n", None),
        (b' width ,"length"\r\n0.2,5\r\n2,1', True),
    ],
)
def test_rows_are_read_in_the_order_of_the_features(body: bytes, has_header: bool | None) -> None:
    request = decode_csv(body, a_schema(), has_header=has_header)

    assert (request.form, request.rows) == (Form.INSTANCES, [[5.0, 0.2], [1.0, 2.0]])


@given(
    names=st.sampled_from(
        [("length", "width"), ("1", "2"), ("a,b", "c"), ('"a"', "b"), (" a", "b "), ("a\nb", "c")]
    ),
    header=st.sampled_from(["{0},{1}", "{1},{0}", '"{0}","{1}"', "{0}", "{0},{1},", " {0},{1}"]),
    end=st.sampled_from(["\n", "\r\n", "\r", "\n\n", ""]),
    rest=st.sampled_from(["5,6", "5,6\n7,8\n", "", "5", "x,6"]),
    has_header=st.sampled_from([True, False, None]),
)
def test_a_header_read_quickly_is_the_one_read_exactly(
    names: tuple[str, str], header: str, end: str, rest: str, has_header: bool | None
) -> None:
    body = (header.format(*names) + end + rest).encode()
    schema = a_schema(names=names)
    exact_schema = replace(schema, plain_type=None, plain_writer=None, pack_rows=None)

    def read(schema: Schema) -> object:
        try:
            return decode_csv(body, schema, has_header=has_header).rows
        except RequestError as error:
            return str(error)

    assert read(schema) == read(exact_schema)


def test_features_called_by_numbers_have_a_header_only_where_it_is_exactly_theirs() -> None:
    schema = a_schema(names=["1", "2"])

    detected = decode_csv(b"2,1\n5,6", schema, has_header=None)
    absent = decode_csv(b"2,1\n5,6", schema, has_header=False)
    other = decode_csv(b"2,3\n5,6", schema, has_header=None)

    assert [detected.rows, absent.rows, other.rows] == [
        [[6.0, 5.0]],
        [[2.0, 1.0], [5.0, 6.0]],
        [[2.0, 3.0], [5.0, 6.0]],
    ]


@pytest.mark.parametrize(
    ("body", "has_header", "message"),
    [
        (b"length,breadth\n1,2", None, "the header line has no 'width'; it must name each feature"),
        (b"length,width,depth\n1,2,3", True, "the header line names 'depth'; it must name each"),
        (b"length,width,width\n1,2,3", True, "the header line names twice 'width'; it must name"),
        (b"1,2\n3,4", True, "the header line has no 'length'; it must name each feature once: len"),
        (b"length,width\n1,2", False, "instance 0, feature 'length': the string 'length' is given"),
        (b"length,width\n1,2\n1", None, "instance 1 has 1 features; it must be a list of 2 numbe"),
        (b"length,width\n", None, "the body (text/csv) is empty; give 1 to 3 instances"),
        (b"a,2", None, "instance 0, feature 'length': the string 'a' is given; it must be a numb"),
        (b"a,nan", None, "instance 0, feature 'length': the string 'a' is given; it must be a nu"),
        (b"a,b,c,d,e", None, "instance 0 has 5 features; it must be a list of 2 numbers (length"),
        (b"1,2\n" * 4, None, "the body (text/csv) has 4 instances; at most 3 are allowed in one"),
        (b'"1",2\n' * 5, None, "the body (text/csv) has 5 instances; at most 3 are allowed in"),
    ],
)
def test_wrong_headers_and_lines_are_named(
    body: bytes, has_header: bool | None, message: str
) -> None:
    assert message in refused(body, has_header=has_header)


def test_cells_of_every_type_are_read() -> None:
    body = b'note,ripe,colour,length\n"a, ""b""\nc",TRUE,red,\n,false,blue,1.5\n'

    request = decode_csv(body, a_mixed_schema(), has_header=None)

    assert request.rows == [[None, "red", True, 'a, "b"\nc'], [1.5, "blue", False, None]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"1,green,true,x", "feature 'colour': the string 'green' is given; it must be one of"),
        (b"1,,true,x", "feature 'colour': null is given; it must be one of 'blue', 'red'"),
        (b"1,red,yes,x", "feature 'ripe': the string 'yes' is given; it must be true or false"),
        (b"1,red,,x", "feature 'ripe': the string '' is given; it must be true or false"),
        (b"nan,red,true,x", "a finite number, or missing (null in JSON, an empty cell in CSV)"),
        (b"a,red,true,x", "the string 'a' is given; it must be a number, or missing"),
    ],
)
def test_cells_the_features_do_not_allow_are_refused(body: bytes, message: str) -> None:
    assert message in refused(body, mixed=True)


@given(
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=4),
    end=st.sampled_from(["\n", "\r", "\r\n", "\r\r\n"]),
)
def test_the_plain_reading_never_contradicts_the_exact_one(rows: list[list[str]], end: str) -> None:
    body = end.join(map(",".join, rows)).encode()
    exact_schema = replace(a_schema(), plain_type=None, plain_writer=None, pack_rows=None)

    def read(schema: Schema) -> object:
        try:
            request = decode_csv(body, schema, has_header=False)
        except RequestError as error:
            return str(error)
        return request.rows, [list(map(type, row)) for row in request.rows]

    assert read(a_schema()) == read(exact_schema)


def test_whole_numbers_are_exact() -> None:
    text = b"9007199254740993,-9223372036854775808\n18446744073709551616, 7 \n"

    plain = decode_csv(text, a_schema(), has_header=None)
    quoted = decode_csv(text.replace(b" 7 ", b'"7"'), a_schema(), has_header=None)

    assert plain.rows == quoted.rows == [[2**53 + 1, -(2**63)], [2.0**64, 7]]
    assert plain.text == (b"[[9007199254740993,-9223372036854775808],[18446744073709551616, 7 ]]")


def test_classes_and_probabilities_are_written_in_one_line() -> None:
    prediction = Prediction(
        labels=[1, 0],
        class_indexes=[1, 0],
        probabilities=np.array([[0.04, 0.96], [0.75, 0.25]], np.float32),
    )
    request = Request(Form.INSTANCES, [[1, 2], [3, 4]], a_schema())

    assert encode_csv(request, prediction, a_schema(), None) == (
        b'"ver,sicolor",0.04,0.96\nsetosa,0.75,0.25\n'
    )


@pytest.mark.parametrize(
    ("labels", "expected"),
    [([1.5, 2.0], b"1.5\n2.0\n"), ([[1.5, 2.0], [0.5, 1e22]], b"1.5,2.0\n0.5,1e+22\n")],
)
def test_values_are_written_in_one_line(labels: list[object], expected: bytes) -> None:
    schema = a_schema(classes=())
    prediction = Prediction(labels=labels, class_indexes=[], probabilities=None)

    answer = encode_csv(Request(Form.INSTANCES, [[1, 2], [3, 4]], schema), prediction, schema, None)

    assert answer == expected


def test_several_outputs_are_written_one_after_another() -> None:
    outputs = [Output(name="a", classes=("x", "y")), Output(name="b", classes=("z", "w"))]
    schema = a_schema(classes=(), outputs=outputs)
    prediction = Prediction(
        labels=[[0, 1]],
        class_indexes=[[0, 1]],
        probabilities=(np.array([[0.9, 0.1]]), np.array([[0.4, 0.6]])),
    )

    answer = encode_csv(Request(Form.INSTANCES, [[1, 2]], schema), prediction, schema, None)

    assert answer == b"x,0.9,0.1,w,0.4,0.6\n"
