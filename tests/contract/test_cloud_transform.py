"""Batch transform through boto3: real containers over objects in S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.support.cloud import ACCOUNT, BUCKET, REGION, ROLE_ARN, CloudUser, start_cloud, wait_for
from tests.support.transform import create_job, data_log, output_of, wait_job
from tests.support.work import WORK_IMAGE_URI, Inbox, add_work_image, make_model, put

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
GUIDE = "DG batch-transform"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60.0)
    started.prepare()
    add_work_image(started)
    make_model(started, "sums", {"WORK_FROM": "model"})
    put(started, "rows/a.csv", b"1,2\n3,4\n")
    put(started, "rows/deep/b.csv", b"10,20\n")
    yield started
    started.cloud.stop()


def refusal(user: CloudUser, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        create_job(user, **arguments)
    error: dict[str, Any] = dict(caught.value.response["Error"])
    return error


@pytest.mark.source(f"{GUIDE}; botocore CreateTransformJobRequest, DescribeTransformJobResponse")
def test_a_job_transforms_every_object_under_a_prefix(user: CloudUser) -> None:
    arn = create_job(user, "plain")
    waiter = user.sagemaker.get_waiter("transform_job_completed_or_stopped")
    waiter.wait(TransformJobName="plain", WaiterConfig={"Delay": 1, "MaxAttempts": 40})
    seen = user.sagemaker.describe_transform_job(TransformJobName="plain")

    assert arn == f"{ARN}:transform-job/plain"
    assert seen["TransformJobStatus"] == "Completed"
    assert "FailureReason" not in seen
    assert seen["CreationTime"] <= seen["TransformStartTime"] <= seen["TransformEndTime"]
    assert seen["TransformInput"]["SplitType"] == "Line"
    assert output_of(user, "plain", "a.csv") == b"3\n7\n"
    assert output_of(user, "plain", "deep/b.csv") == b"30\n"


@pytest.mark.source(
    "botocore CreateTransformJob, StopTransformJob, DescribeTransformJob errors; ACK"
)
def test_names_and_models_that_cannot_be_are_refused(user: CloudUser) -> None:
    create_job(user, "taken")
    wait_job(user, "taken")

    taken = refusal(user, name="taken")
    model = refusal(user, name="no-model", model="nobody")
    nothing = refusal(user, name="nothing", uri=f"s3://{BUCKET}/none/")
    with pytest.raises(ClientError) as described:
        user.sagemaker.describe_transform_job(TransformJobName="nobody")

    assert taken["Code"] == "ResourceInUse"
    assert f"{ARN}:transform-job/taken" in taken["Message"]
    assert model == {
        "Code": "ValidationException",
        "Message": f'Could not find model "{ARN}:model/nobody".',
    }
    assert nothing["Code"] == "ValidationException"
    assert nothing["Message"] == (
        f'No S3 objects found under S3 URL "s3://{BUCKET}/none/" given in input data source. '
        f"Please ensure that the bucket exists in the selected region ({REGION}), that objects "
        f'exist under that S3 prefix, and that the role "{ROLE_ARN}" has "s3:ListBucket" '
        f'permissions on bucket "{BUCKET}".'
    )
    error = described.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"].startswith("Could not find requested job with name")


@pytest.mark.assumed("texts of members that contradict each other")
def test_jobs_that_contradict_themselves_are_refused(user: CloudUser) -> None:
    by_name = {"InputFilter": "$.features"}
    cases: dict[str, dict[str, Any]] = {
        "above the limit of 100": {"MaxPayloadInMB": 101},
        "times MaxPayloadInMB is 120": {"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2},
        "S3DataType AugmentedManifestFile": {"data_type": "AugmentedManifestFile"},
        "only indexes work": {"DataProcessing": by_name},
        "must begin with $": {"DataProcessing": {"OutputFilter": "id"}},
        "needs ContentType and Accept": {
            "DataProcessing": {"JoinSource": "Input"},
            "input_": {"ContentType": "image/png"},
        },
        "needs SplitType and AssembleWith Line": {
            "DataProcessing": {"JoinSource": "Input"},
            "output": {"AssembleWith": "None"},
        },
        "can't join": {
            "DataProcessing": {"JoinSource": "Input"},
            "output": {"Accept": "application/json"},
        },
    }

    for text, arguments in cases.items():
        error = refusal(user, name="wrong", **arguments)
        assert error["Code"] == "ValidationException", text
        assert text in error["Message"]


@pytest.mark.source("botocore ContainerDefinition$ModelDataSource")
def test_a_model_with_a_model_data_source_is_refused(user: CloudUser) -> None:
    source = {
        "S3Uri": f"s3://{BUCKET}/rows/",
        "S3DataType": "S3Prefix",
        "CompressionType": "None",
    }
    user.sagemaker.create_model(
        ModelName="loose",
        ExecutionRoleArn=ROLE_ARN,
        PrimaryContainer={"Image": WORK_IMAGE_URI, "ModelDataSource": {"S3DataSource": source}},
    )

    error = refusal(user, name="loose", model="loose")

    assert error["Message"] == (
        "ModelDataSource is not supported for transform jobs; use ModelDataUrl."
    )


@pytest.mark.source(f"{GUIDE}-errors: partly processed objects; data logs of real jobs")
def test_one_bad_object_fails_the_job_and_keeps_the_other_outputs(user: CloudUser) -> None:
    put(user, "mixed/bad.csv", b"1,1\nFAIL\n")
    put(user, "mixed/good.csv", b"1,2\n")

    create_job(user, "mixed", f"s3://{BUCKET}/mixed/", BatchStrategy="SingleRecord")
    seen = wait_job(user, "mixed")
    lines = data_log(user, "mixed")

    assert seen["TransformJobStatus"] == "Failed"
    assert seen["FailureReason"] == "ClientError: See job logs for more information"
    assert output_of(user, "mixed", "good.csv") == b"3\n"
    assert output_of(user, "mixed", "bad.csv") is None
    assert lines[1].endswith(f":[sagemaker logs]: {BUCKET}/mixed/bad.csv: ClientError: 400")
    assert lines[-1].endswith(f"{BUCKET}/mixed/bad.csv: the model says FAIL")


@pytest.mark.assumed("which failures are tried again; FailureReason of a server error")
def test_a_server_error_is_tried_again_as_often_as_asked(user: CloudUser) -> None:
    put(user, "broken/1.bin", b"BREAK")
    put(user, "broken/2.bin", b"count")

    create_job(
        user,
        "broken",
        f"s3://{BUCKET}/broken/",
        input_={"ContentType": "text/plain", "SplitType": "None"},
        ModelClientConfig={"InvocationsMaxRetries": 2},
    )
    seen = wait_job(user, "broken")

    assert seen["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert "Bad HTTP status received from algorithm: 500" in data_log(user, "broken")[1]
    assert json.loads(output_of(user, "broken", "2.bin") or b"")["requests"] == 4


@pytest.mark.source(
    "botocore ModelClientConfig$InvocationsTimeoutInSeconds; sagemaker-python-sdk#1951"
)
def test_a_request_without_an_answer_in_time_fails_the_object(user: CloudUser) -> None:
    put(user, "slow/1.bin", b"SLEEP 30")

    create_job(
        user,
        "slow",
        f"s3://{BUCKET}/slow/",
        input_={"ContentType": "text/plain", "SplitType": "None"},
        ModelClientConfig={"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0},
    )
    seen = wait_job(user, "slow")

    assert seen["FailureReason"].startswith("InternalServerError: We encountered an internal error")
    assert data_log(user, "slow")[1].endswith("1.bin: Unable to get response from algorithm")


@pytest.mark.assumed("FailureReason of a container that doesn't start")
def test_a_container_that_is_never_healthy_fails_the_job(user: CloudUser) -> None:
    user.make_config("sick", environment={"TINY_EXIT": "3"})

    create_job(user, "sick", model="sick")
    seen = wait_job(user, "sick")

    assert seen["TransformJobStatus"] == "Failed"
    assert seen["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert "TransformStartTime" not in seen


@pytest.mark.source("DescribeTransformJobResponse kept by the tests of AWS's ACK controller")
def test_a_description_says_the_defaults(user: CloudUser) -> None:
    user.sagemaker.create_transform_job(
        TransformJobName="bare",
        ModelName="sums",
        TransformInput={
            "DataSource": {
                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/rows/a.csv"}
            }
        },
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/out/bare"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    seen = wait_job(user, "bare")

    assert seen["TransformInput"]["SplitType"] == "None"
    assert seen["TransformInput"]["CompressionType"] == "None"
    assert seen["TransformOutput"]["AssembleWith"] == "None"
    assert seen["TransformOutput"]["KmsKeyId"] == ""
    assert seen["DataProcessing"] == {
        "InputFilter": "$",
        "JoinSource": "None",
        "OutputFilter": "$",
    }
    assert not {"MaxPayloadInMB", "BatchStrategy", "Environment"} & set(seen)


@pytest.mark.assumed("FailureReason of outputs that can't be written")
def test_outputs_that_cannot_be_written_fail_the_job(user: CloudUser) -> None:
    create_job(user, "unwritten", output={"S3OutputPath": "s3://nowhere/out"})
    seen = wait_job(user, "unwritten")

    assert seen["FailureReason"] == "ClientError: See job logs for more information"
    assert "Unable to write s3://nowhere/out/a.csv.out" in data_log(user, "unwritten")[-1]


@pytest.mark.source("botocore CreateTransformJob ResourceLimitExceeded; field reports")
def test_a_quota_and_a_lack_of_capacity_meet_jobs_in_their_own_ways(user: CloudUser) -> None:
    user.tell("faults", {"kind": "quota", "instance_type": "ml.m5.large", "limit": 1})
    beyond = refusal(user, name="beyond", instance_count=2)
    user.tell("faults", {"kind": "capacity", "available": 0})
    create_job(user, "no-room")
    seen = wait_job(user, "no-room")
    requests.delete(f"{user.cloud.url}/rehearsal/faults", timeout=10).raise_for_status()

    assert beyond["Code"] == "ResourceLimitExceeded"
    assert beyond["Message"].startswith(
        "The account-level service limit 'ml.m5.large for transform job usage' is 1 Instances, "
        "with current utilization of 0 Instances and a request delta of 2 Instances."
    )
    assert seen["TransformJobStatus"] == "Failed"
    assert seen["FailureReason"].startswith("CapacityError: Unable to provision requested ML")


def hosts(user: CloudUser, name: str) -> set[str]:
    found = user.client("cloudwatch").list_metrics(Namespace="/aws/sagemaker/TransformJobs")
    series = [metric for metric in found["Metrics"] if metric["MetricName"] == "CPUUtilization"]
    values = {metric["Dimensions"][0]["Value"] for metric in series}
    return {value for value in values if value.startswith(f"{name}/")}


def statuses(user: CloudUser, name: str) -> list[str]:
    """Return a job's states so far, however short they were."""
    events = user.control("record")["events"]
    mine = [event for event in events if event.get("transform_job_name") == name]
    return [event["status"] for event in mine if event["kind"] == "transform_job"]


@pytest.mark.source("botocore StopTransformJob; DG monitoring-cloudwatch: jobs, Host")
def test_a_stopped_job_ends_its_containers_and_stores_nothing(user: CloudUser) -> None:
    put(user, "stopped/1.csv", b"1,2\n")
    put(user, "stopped/2.bin", b"SLEEP 30")

    create_job(
        user,
        "stopped",
        f"s3://{BUCKET}/stopped/",
        input_={"ContentType": "text/plain", "SplitType": "None"},
    )
    mine = {"transform_job_name": "stopped"}

    def processes() -> list[dict[str, Any]]:
        return [p for p in user.control("status")["processes"] if mine.items() <= p.items()]

    wait_for(
        lambda: (
            "TransformStartTime"
            in user.sagemaker.describe_transform_job(TransformJobName="stopped")
        ),
        "the job to start",
    )
    during = processes(), user.control("inventory")["resources"]
    host = wait_for(
        lambda: next(iter(hosts(user, "stopped")), None), "the metrics of the job's instance"
    )
    user.sagemaker.stop_transform_job(TransformJobName="stopped")
    seen = wait_job(user, "stopped")
    with pytest.raises(ClientError) as again:
        user.sagemaker.stop_transform_job(TransformJobName="stopped")

    running = {"service": "sagemaker", "type": "transform-job", "name": "stopped"}
    assert len(during[0]) == 1
    assert host.startswith("stopped/i-")
    assert host.count("-") == 1
    assert running in during[1]
    assert statuses(user, "stopped") == ["InProgress", "Stopping", "Stopped"]
    assert seen["TransformJobStatus"] == "Stopped"
    assert "TransformEndTime" in seen
    assert processes() == []
    assert running not in user.control("inventory")["resources"]
    assert output_of(user, "stopped", "1.csv") is None
    assert again.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.source("botocore ListTransformJobsRequest")
def test_jobs_are_listed_and_tagged(user: CloudUser) -> None:
    create_job(user, "former")
    wait_job(user, "former")
    arn = create_job(user, "tagged", Tags=[{"Key": "team", "Value": "a"}])
    wait_job(user, "tagged")
    sagemaker = user.sagemaker
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "cost", "Value": "1"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])

    listed = sagemaker.list_transform_jobs(NameContains="tagg", StatusEquals="Completed")
    pages = sagemaker.get_paginator("list_transform_jobs").paginate(MaxResults=1)
    names = [job["TransformJobName"] for p in pages for job in p["TransformJobSummaries"]]

    assert [job["TransformJobArn"] for job in listed["TransformJobSummaries"]] == [arn]
    assert names[:2] == ["tagged", "former"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "cost", "Value": "1"}]


@pytest.mark.source("DG inference-pipelines; automating-sagemaker-with-eventbridge")
def test_a_job_runs_a_pipeline_and_its_end_is_an_event(user: CloudUser) -> None:
    inbox = Inbox(user, "jobs")
    user.client("events").put_rule(
        Name="jobs",
        EventPattern=json.dumps({"detail-type": ["SageMaker Transform Job State Change"]}),
    )
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs"
    user.client("events").put_targets(Rule="jobs", Targets=[{"Id": "1", "Arn": queue}])
    container = {"Image": WORK_IMAGE_URI, "ModelDataUrl": user.put_artifact("pipe/model.tar.gz")}
    user.sagemaker.create_model(
        ModelName="pipe", ExecutionRoleArn=ROLE_ARN, Containers=[container, container]
    )

    create_job(user, "pipe", model="pipe", BatchStrategy="SingleRecord")
    seen = wait_job(user, "pipe")

    assert seen["TransformJobStatus"] == "Completed", seen
    assert output_of(user, "pipe", "a.csv") == b"3\n7\n"
    wait_for(
        lambda: any(
            m["detail"]["TransformJobName"] == "pipe"
            and m["detail"]["TransformJobStatus"] == "Completed"
            for m in inbox.receive()
        ),
        "the event of the job's end",
    )
