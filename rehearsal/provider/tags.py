"""Tags: each service's own way to list, add and take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.provider.aws import Aws
from rehearsal.provider.entry import Change


@dataclass(frozen=True, kw_only=True)
class TagCalls:
    """The names a service uses for tags.

    Args:
        identifier: member that says which resource
        key, value: members of one tag; empty when tags are a map
    """

    service: str
    add: str
    remove: str
    list: str
    identifier: str
    tags: str = "Tags"
    keys: str = "TagKeys"
    key: str = "Key"
    value: str = "Value"
    listed: str = "Tags"


SAGEMAKER = TagCalls(
    service="sagemaker",
    add="AddTags",
    remove="DeleteTags",
    list="ListTags",
    identifier="ResourceArn",
)
ECR = TagCalls(
    service="ecr",
    add="TagResource",
    remove="UntagResource",
    list="ListTagsForResource",
    identifier="resourceArn",
    tags="tags",
    keys="tagKeys",
    listed="tags",
)
IAM_ROLE = TagCalls(
    service="iam",
    add="TagRole",
    remove="UntagRole",
    list="ListRoleTags",
    identifier="RoleName",
)
SNS = TagCalls(
    service="sns",
    add="TagResource",
    remove="UntagResource",
    list="ListTagsForResource",
    identifier="ResourceArn",
)
KMS = TagCalls(
    service="kms",
    add="TagResource",
    remove="UntagResource",
    list="ListResourceTags",
    identifier="KeyId",
    key="TagKey",
    value="TagValue",
)
CLOUDWATCH = TagCalls(
    service="cloudwatch",
    add="TagResource",
    remove="UntagResource",
    list="ListTagsForResource",
    identifier="ResourceARN",
)
APPLICATION_AUTO_SCALING = TagCalls(
    service="application-autoscaling",
    add="TagResource",
    remove="UntagResource",
    list="ListTagsForResource",
    identifier="ResourceARN",
    key="",
)


def tag_list(tags: Mapping[str, str] | None, calls: TagCalls = SAGEMAKER) -> Any:
    """Tags as the service takes them; None when there are none."""
    if not tags:
        return None
    if not calls.key:
        return dict(tags)
    return [{calls.key: key, calls.value: value} for key, value in sorted(tags.items())]


def tag_map(listed: Mapping[str, str] | Iterable[Mapping[str, str]], calls: TagCalls) -> Any:
    """What the service listed, as a map; AWS's own (`aws:`) left out as the real provider does."""
    pairs = (
        listed.items()
        if isinstance(listed, Mapping)
        else ((tag[calls.key], tag[calls.value]) for tag in listed)
    )
    return {key: value for key, value in pairs if not key.startswith("aws:")}


def read_tags(aws: Aws, calls: TagCalls, identifier: str) -> dict[str, dict[str, str]]:
    """The resource's `tags` and `tagsAll`, which in a bridged provider's state are the same."""
    answer = aws.call(calls.service, calls.list, **{calls.identifier: identifier})
    tags = tag_map(answer.get(calls.listed, []), calls)
    return {"tags": tags, "tagsAll": tags}


def update_tags(aws: Aws, calls: TagCalls, identifier: str, change: Change) -> None:
    """Take the tags that go, add those that are new or differ."""
    if not change.touches("tags"):
        return
    old: dict[str, str] = change.old.get("tags") or {}
    new: dict[str, str] = change.new.get("tags") or {}
    gone = sorted(set(old) - set(new))
    added = {key: value for key, value in new.items() if old.get(key) != value}
    if gone:
        names = {calls.identifier: identifier, calls.keys: gone}
        aws.call(calls.service, calls.remove, **names)
    if added:
        names = {calls.identifier: identifier, calls.tags: tag_list(added, calls)}
        aws.call(calls.service, calls.add, **names)
