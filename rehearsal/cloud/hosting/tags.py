"""Tags of models, endpoint configs and endpoints: rules, merging, pages. Pure.

Source: botocore sagemaker 2017-07-24, AddTags, ListTags, TagList; the AWS tagging conventions for
the reserved prefix. The texts are assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rehearsal.cloud.errors import validation_exception
from rehearsal.cloud.hosting.listing import offset_of

MAXIMUM_TAGS = 50
RESERVED_PREFIX = "aws:"


def merged_tags(kept: Mapping[str, str], given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the tags after some are added; a known key gets the new value.

    Raises:
        ApiError: a key twice in one request, a reserved key, or too many tags
    """
    keys = [tag["Key"] for tag in given]
    for key in keys:
        if keys.count(key) > 1:
            raise validation_exception(f"Tag keys must be unique, but '{key}' is given twice.")
        if key.lower().startswith(RESERVED_PREFIX):
            raise validation_exception(
                f"Tag key '{key}' begins with '{RESERVED_PREFIX}', which is reserved for AWS."
            )
    merged = {**kept, **{tag["Key"]: tag["Value"] for tag in given}}
    if len(merged) > MAXIMUM_TAGS:
        raise validation_exception(f"{len(merged)} tags are above the limit of {MAXIMUM_TAGS}.")
    return merged


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as the API shows them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_page(tags: Mapping[str, str], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return one page of ListTags."""
    start = offset_of(asked.get("NextToken"))
    end = start + asked.get("MaxResults", MAXIMUM_TAGS)
    answer: dict[str, Any] = {"Tags": tag_list(tags)[start:end]}
    if end < len(tags):
        answer["NextToken"] = str(end)
    return answer
