"""Builders for tests of batch transform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.cloud import BUCKET, CloudUser, wait_for
from tests.support.work import read


def create_job(
    user: CloudUser,
    name: str,
    uri: str = f"s3://{BUCKET}/rows/",
    *,
    model: str = "sums",
    input_: Mapping[str, Any] | None = None,
    output: Mapping[str, Any] | None = None,
    data_type: str = "S3Prefix",
    instance_count: int = 1,
    **more: Any,
) -> str:
    """Create a job over CSV rows by line, one instance, unless told otherwise."""
    answer = user.sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": data_type, "S3Uri": uri}},
            "ContentType": "text/csv",
            "SplitType": "Line",
            **(input_ or {}),
        },
        TransformOutput={
            "S3OutputPath": f"s3://{BUCKET}/out/{name}",
            "Accept": "text/csv",
            "AssembleWith": "Line",
            **(output or {}),
        },
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": instance_count},
        **more,
    )
    arn: str = answer["TransformJobArn"]
    return arn


def wait_job(user: CloudUser, name: str) -> dict[str, Any]:
    """Poll until a job has ended; return its description."""

    def ended() -> dict[str, Any] | None:
        seen: dict[str, Any] = user.sagemaker.describe_transform_job(TransformJobName=name)
        return seen if seen["TransformJobStatus"] not in ("InProgress", "Stopping") else None

    found: dict[str, Any] = wait_for(ended, f"transform job {name} to end")
    return found


def output_of(user: CloudUser, name: str, relative: str) -> bytes | None:
    """Return the output of one object, or None when it isn't there."""
    return read(user, f"s3://{BUCKET}/out/{name}/{relative}.out")


def data_log(user: CloudUser, name: str) -> list[str]:
    """Return a job's data log."""
    logs, group = user.client("logs"), "/aws/sagemaker/TransformJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")
    found: list[str] = []
    for stream in streams["logStreams"]:
        if stream["logStreamName"].endswith("/data-log"):
            events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])[
                "events"
            ]
            found.extend(event["message"] for event in events)
    return found
