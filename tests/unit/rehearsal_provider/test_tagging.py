"""Default and ignored tags."""

from __future__ import annotations

import pytest

from rehearsal.provider.tagging import Tagging, as_told
from rehearsal.provider.value import UNKNOWN

TAGGING = Tagging(
    defaults={"team": "ml", "stage": "dev"}, ignored_keys=("cost",), ignored_prefixes=("sys:",)
)


@pytest.mark.source("pulumi-aws provider/tags.go, mergeTags")
def test_all_tags_are_defaults_and_own_without_ignored_ones() -> None:
    own = {"stage": "prod", "cost": "1", "sys:made": "2"}

    assert TAGGING.all_tags(own) == {"team": "ml", "stage": "prod"}
    assert TAGGING.all_tags(None) == {"team": "ml", "stage": "dev"}


@pytest.mark.source("pulumi-aws provider/tags.go, mergeTags")
@pytest.mark.parametrize("own", [UNKNOWN, {"a": UNKNOWN}])
def test_all_tags_are_unknown_while_one_is(own: object) -> None:
    assert TAGGING.all_tags(own) is UNKNOWN


@pytest.mark.source("pulumi-aws migration guide to version 7, tags")
def test_tags_are_a_resources_own_and_a_default_given_again_stays_so() -> None:
    found = {"name": "t", "tags": {"team": "ml", "stage": "dev", "cost": "1", "other": "x"}}

    assert TAGGING.split(found, {"stage": "dev"}) == {
        "name": "t",
        "tags": {"stage": "dev", "other": "x"},
        "tagsAll": {"team": "ml", "stage": "dev", "other": "x"},
    }


def test_aws_is_told_all_tags() -> None:
    assert as_told({"a": 1, "tags": {}, "tagsAll": {"b": "2"}}) == {"a": 1, "tags": {"b": "2"}}
    assert as_told({"a": 1}) == {"a": 1}
