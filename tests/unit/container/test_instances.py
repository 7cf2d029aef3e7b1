"""Which rows a model takes, and what is said of the others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import InvalidInstanceError
from server.features import Schema, schema_from_manifest
from server.instances import check_instances, is_plainly_valid, request_from_instances
from server.manifest import Feature, FeatureType, TensorType
from server.request import Form
from tests.support.manifests import a_manifest

NAMES = ("length", "width")
MAX_ROWS = 3
VALUES = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=2),
)
ANYTHING = st.one_of(VALUES, st.lists(st.one_of(VALUES, st.lists(VALUES, max_size=3)), max_size=4))


def a_schema(input_type: TensorType = TensorType.FLOAT32) -> Schema:
    features = [Feature(name=name, type=FeatureType.NUMBER) for name in NAMES]
    return schema_from_manifest(a_manifest(features, input_type), MAX_ROWS)


def converted(
    instances: Any, input_type: TensorType = TensorType.FLOAT32
) -> tuple[list[list[Any]], Any]:
    request = request_from_instances(
        instances, form=Form.INSTANCES, field="instances", schema=a_schema(input_type)
    )
    return [list(row) for row in request.rows], request.inputs["X"]


def test_rows_come_back_as_given_and_as_the_models_input() -> None:
    rows, matrix = converted([[5, 0.25], [1, 2]])

    assert rows == [[5, 0.25], [1, 2]]
    assert (matrix.dtype, matrix.tolist()) == (np.float32, [[5.0, 0.25], [1.0, 2.0]])


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        (
            None,
            "instances is null; give a list of instances, each a list of 2 numbers (length, width)",
        ),
        (
            {"a": 1},
            "instances is an object with keys ['a']; give a list of instances, each a list of 2 "
            "numbers (length, width)",
        ),
        ([], "instances is empty; give 1 to 3 instances"),
        (
            [[1, 2]] * 4,
            "instances has 4 instances; at most 3 are allowed in one request: split it",
        ),
        (
            [5.1, 3.5],
            "instance 0 is the number 5.1; each instance must be a list of 2 numbers "
            "(length, width), or an object with these names",
        ),
        (
            [[1, 2], "abc"],
            "instance 1 is the string 'abc'; each instance must be a list of 2 numbers "
            "(length, width), or an object with these names",
        ),
        (
            [[1, 2], [1, 2, 3]],
            "instance 1 has 3 features; it must be a list of 2 numbers (length, width)",
        ),
        ([[]], "instance 0 has 0 features; it must be a list of 2 numbers (length, width)"),
        (
            [[1, "5.1"]],
            "instance 0, feature 'width': the string '5.1' is given; it must be a number",
        ),
        ([[True, 1]], "instance 0, feature 'length': true is given; it must be a number"),
        ([[1, False]], "instance 0, feature 'width': false is given; it must be a number"),
        ([[None, 1]], "instance 0, feature 'length': null is given; it must be a number"),
        ([[[1], 1]], "instance 0, feature 'length': a list of 1 is given; it must be a number"),
        (
            [[1, {}]],
            "instance 0, feature 'width': an object with keys [] is given; it must be a number",
        ),
        (
            [[1, 2], [1, math.nan]],
            "instance 1, feature 'width': NaN is given; it must be a finite number",
        ),
        (
            [[math.inf, 2]],
            "instance 0, feature 'length': Infinity is given; it must be a finite number",
        ),
        (
            [[-math.inf, 2]],
            "instance 0, feature 'length': -Infinity is given; it must be a finite number",
        ),
        (
            [[1e39, 2]],
            "instance 0, feature 'length': the number 1e+39 is given; it must be at most "
            "±3.40282e+38",
        ),
        (
            [[1, 10**39]],
            "instance 0, feature 'width': the number 1000000000000000000000000000000000000000 is "
            "given; it must be at most ±3.40282e+38",
        ),
    ],
)
def test_wrong_rows_are_refused_with_what_was_given_and_what_is_allowed(
    instances: Any, message: str
) -> None:
    with pytest.raises(InvalidInstanceError) as caught:
        converted(instances)

    assert str(caught.value) == message


def test_the_error_carries_instance_and_feature_for_programs() -> None:
    with pytest.raises(InvalidInstanceError) as caught:
        converted([[1, 2], [1, None]])

    assert (caught.value.instance, caught.value.feature) == (1, "width")


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidInstanceError) as caught:
        converted([["x" * 1_000_000, 1]])

    assert len(str(caught.value)) < 200


def test_a_model_of_doubles_takes_what_a_float_cannot_hold() -> None:
    _, matrix = converted([[1e39, 2]], TensorType.FLOAT64)

    assert matrix.tolist() == [[1e39, 2.0]]


def test_an_integer_beyond_64_bits_is_given_back_as_a_float() -> None:
    rows = check_instances([[10**20, 2]], field="instances", schema=a_schema())

    assert (rows, type(rows[0][0])) == ([[1e20, 2]], float)


@given(instances=ANYTHING)
def test_the_plain_yes_never_contradicts_the_rule(instances: Any) -> None:
    plain = is_plainly_valid(instances, len(NAMES), MAX_ROWS)

    try:
        rows = check_instances(instances, field="instances", schema=a_schema(TensorType.FLOAT64))
    except InvalidInstanceError:
        assert not plain or not np.isfinite(np.array(instances, dtype=np.float64)).all()
    else:
        assert not plain or rows == instances


@given(instances=ANYTHING)
def test_whatever_is_accepted_is_finite_and_of_the_right_shape(instances: Any) -> None:
    try:
        rows, matrix = converted(instances)
    except InvalidInstanceError:
        return

    assert matrix.shape == (len(rows), len(NAMES))
    assert np.isfinite(matrix).all()
