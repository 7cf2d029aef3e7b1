"""The published recipe for iris, run verbatim by the AWS CLI from an empty account to an empty one.

The commands are in recipe/iris.sh. The endpoint starts with the recipes' own kind of container, a
Flask app, and is updated to ours. Before a `wait` the endpoint is let settle, as the CLI's waiters
look every 30 seconds and have no faster setting.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from automation.gate import training
from automation.gate.packaging import package_trained
from automation.spec import load_spec
from tests.e2e.conftest import ROOT, Cloud, a_rehearsal
from tests.support.cloud import wait_for

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.source("Developer Guide, Adapt your own inference container; AWS CLI"),
]

SCRIPT = Path(__file__).parent / "recipe" / "iris.sh"
FLASK_CONTEXT = ROOT / "tests" / "support" / "flask_image"
STEP_SECONDS = 120
SETTLE_SECONDS = 100.0


@dataclass
class Story:
    """What the steps printed and left."""

    directory: Path
    said: dict[str, str] = field(default_factory=dict)
    inventory: list[dict[str, str]] = field(default_factory=list)
    processes: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, name: str) -> list[dict[str, Any]]:
        body = json.loads((self.directory / f"{name}.json").read_text())
        predictions: list[dict[str, Any]] = body["predictions"]
        return predictions


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    directory = tmp_path_factory.mktemp("recipe")
    pack(directory)
    with a_rehearsal(tmp_path_factory.mktemp("rehearsed") / "rehearsal") as cloud:
        told = Story(directory)
        for name, commands in steps():
            let_settle(commands)
            told.said[name] = run(commands, directory)
        told.inventory = cloud.get("inventory")["resources"]
        wait_for(lambda: processes(cloud) == [], "the endpoint's servers to end")
        told.processes = processes(cloud)
        yield told


def pack(directory: Path) -> None:
    """Train iris once; lay the pickle and our artifact where the recipe's commands find them."""
    trained = training.train(load_spec(ROOT, "iris"), ROOT)
    (directory / "model.pkl").write_bytes(pickle.dumps(trained.estimator))
    for version in ("v1", "v2"):
        (directory / "models" / version).mkdir(parents=True)
    package = package_trained("iris", trained, directory)
    ours = directory / "models" / "v2" / "model.tar.gz"
    ours.write_bytes(package.artifact.archive.read_bytes())


def steps() -> Iterator[tuple[str, str]]:
    for part in SCRIPT.read_text().split("\n### ")[1:]:
        name, _, commands = part.partition("\n")
        yield name, commands


def run(commands: str, directory: Path) -> str:
    """Run one step by bash; what it assigns is there in the next one."""
    kept = "set -a; [ ! -f .state ] || . ./.state; set -euo pipefail\n"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "FLASK_CONTEXT": str(FLASK_CONTEXT),
        "GREENLIGHT_CONTEXT": str(ROOT / "container"),
        "EARLIER": day(-1),
        # The rehearsal's clock runs fast: an hour before midnight it comes to the next day.
        "LATER": day(2),
    }
    done = subprocess.run(
        ["bash", "-c", f"{kept}{commands}\nexport -p > .state"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=STEP_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def day(distance: int) -> str:
    return (datetime.now(UTC) + timedelta(days=distance)).strftime("%Y-%m-%dT00:00:00Z")


def let_settle(commands: str) -> None:
    if "sagemaker wait" in commands:
        wait_for(is_settled, "the endpoint to settle", SETTLE_SECONDS)


def is_settled() -> bool:
    try:
        seen = boto3.client("sagemaker").describe_endpoint(EndpointName="iris")
    except ClientError as err:
        return err.response["Error"]["Code"] == "ValidationException"
    assert seen["EndpointStatus"] != "Failed", seen["FailureReason"]
    return not seen["EndpointStatus"].endswith("ing")


def processes(cloud: Cloud) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.get("status")["processes"]
    return found


def test_the_recipe_gets_its_endpoint_into_service(story: Story) -> None:
    assert story.said["in-service"].split() == ["InService", "iris-v1", "1"]
    assert "to s3://sagemaker-iris-123456789012/models/v1/model.tar.gz" in story.said["artifact"]


@pytest.mark.parametrize("container", ["flask", "greenlight"])
def test_both_kinds_of_container_answer_the_recipes_question(story: Story, container: str) -> None:
    setosa, virginica = story.answer(container)

    assert (setosa["predicted_class"], setosa["predicted_class_index"]) == ("setosa", 0)
    assert virginica["predicted_class"] == "virginica"
    assert setosa["confidence"] == pytest.approx(setosa["probabilities"]["setosa"])
    assert len(setosa["input_features"]) == 4


def test_the_update_puts_the_other_image_in_place_by_its_digest(story: Story) -> None:
    said = story.said["image"]
    assert set(json.loads(said[said.rindex("[") :])) == {"flask", "greenlight"}
    resolved = story.said["updated"].splitlines()[0]

    repository, _, digest = resolved.partition("@")
    assert repository == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-iris"
    assert len(digest.removeprefix("sha256:")) == 64


def test_target_tracking_makes_its_two_alarms(story: Story) -> None:
    said = story.said["autoscaling"]
    alarms = json.loads(said[said.rindex("[") :])

    assert len(alarms) == 2
    assert all(alarm.startswith("TargetTracking-endpoint/iris/") for alarm in alarms)


def test_each_invocation_is_counted_and_each_instance_has_its_log(story: Story) -> None:
    invocations, streams = story.said["metrics"].split()

    assert float(invocations) == 2.0
    assert int(streams) >= 2


def test_the_clean_up_leaves_an_empty_account(story: Story) -> None:
    assert story.inventory == []
    assert story.processes == []
