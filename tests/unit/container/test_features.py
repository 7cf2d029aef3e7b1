"""What features allow, and rows as the model's inputs."""

from __future__ import annotations

import numpy as np
import pytest

from server.errors import InvalidInstanceError
from server.features import FLOATS, Schema, inputs_from_rows, schema_from_manifest
from server.instances import check_instances
from server.manifest import Feature, FeatureType, ModelInput, TensorType
from tests.support.manifests import a_manifest
from tests.support.schemas import a_mixed_schema, a_number, a_schema


def a_schema_of(feature: Feature, *types: TensorType) -> Schema:
    """Give the schema of a model that is fed one feature in inputs of several types."""
    inputs = [ModelInput(name=type_, type=type_, features=(feature.name,)) for type_ in types]
    return schema_from_manifest(a_manifest([feature], inputs=inputs), 3)


@pytest.mark.parametrize("tensor", list(FLOATS))
def test_only_a_single_tensor_of_unrestricted_numbers_is_plain(tensor: TensorType) -> None:
    missing = Feature(name="a", type=FeatureType.NUMBER, allows_missing=True)
    closed = Feature(name="a", type=FeatureType.NUMBER, categories=(1, 2))
    boolean = Feature(name="a", type=FeatureType.BOOLEAN)

    assert a_schema(tensor=tensor).plain_type is FLOATS[tensor]
    for other in (missing, closed, boolean):
        assert a_schema_of(other, tensor).plain_type is None
    assert a_schema_of(a_number("a"), tensor, TensorType.INT64).plain_type is None


def test_columns_may_be_fed_in_another_order_and_twice() -> None:
    inputs = [
        ModelInput(name="both", type=TensorType.FLOAT32, features=("width", "length")),
        ModelInput(name="one", type=TensorType.INT64, features=("width",)),
    ]
    schema = schema_from_manifest(
        a_manifest([a_number("length"), a_number("width")], inputs=inputs), 3
    )

    fed = inputs_from_rows([[0.5, 2], [1.5, 3.0]], schema)

    assert fed["both"].tolist() == [[2.0, 0.5], [3.0, 1.5]]
    assert (fed["one"].tolist(), str(fed["one"].dtype)) == ([[2], [3]], "int64")
    assert all(tensor.flags.c_contiguous for tensor in fed.values())


def test_whole_numbers_of_64_bits_are_fed_exactly() -> None:
    schema = a_schema_of(a_number("a"), TensorType.INT64)

    rows = check_instances([[2**63 - 1], [-(2**53) - 1], [5.0]], field="", schema=schema)

    assert inputs_from_rows(rows, schema)["int64"].tolist() == [[2**63 - 1], [-(2**53) - 1], [5]]


@pytest.mark.parametrize(
    ("tensor", "value", "wanted"),
    [
        (TensorType.INT64, 0.5, "a whole number"),
        (TensorType.INT64, 2**63, "at most ±9.22337e+18"),
        (TensorType.FLOAT32, 3.402823567797337e38, "at most ±3.40282e+38"),
        (TensorType.FLOAT64, 10**400, "at most ±1.79769e+308"),
    ],
)
def test_numbers_beyond_the_input_are_refused(
    tensor: TensorType, value: float, wanted: str
) -> None:
    schema = a_schema_of(a_number("a"), tensor)

    with pytest.raises(InvalidInstanceError) as caught:
        check_instances([[value]], field="", schema=schema)

    assert str(caught.value).endswith(f"it must be {wanted}")


def test_the_largest_number_is_the_last_that_does_not_become_infinite() -> None:
    largest = a_schema_of(a_number("a"), TensorType.FLOAT32).rules[0].largest

    with np.errstate(over="ignore"):
        fed = np.array([largest, np.nextafter(largest, np.inf)]).astype(np.float32)

    assert np.isfinite(fed).tolist() == [True, False]


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (TensorType.BOOL, [[True], [False]]),
        (TensorType.FLOAT32, [[1.0], [0.0]]),
        (TensorType.INT64, [[1], [0]]),
    ],
)
def test_booleans_are_fed_as_the_input_takes_them(
    tensor: TensorType, expected: list[list[object]]
) -> None:
    schema = a_schema_of(Feature(name="a", type=FeatureType.BOOLEAN), tensor)

    assert inputs_from_rows([[True], [False]], schema)[tensor].tolist() == expected


def test_a_missing_text_or_boolean_is_none_for_scikit_learn() -> None:
    features = [
        Feature(name="text", type=FeatureType.STRING, allows_missing=True),
        Feature(name="flag", type=FeatureType.BOOLEAN, allows_missing=True),
    ]
    inputs = [
        ModelInput(name="text", type=TensorType.STRING, features=("text",), missing=None),
        ModelInput(name="flag", type=TensorType.BOOL, features=("flag",), missing=None),
    ]
    schema = schema_from_manifest(a_manifest(features, inputs=inputs), 3)

    fed = inputs_from_rows([[None, True], ["a\0", None]], schema)

    assert fed["text"].tolist() == [[None], ["a\0"]]
    assert fed["flag"].tolist() == [[True], [None]]


def test_closed_categories_are_told_by_the_first_of_them() -> None:
    codes = tuple(f"{number:02d}" for number in range(30))
    schema = schema_from_manifest(
        a_manifest(
            [Feature(name="code", type=FeatureType.STRING, categories=codes)],
            inputs=[ModelInput(name="X", type=TensorType.STRING, features=("code",))],
        ),
        3,
    )

    with pytest.raises(InvalidInstanceError) as caught:
        check_instances([["31"]], field="", schema=schema)

    assert "it must be one of '00', '01', '02'" in str(caught.value)
    assert str(caught.value).endswith("'09' or 20 more")


def test_without_the_kernel_nothing_is_packed() -> None:
    assert a_schema(with_kernel=False).pack_rows is None
    assert a_schema(tensor=TensorType.FLOAT64).pack_rows is None
    assert a_mixed_schema().pack_rows is None
