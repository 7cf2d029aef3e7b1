"""Properties to AWS members and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.provider.convert import members_from_values, values_from_members
from rehearsal.provider.entry import ProviderError
from rehearsal.provider.enumeration import shape_named
from rehearsal.provider.schema import read_schema
from rehearsal.provider.types.sagemaker import CONFIGURATION_RENAMES, CONFIGURATION_SCHEMA

VARIANT = shape_named("sagemaker", "ProductionVariant")


def test_members_are_found_whatever_their_case() -> None:
    members = members_from_values({"volumeSizeInGb": 5, "enableSsmAccess": True}, VARIANT)

    assert members == {"VolumeSizeInGB": 5, "EnableSSMAccess": True}


def test_a_block_that_pulumi_holds_as_a_list_becomes_one_structure_and_back() -> None:
    variant = {"routingConfigs": [{"routingStrategy": "RANDOM"}]}
    element = read_schema(CONFIGURATION_SCHEMA).inputs["productionVariants"].element
    assert element is not None

    members = members_from_values(variant, VARIANT, CONFIGURATION_RENAMES)
    values = values_from_members(members, element.members, CONFIGURATION_RENAMES)

    assert members == {"RoutingConfig": {"RoutingStrategy": "RANDOM"}}
    assert values == variant


def test_texts_become_the_numbers_that_the_service_takes_and_texts_again() -> None:
    adjustment = shape_named("application-autoscaling", "StepAdjustment")

    members = members_from_values({"metricIntervalLowerBound": "1.5"}, adjustment)

    assert members == {"MetricIntervalLowerBound": 1.5}


def test_a_property_without_a_member_is_refused_by_name() -> None:
    with pytest.raises(ProviderError, match="'colour' has no member in ProductionVariant"):
        members_from_values({"colour": "blue"}, VARIANT)


@given(
    count=st.integers(min_value=1, max_value=100),
    weight=st.floats(min_value=0, max_value=100, allow_nan=False),
    name=st.from_regex(r"[a-z]{1,20}", fullmatch=True),
)
def test_what_goes_out_comes_back(count: int, weight: float, name: str) -> None:
    variant = {"variantName": name, "initialInstanceCount": count, "initialVariantWeight": weight}
    element = read_schema(CONFIGURATION_SCHEMA).inputs["productionVariants"].element
    assert element is not None

    members = members_from_values(variant, VARIANT, CONFIGURATION_RENAMES)

    assert values_from_members(members, element.members, CONFIGURATION_RENAMES) == variant
