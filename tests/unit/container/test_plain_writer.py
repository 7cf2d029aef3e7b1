"""Answers put together from pieces, and what is remembered of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from server.answers import answers
from server.codecs import json_body
from server.model import Prediction
from server.plain_writer import LARGEST_MEMO_BYTES, Heads, PlainWriter
from tests.support.schemas import a_schema

ODD_NAMES = ('50 % "of" it', "ä\n", "{}%b%%s", "a,b]")
ROWS = [[5, 0.2, -1e-7, 2**60], [1.5, 2, 0.0, 1e22], [0, 0, 0, 0]]
SHARES = hnp.arrays(
    dtype=st.sampled_from([np.float32, np.float64]),
    shape=st.tuples(st.integers(1, 3), st.just(3)),
    elements=st.floats(0, 1, width=32),
)


def told(rows: Any, prediction: Prediction, classes: tuple[str, ...]) -> Any:
    """Give what the rule says, as a client reads it."""
    manifest = a_schema(names=ODD_NAMES, classes=classes).manifest
    return json.loads(json_body({"all": list(answers(rows, prediction, manifest))}))["all"]


@given(shares=SHARES, data=st.data())
def test_what_is_written_of_classes_is_what_the_rule_says(shares: Any, data: Any) -> None:
    classes = ('"a"', "b%:0.0", "ü")
    writer = a_schema(names=ODD_NAMES, classes=classes).plain_writer
    rows = ROWS[: len(shares)]
    indexes = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    prediction = Prediction(labels=indexes, class_indexes=indexes, probabilities=shares)
    assert writer is not None

    first = writer.written(json.dumps(rows).encode(), prediction, b",")
    again = writer.written(json.dumps(rows, indent=1).encode(), prediction, b",")

    assert json.loads(b"[" + first + b"]") == told(rows, prediction, classes)
    assert first == again


@given(shares=SHARES)
def test_an_answer_in_bytes_predicts_the_first_greatest_class(shares: Any) -> None:
    classes = ("a", "b", "c")
    writer = a_schema(names=ODD_NAMES, classes=classes).plain_writer
    rows, exact = ROWS[: len(shares)], shares.astype(np.float64)
    indexes = exact.argmax(axis=1).tolist()
    prediction = Prediction(labels=indexes, class_indexes=indexes, probabilities=exact)
    assert writer is not None

    written = writer.written_of_bytes(json.dumps(rows).encode(), exact.tobytes(), b",")

    assert json.loads(b"[" + written + b"]") == told(rows, prediction, classes)


@pytest.mark.parametrize("count", [1, 3])
def test_what_is_written_of_values_is_what_the_rule_says(count: int) -> None:
    writer = a_schema(names=ODD_NAMES, classes=()).plain_writer
    values = [1.5, -2e-9, 3.0][:count]
    prediction = Prediction(labels=values, class_indexes=[], probabilities=None)
    text = json.dumps(ROWS[:count]).encode()
    assert writer is not None

    written = writer.written(text, prediction, b",")

    assert json.loads(b"[" + written + b"]") == told(ROWS[:count], prediction, ())
    assert writer.written_of_bytes(text, np.array(values).tobytes(), b",") == written


def test_classes_without_probabilities_are_written_alone() -> None:
    writer = a_schema().plain_writer
    prediction = Prediction(labels=["x", "y"], class_indexes=[1, 0], probabilities=None)
    assert writer is not None

    written = writer.written(b"[[1,2],[3,4]]", prediction, b"\n")

    assert written == (
        b'{"predicted_class":"ver,sicolor","predicted_class_index":1,'
        b'"input_features":{"length":1,"width":2}}\n'
        b'{"predicted_class":"setosa","predicted_class_index":0,'
        b'"input_features":{"length":3,"width":4}}'
    )


def test_a_float32_is_written_in_its_shortest_form() -> None:
    heads = Heads(("a", "b"))

    head = heads[(1, np.array([0.04, 0.96], np.float32).tobytes())]

    assert head == (
        b'{"predicted_class":"b","predicted_class_index":1,"confidence":0.96,'
        b'"probabilities":{"a":0.04,"b":0.96},"input_features":{'
    )


@pytest.fixture(scope="module")
def full() -> PlainWriter:
    """A writer after so many different rows that nothing more is remembered."""
    writer = a_schema(names=ODD_NAMES, classes=("a", "b", "c")).plain_writer
    assert writer is not None
    for number in range(4000):
        shares = np.array([number / 4000, 1 - number / 4000, 0.0])
        writer.written_of_bytes(b"[[0,0,0,0]]", shares.tobytes(), b",")
    return writer


def test_what_is_remembered_is_bounded() -> None:
    heads = Heads(("a", "b"))

    for number in range(5000):
        key = np.array([number / 5000, 1 - number / 5000]).tobytes()
        assert heads[key] == heads[key]

    assert heads.is_full
    assert sum(len(head) + len(kept) for kept, head in heads.items()) < LARGEST_MEMO_BYTES


@given(shares=SHARES)
def test_what_is_not_remembered_is_written_alike(full: PlainWriter, shares: Any) -> None:
    classes = ("a", "b", "c")
    writer = a_schema(names=ODD_NAMES, classes=classes).plain_writer
    exact = shares.astype(np.float64)
    indexes = exact.argmax(axis=1).tolist()
    prediction = Prediction(labels=indexes, class_indexes=indexes, probabilities=shares)
    text = json.dumps(ROWS[: len(shares)]).encode()
    assert writer is not None

    for separator in (b",", b"\n"):
        assert full.written(text, prediction, separator) == writer.written(
            text, prediction, separator
        )
        assert full.written_of_bytes(text, exact.tobytes(), separator) == (
            writer.written_of_bytes(text, exact.tobytes(), separator)
        )


def test_a_model_of_several_outputs_or_other_values_has_no_plain_writer() -> None:
    from server.manifest import Output
    from tests.support.schemas import a_mixed_schema

    assert a_mixed_schema().plain_writer is None
    assert a_schema(outputs=[Output(name="a", classes=())], classes=()).plain_writer is None
