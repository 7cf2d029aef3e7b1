"""What a request gives to the model and to its answer."""

from __future__ import annotations

import numpy as np

from server.request import Form, Request
from tests.support.schemas import a_mixed_schema, a_schema


def test_rows_are_made_inputs_when_they_are_needed() -> None:
    request = Request(Form.INSTANCES, [[5, 0.25]], a_schema())

    assert request.inputs["X"].tolist() == [[5.0, 0.25]]
    assert request.inputs is request.inputs


def test_packed_rows_are_the_input_without_a_copy() -> None:
    packed = np.array([[5, 0.25], [1, 2]], np.float32).tobytes()

    request = Request(Form.INSTANCES, [[0, 0], [0, 0]], a_schema(), packed=packed)

    assert request.inputs["X"].tolist() == [[5.0, 0.25], [1.0, 2.0]]
    assert not request.inputs["X"].flags.owndata


def test_plain_rows_are_written_where_there_is_no_text_of_them() -> None:
    given = Request(Form.INSTANCES, [[5, 0.25]], a_schema(), text=b" [[5.0, .25]]}")
    written = Request(Form.INSTANCES, [[5, 0.25]], a_schema())

    assert (given.text, written.text) == (b" [[5.0, .25]]}", b"[[5,0.25]]")


def test_rows_of_several_types_are_several_inputs() -> None:
    request = Request(Form.INSTANCES, [[1, "red", True, None]], a_mixed_schema())

    assert sorted(request.inputs) == ["length", "ripe", "texts"]
