"""The short way of forests: it answers what the codecs answer, or leaves the request to them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from typing import Any, cast

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from automation.gate.forest import forest_bytes
from server.codecs import body_from_bytes, request_from_body
from server.content_type import JSON
from server.features import Schema, schema_from_manifest
from server.forest import compiled_forest
from server.manifest import Feature, FeatureType
from server.plain_forest import PlainAnswer, is_plain, plain_forest
from server.rsgi import Headers
from tests.support.forests import a_fitted_forest
from tests.support.manifests import a_manifest

greenlight_kernel: Any = pytest.importorskip(
    "greenlight_kernel", reason="no compiled kernel; install a C compiler, then run `make setup`"
)

MAX_ROWS = 5
WIDTH = 4
EXPLAIN = "x-greenlight-explain"


@cache
def both_ways(kind: type, classes: int) -> tuple[PlainAnswer, Schema, Any]:
    """Give the short way of a forest, and what the long way takes; fitted once."""
    fitted = a_fitted_forest(kind, classes=classes) if classes else a_fitted_forest(kind)
    forest = compiled_forest(fitted.content)
    assert forest is not None
    features = [
        Feature(name=f"x%{number}", type=FeatureType.NUMBER)
        for number in range(forest.feature_count)
    ]
    manifest = a_manifest(features, classes=[f"class {number}" for number in range(classes)])
    schema = schema_from_manifest(manifest, 100)
    short = plain_forest(schema, forest, MAX_ROWS)
    assert short is not None
    assert forest.feature_count == WIDTH
    return short, schema, forest


def the_long_way(body: bytes, schema: Schema, forest: Any) -> bytes | None:
    """Answer through the codecs."""
    request = request_from_body(JSON, body, schema)
    assert request.packed is not None
    return body_from_bytes(JSON, request, forest.predict(request.packed), schema)


def as_text(row: list[str]) -> str:
    return f"[{', '.join(row)}]"


numbers = st.one_of(
    st.integers(-1000, 1000).map(str),
    st.floats(-1e6, 1e6).map(lambda number: repr(round(number, 6))),
    st.floats(-1e6, 1e6).map(lambda number: f"{round(number, 6):.7E}"),
)
rows_of_numbers = st.lists(
    st.lists(numbers, min_size=WIDTH, max_size=WIDTH).map(as_text), min_size=1, max_size=MAX_ROWS
)


@pytest.mark.parametrize(
    ("kind", "classes"), [(RandomForestClassifier, 3), (RandomForestRegressor, 0)]
)
@given(rows=rows_of_numbers, blank=st.sampled_from(["", " ", "\n", "\t", "\r\n "]))
def test_it_answers_byte_for_byte_what_the_codecs_answer(
    kind: type, classes: int, rows: list[str], blank: str
) -> None:
    short, schema, forest = both_ways(kind, classes)
    whole = '{"instances":[' + ",".join(rows) + "]}"
    after_the_name = whole.partition(":")[2]
    for mark in "[],}":
        after_the_name = after_the_name.replace(mark, blank + mark + blank)
    body = f'{{"instances":{after_the_name}'.encode()

    assert short(body) == (the_long_way(body, schema, forest), len(rows))


def body_with(row: str) -> bytes:
    return b'{"instances":[[%b]]}' % row.encode()


PLAIN = b'{"instances": [[5.1, 3.5, 1.4, 0.2], [-6e-1, 30, 0.30000000000000004, 0]]}'


@given(
    place=st.integers(0, len(PLAIN)),
    removed=st.integers(0, 2),
    added=st.one_of(
        st.binary(max_size=2),
        st.text('[]{},:" \n\t.-+eE019', max_size=3).map(str.encode),
    ),
)
def test_a_body_is_answered_as_the_codecs_do_or_left_to_them(
    place: int, removed: int, added: bytes
) -> None:
    short, schema, forest = both_ways(RandomForestClassifier, 3)
    body = PLAIN[:place] + added + PLAIN[place + removed :]

    answered = short(body)

    if answered is not None:
        assert answered == (the_long_way(body, schema, forest), body.count(b"[") - 1)


ROW = "5.1, 3.5, 1.4, "


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"instances":',
        b'{"instances": [[1, 2',
        b'{"instances": []}',
        b'{"instances": [[]]}',
        b'{"features": [[1, 2, 3, 4]]}',
        b'[{"instances": [[1, 2, 3, 4]]}]',
        b'{\n"instances": [[1, 2, 3, 4]]}',
        b'{"instances": [[1, 2, 3, 4]]} {}',
        b'{"instances": [[1, 2, 3, 4]]}\x00',
        b'{"instances": [[1, 2, 3, 4]\x00]}',
        b'{"instances": [[1, 2, 3, 4],]}',
        b'{"instances": [[1, 2, 3, 4]}',
        b'{"instances": [1, 2, 3, 4]}',
        b'{"instances": [[[1, 2, 3, 4]]]}',
        b'{"instances": [[1, 2, 3, 4], [1, 2, 3]]}',
        b'{"instances": [[1, 2, 3], [1, 2, 3, 4, 5]]}',
        b'{"instances": "a:b,,,"}',
        b'{"instances": [[1, 2, 3, 4]], "explain": true}',
        b'{"instances": [[1, 2, 3, 4]], "instances": [[1, 2, 3, 4]]}',
        b'{"instances": [' + b",".join([b"[1, 2, 3, 4]"] * (MAX_ROWS + 1)) + b"]}",
        *(
            body_with(ROW + last)
            for last in (
                *("", "true", "null", '"1"', "NaN", "Infinity", "-Infinity", "nan", "inf"),
                *("+1", "-", "--1", "01", "-01", "00", ".5", "1.", "-.5", "1.e1", "1e", "1e+"),
                *("1e1.5", "0x1", "1_0", "1 0", "1;", "1,", "\u0661", "1\u00a0", "1\x0b"),
                # Numbers, but too odd or too large to be certain of.
                *("-0", "1e23", "1e-23", "1e99999999999999999999", "9" * 20, "3.5e38", "-1e39"),
                *("0.1000000000000000055511151231257827", "1.0000000596046448"),
            )
        ),
    ],
)
def test_what_is_not_plain_is_left_to_the_codecs(body: bytes) -> None:
    short, _, _ = both_ways(RandomForestClassifier, 3)

    assert short(body) is None


@cache
def a_tree_of_two_thresholds() -> DecisionTreeRegressor:
    """Answers 0 up to the first threshold, 1 up to the second, and 2 above it."""
    return DecisionTreeRegressor(random_state=0).fit([[0], [1], [2]], [0, 1, 2])


def is_read_as(text: str, expected: np.float32) -> bool | None:
    """Tell whether the kernel reads just this number from a text; None where it does not."""
    tree = a_tree_of_two_thresholds()
    tree.tree_.threshold[[0, 2]] = np.nextafter(expected, np.float32(-np.inf)), expected
    forest = compiled_forest(forest_bytes(tree) or b"")
    found: list[float] = []

    def begin(answer: bytes) -> list[bytes]:
        found.extend(np.frombuffer(answer).tolist())
        return [b""]

    answered = greenlight_kernel.PlainAnswers(
        forest, begin, b"<", b"", (b"", b""), b"", b"", 1
    ).answer(b"<[[%b]]}" % text.encode())

    assert answered == ((text.encode(), 1) if found else None)
    return found == [1] if found else None


def beside(number: float, steps: int) -> float:
    for _ in range(abs(steps)):
        number = math.nextafter(number, math.copysign(math.inf, steps))
    return number


float32s = st.floats(width=32, allow_nan=False, allow_infinity=False)
halves = st.builds(  # where a float64 is rounded to one float32 or to the next
    lambda number, steps: beside(
        (float(number) + float(np.nextafter(np.float32(number), np.float32(0)))) / 2, steps
    ),
    float32s,
    st.integers(-3, 3),
)
any_float = st.one_of(st.floats(allow_nan=False, allow_infinity=False), float32s, halves)
texts = st.one_of(
    any_float.map(repr),
    st.builds(lambda number, digits: f"{number:.{digits}e}", any_float, st.integers(0, 19)),
    st.builds(
        lambda number, digits: f"{number:.{digits}f}", st.floats(-1e9, 1e9), st.integers(0, 19)
    ),
    st.integers(-(2**65), 2**65).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)


@given(text=texts)
def test_a_number_is_read_as_the_json_library_and_numpy_read_it_or_not_at_all(text: str) -> None:
    with np.errstate(over="ignore"):
        expected = np.float32(float(text))
        try:
            assert np.float32(orjson.loads(text)) == expected
        except orjson.JSONDecodeError:
            expected = np.float32(np.inf)  # too large a double

    if not np.isfinite(expected):
        assert is_read_as(text, np.float32(0)) is None
    else:
        assert is_read_as(text, expected) in (None, True)


@given(
    digits=st.integers(-(10**15), 10**15),
    scale=st.integers(-21, 21),
    form=st.sampled_from(["{0}.0e{1}", "{0}.0E{1:+03}"]),
)
def test_numbers_of_fifteen_digits_are_read(digits: int, scale: int, form: str) -> None:
    text = form.format(digits, scale)

    assert is_read_as(text, np.float32(float(text))) is True


@pytest.mark.parametrize(
    "text",
    ["0.30000000000000004", "5.1000000000000005", "-123.45678901234567", "0.1000000", "-0.0"],
)
def test_numbers_as_long_as_python_writes_them_are_read(text: str) -> None:
    assert is_read_as(text, np.float32(float(text))) is True


def test_numbers_are_read_up_to_the_largest_float32() -> None:
    largest = np.finfo(np.float32).max

    assert is_read_as("34028234663852886e22", largest) is True
    assert is_read_as("34028235677973366e22", largest) is None
    assert is_read_as("-99999999999999999e22", largest) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, True),
        ({"content-type": "application/json", "accept": "*/*"}, True),
        ({"accept": "application/json"}, True),
        ({"content-type": "text/csv"}, False),
        ({"content-type": "application/json; charset=utf-16"}, False),
        ({"accept": "text/csv"}, False),
        ({"content-encoding": "gzip"}, False),
        ({EXPLAIN: "false"}, False),
    ],
)
def test_only_headers_that_ask_for_json_alone_are_plain(
    headers: dict[str, str], expected: bool
) -> None:
    assert is_plain(cast(Headers, headers), EXPLAIN) is expected


def test_a_model_with_other_than_numbers_has_no_short_way() -> None:
    features = [Feature(name="color", type=FeatureType.STRING)]
    schema = schema_from_manifest(a_manifest(features, classes=["a", "b"]), 100)
    _, _, forest = both_ways(RandomForestClassifier, 3)

    assert plain_forest(schema, forest, MAX_ROWS) is None


def test_more_rows_than_a_request_may_have_are_left_to_be_refused() -> None:
    _, schema, forest = both_ways(RandomForestClassifier, 3)
    short = plain_forest(replace(schema, max_rows=2), forest, MAX_ROWS)
    body = json.dumps({"instances": [[1, 2, 3, 4]] * 3}).encode()
    assert short is not None

    assert short(body) is None
    assert short(json.dumps({"instances": [[1, 2, 3, 4]] * 2}).encode()) is not None


def plain_answers(begin: Any, names: Any = (b"n",) * WIDTH + (b"}",)) -> Any:
    _, _, forest = both_ways(RandomForestClassifier, 3)
    return greenlight_kernel.PlainAnswers(forest, begin, b"<", b"", names, b"", b"", 1)


@pytest.mark.parametrize("given", [None, (b"head",), [], [b"head"] * 2, ["head"]])
def test_heads_that_do_not_fit_the_rows_are_an_error(given: Any) -> None:
    answers = plain_answers(lambda answer: given)

    with pytest.raises(ValueError, match=r"one head for each row|give bytes alone"):
        answers.answer(b"<[[1,2,3,4]]}")


def test_what_a_head_fails_with_is_not_hidden() -> None:
    answers = plain_answers(lambda answer: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        answers.answer(b"<[[1,2,3,4]]}")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "0 names given; give 5, one for each feature, and the end"),
        ((b"n",) * 4, "4 names given; give 5"),
        ((b"n",) * 4 + ("}",), "give bytes alone"),
    ],
)
def test_names_that_do_not_fit_the_forest_are_refused(names: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plain_answers(lambda answer: [b""], names)


def test_other_types_are_refused() -> None:
    answers = plain_answers(lambda answer: [b""])

    with pytest.raises(TypeError, match="give a body that is bytes"):
        answers.answer("<[[1,2,3,4]]}")
    with pytest.raises(TypeError, match=r"must be greenlight_kernel\.Forest"):
        greenlight_kernel.PlainAnswers(b"", None, b"", b"", (), b"", b"", 1)
