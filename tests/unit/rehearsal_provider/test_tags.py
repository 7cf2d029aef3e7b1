"""Tags: only what differs is called for."""

from __future__ import annotations

from rehearsal.provider.entry import Change
from rehearsal.provider.tags import (
    APPLICATION_AUTO_SCALING,
    KMS,
    SAGEMAKER,
    read_tags,
    tag_list,
    update_tags,
)
from tests.support.scripted_aws import ScriptedAws


def a_change(old: dict[str, str], new: dict[str, str]) -> Change:
    return Change(
        identifier="id", old={"tags": old}, new={"tags": new}, properties=frozenset({"tags"})
    )


def test_tags_are_listed_in_the_services_own_words() -> None:
    tags = {"b": "2", "a": "1"}

    assert tag_list(tags) == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert tag_list(tags, KMS)[0] == {"TagKey": "a", "TagValue": "1"}
    assert tag_list(tags, APPLICATION_AUTO_SCALING) == tags
    assert tag_list({}) is None


def test_awss_own_tags_are_not_read() -> None:
    listed = [{"Key": "a", "Value": "1"}, {"Key": "aws:created", "Value": "x"}]
    aws = ScriptedAws({"ListTags": [{"Tags": listed}]})

    assert read_tags(aws, SAGEMAKER, "arn") == {"tags": {"a": "1"}, "tagsAll": {"a": "1"}}


def test_only_tags_that_differ_are_sent() -> None:
    aws = ScriptedAws({})

    update_tags(aws, SAGEMAKER, "arn", a_change({"a": "1", "b": "2"}, {"b": "2", "c": "3"}))

    assert aws.members_of("DeleteTags") == {"ResourceArn": "arn", "TagKeys": ["a"]}
    assert aws.members_of("AddTags")["Tags"] == [{"Key": "c", "Value": "3"}]


def test_nothing_is_called_when_tags_are_not_part_of_the_change() -> None:
    aws = ScriptedAws({})
    change = Change(identifier="id", old={}, new={"tags": {"a": "1"}}, properties=frozenset())

    update_tags(aws, SAGEMAKER, "arn", change)

    assert aws.times("AddTags") == 0
