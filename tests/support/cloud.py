"""Builders for tests that talk to a rehearsal cloud by boto3."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.settings import CloudSettings

TINY_IMAGE = Path(__file__).parent / "tiny_image"
ACCOUNT = "123456789012"
REGION = "eu-west-1"
IMAGE_URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/tiny:1"
BUCKET = "artifacts"
ROLE_NAME = "execution"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"
# What a role needs for everything an endpoint can do here.
ROLE_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "s3:GetObject",
                "s3:PutObject",
                "s3:ListBucket",
                "ecr:GetAuthorizationToken",
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
                "cloudwatch:DescribeAlarms",
                "sns:Publish",
                "kms:Decrypt",
                "kms:GenerateDataKey",
            ],
            "Resource": "*",
        }
    ],
}
WAIT_WALL_SECONDS = 40.0


class CloudUser:
    """A person with boto3 and a running cloud: makes what a test needs in a line."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return a client without retries, so that a test sees the first answer."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,  # type: ignore[call-overload]
                endpoint_url=self.cloud.url,
                region_name=REGION,
                config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32),
            )
        return self._clients[service]

    @property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    def control(self, path: str) -> Any:
        """Return what GET /rehearsal/<path> answers."""
        return requests.get(f"{self.cloud.url}/rehearsal/{path}", timeout=30).json()

    def tell(self, path: str, members: Mapping[str, Any]) -> requests.Response:
        """POST to the control API."""
        return requests.post(f"{self.cloud.url}/rehearsal/{path}", json=members, timeout=30)

    def prepare(self, **build: Any) -> None:
        """Make the bucket, the role, the repository and the tiny image."""
        self.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sagemaker.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        self.client("iam").create_role(
            RoleName=ROLE_NAME, AssumeRolePolicyDocument=json.dumps(trust)
        )
        self.client("iam").put_role_policy(
            RoleName=ROLE_NAME, PolicyName="serve", PolicyDocument=json.dumps(ROLE_POLICY)
        )
        self.client("ecr").create_repository(repositoryName="tiny")
        answer = self.tell("images", {"image_uri": IMAGE_URI, "context": str(TINY_IMAGE), **build})
        answer.raise_for_status()

    def put_artifact(self, key: str = "model.tar.gz", name: str = "model.onnx") -> str:
        """Upload a gzip tar with one file; return its URL."""
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=gzip_tar({name: b"bytes"}))
        return f"s3://{BUCKET}/{key}"

    def make_config(
        self,
        name: str,
        *,
        instance_count: int = 1,
        environment: Mapping[str, str] | None = None,
        variant: Mapping[str, Any] | None = None,
    ) -> str:
        """Create a model and a config of the same name with one variant `main`."""
        url = self.put_artifact(f"{name}/model.tar.gz")
        self.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=ROLE_ARN,
            PrimaryContainer={
                "Image": IMAGE_URI,
                "ModelDataUrl": url,
                "Environment": {"TINY_NAME": name, **(environment or {})},
            },
        )
        definition = {
            "VariantName": "main",
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": instance_count,
            **(variant or {}),
        }
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[definition]
        )
        return name

    def make_endpoint(self, name: str, config_name: str) -> None:
        """Create an endpoint and wait until it serves."""
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config_name)
        assert self.wait(name)["EndpointStatus"] == "InService"

    def describe(self, name: str) -> dict[str, Any]:
        """Return DescribeEndpoint."""
        answer: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        return answer

    def wait(self, name: str) -> dict[str, Any]:
        """Poll until no change of the endpoint is under way; return its description."""

        def is_settled() -> dict[str, Any] | None:
            seen = self.describe(name)
            return seen if not seen["EndpointStatus"].endswith("ing") else None

        settled: dict[str, Any] = wait_for(is_settled, f"endpoint {name} to settle")
        return settled

    def invoke(self, name: str, body: bytes = b"1,2,3", **more: Any) -> dict[str, Any]:
        """Return the tiny server's answer."""
        answer = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body=body, ContentType="text/csv", **more
        )
        members: dict[str, Any] = json.loads(answer["Body"].read())
        return members

    def put_error_alarm(self, alarm: str, endpoint: str, **more: Any) -> None:
        """Create a rollback alarm: any 5xx within a minute."""
        self.client("cloudwatch").put_metric_alarm(
            AlarmName=alarm,
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Dimensions=[
                {"Name": "EndpointName", "Value": endpoint},
                {"Name": "VariantName", "Value": "main"},
            ],
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
            ActionsEnabled=False,
            **more,
        )


class Traffic:
    """A client that keeps invoking in a thread and keeps what it got."""

    def __init__(self, user: CloudUser, endpoint: str) -> None:
        self.names: list[str] = []
        self.errors: list[str] = []
        self._user = user
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def wait_for_next(self) -> None:
        """Wait for an answer to a request that is sent from now on.

        The first that comes may be to one that was under way.
        """
        before = len(self.names) + len(self.errors)
        wait_for(lambda: len(self.names) + len(self.errors) >= before + 2, "two more answers")

    def _run(self) -> None:
        client = self._user.client("sagemaker-runtime")
        while not self._stop.is_set():
            try:
                answer = client.invoke_endpoint(EndpointName=self._endpoint, Body=b"1")
                self.names.append(json.loads(answer["Body"].read())["name"])
            except ClientError as err:
                self.errors.append(str(err))
            self._stop.wait(0.01)


def gzip_tar(files: Mapping[str, bytes]) -> bytes:
    """Return a gzip tar of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def start_cloud(directory: Path, **settings: Any) -> CloudUser:
    """Start a cloud in this process."""
    cloud = Cloud(CloudSettings(directory=directory, **settings))
    cloud.start()
    return CloudUser(cloud)


def wait_for(look: Callable[[], Any], what: str, seconds: float = WAIT_WALL_SECONDS) -> Any:
    """Poll until `look` returns something true; fail naming what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds:g} seconds for {what}")
