"""URNs and what can be read from them."""

from __future__ import annotations

import pytest

from rehearsal.engine.urn import (
    is_default_provider,
    is_provider,
    make_urn,
    name_of,
    package_of,
    parse_reference,
    type_of,
)

STACK = "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev"


def test_a_child_carries_the_types_of_its_ancestors_but_not_the_stacks() -> None:
    def urn(parent: str, token: str, name: str) -> str:
        return make_urn(stack="dev", project="p", parent=parent, type_token=token, name=name)

    component = urn(STACK, "my:index:C", "c")
    child = urn(component, "aws:s3/bucket:Bucket", "b::x")

    assert component == "urn:pulumi:dev::p::my:index:C::c"
    assert child == "urn:pulumi:dev::p::my:index:C$aws:s3/bucket:Bucket::b::x"
    assert type_of(child) == "aws:s3/bucket:Bucket"
    assert name_of(child) == "b::x"


@pytest.mark.parametrize(
    ("name", "default"),
    [("default", True), ("default_7_51_1", True), ("defaulted", False), ("mine", False)],
)
def test_default_providers_are_known_by_their_name(name: str, default: bool) -> None:
    urn = f"urn:pulumi:dev::p::pulumi:providers:aws::{name}"

    assert is_provider(urn)
    assert is_default_provider(urn) is default
    assert not is_default_provider(f"urn:pulumi:dev::p::my:index:C::{name}")


def test_the_package_of_a_provider_is_the_one_it_provides() -> None:
    assert package_of("pulumi:providers:aws") == "aws"
    assert package_of("aws:s3/bucket:Bucket") == "aws"


def test_a_reference_ends_in_the_id() -> None:
    assert parse_reference("urn:a::b::c::d::id-1") == ("urn:a::b::c::d", "id-1")
    assert parse_reference("") == ("", "")
