"""The SageMaker Python SDK, unchanged, from a model to its deletion; see docs/adr/0015."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from automation.gate.packaging import package_trained
from tests.support.clients.environment import ClientsMissing, clients_python
from tests.support.cloud import ACCOUNT, REGION, ROLE_ARN, CloudUser, start_cloud, wait_for
from tests.support.trained_models import a_trained_model

pytestmark = [
    # The first run makes the clients' environment.
    pytest.mark.timeout(900),
    pytest.mark.source("SageMaker Python SDK 2, Model, Predictor, AsyncPredictor, Transformer"),
]
ROOT = Path(__file__).resolve().parents[2]
SDK_STORY = ROOT / "tests" / "support" / "clients" / "sdk_story.py"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/server"
IMAGE_URI, MANY_IMAGE_URI = f"{REPOSITORY}:1", f"{REPOSITORY}:many"
CONTEXTS = {
    IMAGE_URI: ROOT / "container",
    MANY_IMAGE_URI: ROOT / "tests" / "support" / "multi_model_image",
}
OPTED_OUT = """
SchemaVersion: '1.0'
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
"""


@dataclass
class Told:
    """What the SDK's user saw, and what is in the cloud afterwards."""

    seen: dict[str, Any]
    captured: list[dict[str, Any]]
    inventory: list[dict[str, str]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    try:
        python = clients_python()
    except ClientsMissing as err:
        pytest.skip(str(err))
    directory = tmp_path_factory.mktemp("sdk")
    archive = package_trained("small", a_trained_model(), directory).artifact.archive
    user = start_cloud(directory / "cloud", speed=60)
    try:
        user.prepare()
        user.client("ecr").create_repository(repositoryName="server")
        for uri, context in CONTEXTS.items():
            image = {"image_uri": uri, "context": str(context)}
            user.tell("images", image).raise_for_status()
        seen = run(python, user, archive, directory)
        captured = wait_for(lambda: lines_below(user, "captured/"), "captured data")
        return Told(seen, captured, user.control("inventory")["resources"])
    finally:
        user.cloud.stop()


def run(python: Path, user: CloudUser, archive: Path, directory: Path) -> dict[str, Any]:
    settings = directory / "sdk.yaml"
    settings.write_text(OPTED_OUT)
    done = subprocess.run(
        [str(python), str(SDK_STORY), IMAGE_URI, MANY_IMAGE_URI, ROLE_ARN, str(archive)],
        env={
            **os.environ,
            "AWS_ENDPOINT_URL": user.cloud.url,
            "SAGEMAKER_USER_CONFIG_OVERRIDE": str(settings),
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def lines_below(user: CloudUser, prefix: str) -> list[dict[str, Any]]:
    s3, bucket = user.client("s3"), "sagemaker-sdk"
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    bodies = [s3.get_object(Bucket=bucket, Key=it["Key"])["Body"].read() for it in found]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def test_a_predictor_of_the_sdk_is_answered_in_json_and_csv(told: Told) -> None:
    seen = told.seen["real_time"]

    assert seen["json"]["predictions"][0]["predicted_class"] == "low"
    assert seen["csv"][0][0] == "low"


def test_the_sdk_updates_an_endpoint_and_sees_its_new_size(told: Told) -> None:
    assert told.seen["real_time"]["updated"] == [2]


def test_what_the_sdk_sent_is_captured(told: Told) -> None:
    kinds = {line["captureData"]["endpointInput"]["observedContentType"] for line in told.captured}

    assert kinds == {"application/json", "text/csv"}


def test_an_async_predictor_of_the_sdk_gets_its_result_from_s3(told: Told) -> None:
    seen = told.seen["asynchronous"]

    assert seen["answer"]["predictions"][0]["predicted_class"] == "low"
    assert seen["output"].startswith("s3://sagemaker-sdk/async/")


def test_the_sdk_deploys_without_a_server_type(told: Told) -> None:
    answer = told.seen["serverless"]["answer"]

    assert answer["predictions"][0]["predicted_class"] == "low"


def test_the_sdk_adds_a_model_to_a_running_multi_model_endpoint(told: Told) -> None:
    seen = told.seen["many_models"]

    assert seen["listed"] == ["iris/1.tar.gz"]
    assert seen["answer"]["name"] == "iris"
    assert seen["answer"]["target_model"] == "iris/1.tar.gz"


def test_a_transformer_of_the_sdk_has_its_rows_answered(told: Told) -> None:
    assert [line.split(",")[0] for line in told.seen["batch"]["answer"]] == ["low", "high"]


def test_the_sdk_leaves_its_bucket_and_the_config_its_update_replaced(told: Told) -> None:
    before = {("ecr", "tiny"), ("ecr", "server"), ("iam", "execution"), ("s3", "artifacts")}

    left = {(it["service"], it["name"]) for it in told.inventory} - before

    assert left == {("s3", "sagemaker-sdk"), ("sagemaker", "sdk-real-time")}
