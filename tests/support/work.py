"""Builders for tests of work that isn't watched live: asynchronous inference, batch transform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from tests.support.cloud import ACCOUNT, BUCKET, REGION, ROLE_ARN, CloudUser, wait_for

WORK_IMAGE = Path(__file__).parent / "work_image"
WORK_IMAGE_URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/work:1"


def add_work_image(user: CloudUser) -> None:
    """Make the image known that answers by what it is sent."""
    user.client("ecr").create_repository(repositoryName="work")
    answer = user.tell("images", {"image_uri": WORK_IMAGE_URI, "context": str(WORK_IMAGE)})
    answer.raise_for_status()


def make_model(user: CloudUser, name: str, environment: Mapping[str, str] | None = None) -> str:
    """Create a model of the work image."""
    container: dict[str, Any] = {
        "Image": WORK_IMAGE_URI,
        "ModelDataUrl": user.put_artifact(f"{name}/model.tar.gz"),
        "Environment": dict(environment or {}),
    }
    user.sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=ROLE_ARN, PrimaryContainer=container
    )
    return name


def make_async_config(
    user: CloudUser,
    name: str,
    *,
    model: str | None = None,
    environment: Mapping[str, str] | None = None,
    instance_count: int = 1,
    concurrency: int | None = None,
    notification: Mapping[str, Any] | None = None,
    output: Mapping[str, Any] | None = None,
) -> str:
    """Create a config for asynchronous inference, and its model when none is named."""
    output_config: dict[str, Any] = {
        "S3OutputPath": f"s3://{BUCKET}/{name}/out",
        "S3FailurePath": f"s3://{BUCKET}/{name}/failed/",
        **(output or {}),
    }
    if notification is not None:
        output_config["NotificationConfig"] = dict(notification)
    config: dict[str, Any] = {"OutputConfig": output_config}
    if concurrency is not None:
        config["ClientConfig"] = {"MaxConcurrentInvocationsPerInstance": concurrency}
    user.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": "main",
                "ModelName": make_model(user, name, environment) if model is None else model,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": instance_count,
            }
        ],
        AsyncInferenceConfig=config,
    )
    return name


def put(user: CloudUser, key: str, body: bytes) -> str:
    """Write an object; return its URI."""
    user.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    return f"s3://{BUCKET}/{key}"


def read(user: CloudUser, uri: str) -> bytes | None:
    """Return an object's bytes, or None when it isn't there."""
    parts = urlsplit(uri)
    try:
        found = user.client("s3").get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))
    except ClientError as err:
        if err.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    body: bytes = found["Body"].read()
    return body


def wait_read(user: CloudUser, uri: str) -> bytes:
    """Poll until an object is there; return its bytes."""
    body: bytes = wait_for(lambda: read(user, uri), f"an object at {uri}")
    return body


def invoke_later(user: CloudUser, endpoint: str, **arguments: Any) -> dict[str, Any]:
    """Return InvokeEndpointAsync's answer."""
    answer: dict[str, Any] = user.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=endpoint, **arguments
    )
    return answer


def metric(
    user: CloudUser, endpoint: str, name: str, which: str, *, variant: bool = True
) -> float | None:
    """Return a statistic over all of an asynchronous endpoint's time, or None without data."""
    now = datetime.fromtimestamp(user.cloud.clock.now(), UTC)
    dimensions = [{"Name": "EndpointName", "Value": endpoint}]
    if variant:
        dimensions.append({"Name": "VariantName", "Value": "main"})
    points = user.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=name,
        Dimensions=dimensions,
        StartTime=now - timedelta(hours=3),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=[which],
    )["Datapoints"]
    values = [point[which] for point in points]
    if not values:
        return None
    return float(sum(values) if which in ("Sum", "SampleCount") else max(values))


class Inbox:
    """A queue that is told everything a topic is told."""

    def __init__(self, user: CloudUser, name: str) -> None:
        self._sqs = user.client("sqs")
        self.topic_arn: str = user.client("sns").create_topic(Name=name)["TopicArn"]
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        user.client("sns").subscribe(
            TopicArn=self.topic_arn,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
            Attributes={"RawMessageDelivery": "true"},
        )
        self.messages: list[dict[str, Any]] = []

    def receive(self) -> list[dict[str, Any]]:
        """Return every message so far, newest last."""
        answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        for received in answer.get("Messages", ()):
            self.messages.append(json.loads(received["Body"]))
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=received["ReceiptHandle"])
        return self.messages

    def wait(self, **members: Any) -> dict[str, Any]:
        """Poll until a message has such members; return it."""

        def look() -> dict[str, Any] | None:
            return next((m for m in self.receive() if members.items() <= m.items()), None)

        found: dict[str, Any] = wait_for(look, f"a message with {members}")
        return found
