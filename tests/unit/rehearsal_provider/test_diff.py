"""Diff: same, update or replace, for every type that matters, from the real provider's schema."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.provider.diff import Difference, DiffKind, diff, shaped_like
from rehearsal.provider.registry import AWS, DOCKER
from rehearsal.provider.value import ASSET, UNKNOWN, Asset, Values

ENDPOINT = "aws:sagemaker/endpoint:Endpoint"
BUCKET = "aws:s3/bucket:Bucket"
POLICY = '{"Version": "2012-10-17", "Statement": []}'
SAME_POLICY = '{"Statement":[],"Version":"2012-10-17"}'


def difference(
    token: str, old: Values, new: Values, outputs: Values | None = None, **members: Any
) -> Difference:
    """Compare inputs; outputs are the old inputs unless given."""
    types = {**AWS.types, **DOCKER.types}
    held = {name: value for name, value in old.items() if name != "__defaults"}
    return diff(
        types[token],
        old_inputs=old,
        old_outputs=held if outputs is None else outputs,
        news=new,
        **members,
    )


def test_the_same_inputs_are_no_difference() -> None:
    found = difference(
        BUCKET, {"bucket": "b", "tags": {"a": "1"}}, {"bucket": "b", "tags": {"a": "1"}}
    )

    assert dict(found.detailed) == {}
    assert found.replaces == ()


# One row per decision: the type, the changed property, before, after, and whether it replaces.
DECISIONS = [
    (BUCKET, "bucket", "a", "b", True),
    (BUCKET, "forceDestroy", False, True, False),
    (BUCKET, "tags", {"a": "1"}, {"a": "2"}, False),
    ("aws:s3/bucketVersioning:BucketVersioning", "bucket", "a", "b", True),
    (
        "aws:s3/bucketVersioning:BucketVersioning",
        "versioningConfiguration",
        {"status": "Enabled"},
        {"status": "Suspended"},
        False,
    ),
    ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "bucket", "a", "b", True),
    (
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "blockPublicAcls",
        True,
        False,
        False,
    ),
    ("aws:s3/bucketObjectv2:BucketObjectv2", "key", "a", "b", True),
    ("aws:s3/bucketObjectv2:BucketObjectv2", "content", "a", "b", False),
    ("aws:s3/bucketObjectv2:BucketObjectv2", "contentType", "a/b", "c/d", False),
    ("aws:ecr/repository:Repository", "name", "a", "b", True),
    ("aws:ecr/repository:Repository", "imageTagMutability", "MUTABLE", "IMMUTABLE", False),
    (
        "aws:ecr/repository:Repository",
        "encryptionConfigurations",
        [{"encryptionType": "AES256"}],
        [{"encryptionType": "KMS"}],
        True,
    ),
    ("aws:ecr/lifecyclePolicy:LifecyclePolicy", "repository", "a", "b", True),
    ("aws:ecr/lifecyclePolicy:LifecyclePolicy", "policy", "{}", POLICY, False),
    ("aws:iam/role:Role", "name", "a", "b", True),
    ("aws:iam/role:Role", "path", "/", "/x/", True),
    ("aws:iam/role:Role", "assumeRolePolicy", "{}", POLICY, False),
    ("aws:iam/role:Role", "maxSessionDuration", 3600, 7200, False),
    ("aws:iam/rolePolicy:RolePolicy", "role", "a", "b", True),
    ("aws:iam/rolePolicy:RolePolicy", "policy", "{}", POLICY, False),
    ("aws:sns/topic:Topic", "name", "a", "b", True),
    ("aws:sns/topic:Topic", "displayName", "a", "b", False),
    ("aws:kms/key:Key", "keyUsage", "ENCRYPT_DECRYPT", "SIGN_VERIFY", True),
    ("aws:kms/key:Key", "description", "a", "b", False),
    ("aws:kms/key:Key", "enableKeyRotation", False, True, False),
    ("aws:sagemaker/model:Model", "executionRoleArn", "a", "b", True),
    ("aws:sagemaker/model:Model", "primaryContainer", {"image": "a"}, {"image": "b"}, True),
    ("aws:sagemaker/model:Model", "tags", {}, {"a": "1"}, False),
    (
        "aws:sagemaker/endpointConfiguration:EndpointConfiguration",
        "productionVariants",
        [{"modelName": "a"}],
        [{"modelName": "b"}],
        True,
    ),
    ("aws:sagemaker/endpointConfiguration:EndpointConfiguration", "tags", {}, {"a": "1"}, False),
    (ENDPOINT, "name", "a", "b", True),
    (ENDPOINT, "endpointConfigName", "a", "b", False),
    (
        ENDPOINT,
        "deploymentConfig",
        {"blueGreenUpdatePolicy": {"terminationWaitInSeconds": 0}},
        {"blueGreenUpdatePolicy": {"terminationWaitInSeconds": 60}},
        False,
    ),
    (
        ENDPOINT,
        "deploymentConfig",
        {"autoRollbackConfiguration": {"alarms": [{"alarmName": "a"}]}},
        {"autoRollbackConfiguration": {"alarms": [{"alarmName": "b"}]}},
        True,
    ),
    ("aws:appautoscaling/target:Target", "resourceId", "a", "b", True),
    ("aws:appautoscaling/target:Target", "maxCapacity", 2, 4, False),
    ("aws:appautoscaling/policy:Policy", "name", "a", "b", True),
    ("aws:appautoscaling/policy:Policy", "resourceId", "a", "b", True),
    (
        "aws:appautoscaling/policy:Policy",
        "targetTrackingScalingPolicyConfiguration",
        {"targetValue": 1},
        {"targetValue": 2},
        False,
    ),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "name", "a", "b", True),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "threshold", 1, 2, False),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "dimensions", {"a": "1"}, {"a": "2"}, False),
    ("aws:cloudwatch/dashboard:Dashboard", "dashboardName", "a", "b", True),
    ("aws:cloudwatch/dashboard:Dashboard", "dashboardBody", "{}", POLICY, False),
    ("docker:index/image:Image", "imageName", "a", "b", False),
    ("docker:index/image:Image", "build", {"contextDigest": "a"}, {"contextDigest": "b"}, False),
]


@pytest.mark.parametrize(
    ("token", "name", "before", "after", "replaces"),
    DECISIONS,
    ids=[f"{row[0].rpartition(':')[2]}-{row[1]}-{index}" for index, row in enumerate(DECISIONS)],
)
def test_a_change_replaces_or_updates_as_the_real_provider_says(
    token: str, name: str, before: Any, after: Any, replaces: bool
) -> None:
    found = difference(token, {name: before}, {name: after})

    assert found.properties == {name}
    assert found.replaces == ((name,) if replaces else ())


def test_every_type_has_a_decision() -> None:
    decided = {row[0] for row in DECISIONS}
    untested = {
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    }

    assert decided | untested == {*AWS.types, *DOCKER.types}


def test_encryption_of_another_bucket_replaces_and_another_rule_updates() -> None:
    (token,) = (name for name in AWS.types if "Encryption" in name)

    assert difference(token, {"bucket": "a"}, {"bucket": "b"}).replaces == ("bucket",)
    assert difference(token, {"rules": []}, {"rules": [{"bucketKeyEnabled": True}]}).replaces == ()


def test_paths_and_kinds_say_what_was_added_taken_and_changed() -> None:
    old = {"tags": {"gone": "1", "kept": "2", "changed": "3", "with space": "4"}}
    new = {"tags": {"new": "1", "kept": "2", "changed": "0", "with space": "5"}}

    found = difference(BUCKET, old, new)

    assert dict(found.detailed) == {
        "tags.gone": DiffKind.DELETE,
        "tags.new": DiffKind.ADD,
        "tags.changed": DiffKind.UPDATE,
        'tags["with space"]': DiffKind.UPDATE,
    }


def test_a_replacing_change_says_so_in_its_kind() -> None:
    found = difference(BUCKET, {"bucket": "a"}, {"bucket": "b"})

    assert dict(found.detailed) == {"bucket": DiffKind.UPDATE_REPLACE}


@pytest.mark.assumed(
    "auto_rollback_configuration is ForceNew; that an edit inside it replaces too is read from that"
)
@pytest.mark.parametrize("after", ["b", None], ids=["another alarm", "no alarms"])
def test_any_edit_of_the_rollback_alarms_replaces_the_endpoint(after: str | None) -> None:
    def deployment(alarm: str | None) -> Values:
        policy: Values = {"blueGreenUpdatePolicy": {"terminationWaitInSeconds": 60}}
        alarms = {"autoRollbackConfiguration": {"alarms": [{"alarmName": alarm}]}}
        return {"deploymentConfig": policy if alarm is None else {**policy, **alarms}}

    assert difference(ENDPOINT, deployment("a"), deployment(after)).replaces == (
        "deploymentConfig",
    )


def test_a_given_and_kept_name_is_deleted_before_it_is_replaced() -> None:
    alarms = {"autoRollbackConfiguration": {"alarms": [{"alarmName": "a"}]}}
    old = {"name": "wine", "endpointConfigName": "c", "__defaults": []}

    found = difference(ENDPOINT, old, {**old, "deploymentConfig": alarms})

    assert found.replaces == ("deploymentConfig",)
    assert found.delete_before_replace


def test_an_automatic_name_is_replaced_first() -> None:
    old = {"name": "wine-1", "executionRoleArn": "a", "__defaults": ["name"]}

    found = difference("aws:sagemaker/model:Model", old, {**old, "executionRoleArn": "b"})

    assert found.replaces == ("executionRoleArn",)
    assert not found.delete_before_replace


def test_a_changed_name_collides_with_nothing() -> None:
    old = {"name": "a", "__defaults": []}

    assert not difference(ENDPOINT, old, {**old, "name": "b"}).delete_before_replace


def test_a_drift_that_a_refresh_found_is_a_difference() -> None:
    inputs = {"endpointConfigName": "new"}

    found = difference(ENDPOINT, inputs, inputs, outputs={"endpointConfigName": "old"})

    assert dict(found.detailed) == {"endpointConfigName": DiffKind.UPDATE}


def test_what_the_service_filled_in_is_no_difference() -> None:
    inputs = {"productionVariants": [{"modelName": "a"}]}
    outputs = {"productionVariants": [{"modelName": "a", "volumeSizeInGb": 30}], "arn": "x"}
    token = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"

    assert dict(difference(token, inputs, inputs, outputs).detailed) == {}


def test_a_computed_input_that_is_left_out_is_no_difference() -> None:
    token = "aws:appautoscaling/target:Target"

    assert dict(difference(token, {"roleArn": "r"}, {}).detailed) == {}


def test_an_input_taken_out_is_a_difference_unless_it_meant_nothing() -> None:
    found = difference("aws:sns/topic:Topic", {"displayName": "x"}, {})
    nothing = difference("aws:sns/topic:Topic", {"displayName": ""}, {})

    assert dict(found.detailed) == {"displayName": DiffKind.DELETE}
    assert dict(nothing.detailed) == {}


def test_an_unknown_value_is_a_difference() -> None:
    old = {"endpointConfigName": "a"}

    found = difference(ENDPOINT, old, {"endpointConfigName": UNKNOWN})

    assert dict(found.detailed) == {"endpointConfigName": DiffKind.UPDATE}


def test_ignored_changes_are_no_difference() -> None:
    old = {"endpointConfigName": "a", "tags": {"a": "1"}}
    new = {"endpointConfigName": "b", "tags": {"a": "2"}}

    found = difference(ENDPOINT, old, new, ignore_changes=["endpointConfigName"])

    assert found.properties == {"tags"}


def test_documents_are_compared_by_meaning() -> None:
    token = "aws:iam/rolePolicy:RolePolicy"

    assert dict(difference(token, {"policy": POLICY}, {"policy": SAME_POLICY}).detailed) == {}


def test_the_order_of_a_set_means_nothing_and_that_of_a_list_does() -> None:
    alarm = "aws:cloudwatch/metricAlarm:MetricAlarm"
    variants = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
    one, other = {"modelName": "a"}, {"modelName": "b"}

    as_set = difference(alarm, {"alarmActions": ["a", "b"]}, {"alarmActions": ["b", "a"]})
    as_list = difference(
        variants, {"productionVariants": [one, other]}, {"productionVariants": [other, one]}
    )

    assert dict(as_set.detailed) == {}
    assert len(as_list.detailed) == 2


def test_an_asset_differs_by_its_hash() -> None:
    def an_asset(digest: str) -> Asset:
        return Asset(signature=ASSET, members=(("path", "x"), ("hash", digest)))

    token = "aws:s3/bucketObjectv2:BucketObjectv2"

    same = difference(token, {"source": an_asset("a")}, {"source": an_asset("a")})
    changed = difference(token, {"source": an_asset("a")}, {"source": an_asset("b")})

    assert dict(same.detailed) == {}
    assert changed.properties == {"source"}
    assert changed.replaces == ()


def test_a_new_registry_password_builds_no_image() -> None:
    old = {"registry": {"server": "s", "username": "u", "password": "old"}}
    new = {"registry": {"server": "s", "username": "u", "password": "new"}}

    assert dict(difference("docker:index/image:Image", old, new).detailed) == {}


def test_shapes_cut_what_none_of_them_has() -> None:
    value = {"a": 1, "b": {"c": 2, "d": 3}, "e": [{"f": 4, "g": 5}]}

    cut = shaped_like([{"a": 0, "e": [{"f": 0}]}, {"b": {"d": 0}}], value)

    assert cut == {"a": 1, "b": {"d": 3}, "e": [{"f": 4}]}
