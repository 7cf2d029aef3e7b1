"""The Model Registry through boto3: groups, versions, approvals and their events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import ACCOUNT, BUCKET, REGION, CloudUser, start_cloud, wait_for

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/training:1"
SERVED = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60.0)
    started.prepare()
    yield started
    started.cloud.stop()


def a_group(user: CloudUser, name: str, **members: Any) -> str:
    made = user.sagemaker.create_model_package_group(ModelPackageGroupName=name, **members)
    return str(made["ModelPackageGroupArn"])


def a_version(user: CloudUser, group: str, key: str = "model.tar.gz", **members: Any) -> str:
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{key}"}
    made = user.sagemaker.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={"Containers": [container], **SERVED},
        **members,
    )
    return str(made["ModelPackageArn"])


def versions(user: CloudUser, group: str, **asked: Any) -> list[int]:
    listed = user.sagemaker.list_model_packages(ModelPackageGroupName=group, **asked)
    return [each["ModelPackageVersion"] for each in listed["ModelPackageSummaryList"]]


def refusal(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.source("botocore DescribeModelPackageOutput; DG model package state change; observed")
def test_a_version_is_described_as_it_was_registered(user: CloudUser) -> None:
    group_arn = a_group(user, "described", ModelPackageGroupDescription="irises")
    user.put_artifact("described.tar.gz")
    etag = user.client("s3").head_object(Bucket=BUCKET, Key="described.tar.gz")["ETag"]

    arn = a_version(user, "described", "described.tar.gz", CustomerMetadataProperties={"f1": "1"})
    seen = user.sagemaker.describe_model_package(ModelPackageName=arn)
    group = user.sagemaker.describe_model_package_group(ModelPackageGroupName=group_arn)

    assert (group_arn, arn) == (
        f"{ARN}:model-package-group/described",
        f"{ARN}:model-package/described/1",
    )
    assert (group["ModelPackageGroupStatus"], group["ModelPackageGroupDescription"]) == (
        "Completed",
        "irises",
    )
    assert (seen["ModelPackageGroupName"], seen["ModelPackageVersion"]) == ("described", 1)
    assert "ModelPackageName" not in seen
    assert seen["ModelApprovalStatus"] == "PendingManualApproval"
    assert seen["ModelPackageStatus"] == "Completed"
    assert seen["ModelPackageStatusDetails"] == {"ValidationStatuses": [], "ImageScanStatuses": []}
    assert seen["CustomerMetadataProperties"] == {"f1": "1"}
    (container,) = seen["InferenceSpecification"]["Containers"]
    assert container == {
        "Image": IMAGE,
        "ModelDataUrl": f"s3://{BUCKET}/described.tar.gz",
        "ModelDataETag": etag.strip('"'),
    }
    assert "LastModifiedTime" not in seen


@pytest.mark.source("botocore ListModelPackagesInput, ListModelPackageGroupsInput")
def test_versions_are_listed_by_approval_oldest_first_in_pages(user: CloudUser) -> None:
    a_group(user, "listed")
    a_group(user, "listed-too")
    first = a_version(user, "listed", ModelApprovalStatus="Approved")
    a_version(user, "listed")
    a_version(user, "listed", ModelApprovalStatus="Approved")
    pages = user.sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName="listed", PaginationConfig={"PageSize": 2}
    )
    groups = user.sagemaker.list_model_package_groups(NameContains="listed")

    assert versions(user, "listed") == [1, 2, 3]
    assert versions(user, "listed", SortOrder="Descending") == [3, 2, 1]
    assert versions(user, "listed", ModelApprovalStatus="Approved") == [1, 3]
    assert versions(user, f"{ARN}:model-package-group/listed", NameContains="other") == []
    assert versions(user, "listed", ModelPackageType="Unversioned") == []
    assert [len(page["ModelPackageSummaryList"]) for page in pages] == [2, 1]
    assert user.sagemaker.list_model_packages()["ModelPackageSummaryList"] == []
    everything = user.sagemaker.list_model_packages(ModelPackageType="Versioned", MaxResults=100)
    assert first in {each["ModelPackageArn"] for each in everything["ModelPackageSummaryList"]}
    assert [each["ModelPackageGroupName"] for each in groups["ModelPackageGroupSummaryList"]] == [
        "listed",
        "listed-too",
    ]


@pytest.mark.source("botocore UpdateModelPackageInput")
def test_an_approval_may_change_to_any_other_and_says_when(user: CloudUser) -> None:
    a_group(user, "judged")
    arn = a_version(user, "judged", CustomerMetadataProperties={"f1": "1", "old": "x"})
    update = user.sagemaker.update_model_package

    for status in ("Approved", "Rejected", "PendingManualApproval", "Rejected", "Approved"):
        update(ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=f"is {status}")
    update(
        ModelPackageArn=arn,
        CustomerMetadataProperties={"new": "y"},
        CustomerMetadataPropertiesToRemove=["old"],
    )
    seen = user.sagemaker.describe_model_package(ModelPackageName=arn)

    assert (seen["ModelApprovalStatus"], seen["ApprovalDescription"]) == (
        "Approved",
        "is Approved",
    )
    assert seen["CustomerMetadataProperties"] == {"f1": "1", "new": "y"}
    assert seen["LastModifiedTime"] >= seen["CreationTime"]


@pytest.mark.source("DG model package state change")
def test_each_approval_is_an_event(user: CloudUser) -> None:
    sqs, events = user.client("sqs"), user.client("events")
    url = sqs.create_queue(QueueName="approvals")["QueueUrl"]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": ["told"], "ModelApprovalStatus": ["Approved"]},
    }
    events.put_rule(Name="approvals", EventPattern=json.dumps(pattern))
    target = {"Id": "1", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:approvals"}
    events.put_targets(Rule="approvals", Targets=[target])

    a_group(user, "told")
    arn = a_version(user, "told")
    user.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")

    body = wait_for(
        lambda: sqs.receive_message(QueueUrl=url).get("Messages"), "the approval's event"
    )[0]["Body"]
    event = json.loads(body)
    assert event["resources"] == [arn]
    detail = event["detail"]
    assert (detail["ModelPackageVersion"], detail["ModelPackageStatus"]) == (1, "Completed")
    assert detail["CreationTime"].endswith("Z")
    assert "CreatedBy" not in detail


@pytest.mark.source("ACK ModelPackageGroup; airflow#28024; moto#7165; botocore; observed")
def test_groups_and_versions_that_cannot_be_are_refused(user: CloudUser) -> None:
    sagemaker = user.sagemaker
    a_group(user, "taken")
    a_version(user, "taken")
    specification = {"Containers": [{"Image": IMAGE}], **SERVED}

    taken = refusal(sagemaker.create_model_package_group, ModelPackageGroupName="taken")
    nowhere = refusal(sagemaker.describe_model_package_group, ModelPackageGroupName="none")
    lost = refusal(
        sagemaker.describe_model_package, ModelPackageName=f"{ARN}:model-package/taken/9"
    )
    elsewhere = refusal(
        sagemaker.describe_model_package,
        ModelPackageName=f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/taken/1",
    )
    nameless = refusal(sagemaker.create_model_package, InferenceSpecification=specification)
    both = refusal(
        sagemaker.create_model_package, ModelPackageName="a", ModelPackageGroupName="taken"
    )

    assert taken == (
        "ValidationException",
        f"Model Package Group already exists: {ARN}:model-package-group/taken",
    )
    assert nowhere == (
        "ValidationException",
        f"ModelPackageGroup {ARN}:model-package-group/none does not exist.",
    )
    assert lost[1] == f"ModelPackage {ARN}:model-package/taken/9 does not exist."
    assert "us-east-1" in elsewhere[1]
    assert elsewhere[1].endswith("model-package/taken/1 does not exist.")
    assert nameless == ("ValidationException", "Missing ARN.")
    assert "Cannot determine which one to use" in both[1]


@pytest.mark.assumed("the rules are botocore's, no source has the words")
def test_a_group_in_use_and_tags_of_a_version_are_refused(user: CloudUser) -> None:
    group_arn = a_group(user, "used", Tags=[{"Key": "team", "Value": "iris"}])
    arn = a_version(user, "used")
    sagemaker = user.sagemaker

    in_use = refusal(sagemaker.delete_model_package_group, ModelPackageGroupName="used")
    own_tags = refusal(
        sagemaker.create_model_package,
        ModelPackageGroupName="used",
        Tags=[{"Key": "a", "Value": "b"}],
    )

    assert in_use[0] == "ConflictException"
    assert group_arn in in_use[1]
    assert "it uses the tags of its model package group" in own_tags[1]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "iris"}]


@pytest.mark.assumed("no source says whether a number comes twice")
def test_a_deleted_versions_number_does_not_come_again(user: CloudUser) -> None:
    a_group(user, "counted")
    a_version(user, "counted")
    second = a_version(user, "counted")
    held = {"service": "sagemaker", "type": "model-package", "name": "counted/2"}
    before = user.control("inventory")["resources"]

    user.sagemaker.delete_model_package(ModelPackageName=second)
    third = a_version(user, "counted")

    assert third.endswith("/counted/3")
    assert versions(user, "counted") == [1, 3]
    assert held in before
    assert held not in user.control("inventory")["resources"]
    for arn in (f"{ARN}:model-package/counted/1", third):
        user.sagemaker.delete_model_package(ModelPackageName=arn)
    user.sagemaker.delete_model_package_group(ModelPackageGroupName="counted")
    assert (
        "does not exist"
        in refusal(user.sagemaker.list_model_packages, ModelPackageGroupName="counted")[1]
    )


def test_the_record_tells_which_version_was_deleted(user: CloudUser) -> None:
    a_group(user, "erased")
    arn = a_version(user, "erased")

    user.sagemaker.delete_model_package(ModelPackageName=arn)

    deletions = [
        event["model_package_name"]
        for event in user.control("record")["events"]
        if event["kind"] == "api_call" and event["operation"] == "DeleteModelPackage"
    ]
    assert deletions[-1] == arn


def test_what_is_not_rehearsed_is_refused_by_name(user: CloudUser) -> None:
    a_group(user, "plain")
    specification = {"Containers": [{"Image": IMAGE}], **SERVED}
    create = user.sagemaker.create_model_package

    alone = refusal(create, ModelPackageName="alone", InferenceSpecification=specification)
    cloned = refusal(create, ModelPackageGroupName="plain", SourceUri=f"{ARN}:model/iris")
    sold = refusal(create, ModelPackageGroupName="plain", CertifyForMarketplace=True)
    card = refusal(
        create,
        ModelPackageGroupName="plain",
        ModelCard={"ModelCardContent": "{}", "ModelCardStatus": "Draft"},
    )

    assert "does not do model packages without a group" in alone[1]
    assert "does not do model packages made of another one (SourceUri)" in cloned[1]
    assert "does not do AWS Marketplace" in sold[1]
    assert "does not do model cards" in card[1]


def test_training_jobs_are_refused_with_what_to_do_instead(user: CloudUser) -> None:
    described = refusal(user.sagemaker.describe_training_job, TrainingJobName="xgboost")

    assert described[0] == "UnknownOperationException"
    assert "does not do DescribeTrainingJob: nothing trains here" in described[1]
    assert "CreateModelPackage" in described[1]


def test_a_request_sent_again_makes_no_second_version(user: CloudUser) -> None:
    a_group(user, "again")

    first = a_version(user, "again", ClientToken="one")
    again = a_version(user, "again", ClientToken="one")

    assert first == again
    assert versions(user, "again") == [1]
