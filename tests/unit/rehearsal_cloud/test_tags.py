"""Rules, merging and pages of tags."""

from __future__ import annotations

import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.hosting.tags import MAXIMUM_TAGS, merged_tags, tag_page


def tag(key: str, value: str = "v") -> dict[str, str]:
    return {"Key": key, "Value": value}


def test_a_known_key_gets_the_new_value_and_others_stay() -> None:
    assert merged_tags({"a": "1", "b": "2"}, [tag("b", "3"), tag("c", "4")]) == {
        "a": "1",
        "b": "3",
        "c": "4",
    }


@pytest.mark.assumed("the texts of refused tags are not known; the limits are the API reference's")
@pytest.mark.parametrize(
    ("kept", "given", "words"),
    [
        (0, [tag("a"), tag("a")], "'a' is given twice"),
        (0, [tag("aws:x")], "reserved for AWS"),
        (MAXIMUM_TAGS, [tag("one more")], "51 tags are above the limit of 50"),
    ],
)
def test_tags_a_resource_cannot_have_are_refused(
    kept: int, given: list[dict[str, str]], words: str
) -> None:
    with pytest.raises(ApiError, match=words):
        merged_tags({f"k{number}": "v" for number in range(kept)}, given)


@pytest.mark.source("botocore ListTagsInput, NextToken and MaxResults")
def test_tags_come_in_pages() -> None:
    tags = {f"k{number:02}": "v" for number in range(3)}

    first = tag_page(tags, {"MaxResults": 2})
    second = tag_page(tags, {"MaxResults": 2, "NextToken": first["NextToken"]})

    assert [each["Key"] for each in first["Tags"]] == ["k00", "k01"]
    assert second == {"Tags": [tag("k02")]}
