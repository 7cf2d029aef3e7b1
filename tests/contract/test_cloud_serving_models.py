"""Our own serving image behind a multi-model endpoint: several flowers' models in one container."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from server.multi_model_trial import trial_bytes
from tests.support.cloud import ACCOUNT, BUCKET, REGION, CloudUser, start_cloud, wait_for
from tests.support.container_process import CONTAINER
from tests.support.instances import make_config, put, remove
from tests.support.onnx_models import FittedModel, a_regressor, an_iris_classifier, packed

IMAGE_URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/iris:1"
FLOWER = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
TREES = {"a": 200, "b": 201, "c": 202}


@pytest.fixture(scope="module")
def forests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FittedModel]:
    folder = tmp_path_factory.mktemp("forests")
    return {name: an_iris_classifier(folder / name, trees=n) for name, n in TREES.items()}


@pytest.fixture(scope="module")
def user(
    forests: dict[str, FittedModel], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60.0)
    started.prepare()
    started.client("ecr").create_repository(repositoryName="iris")
    made = started.tell("images", {"image_uri": IMAGE_URI, "context": str(CONTAINER)})
    made.raise_for_status()
    for name, forest in forests.items():
        put(started, f"shelf/{name}.tar.gz", packed(forest.directory))
    widths = a_regressor(tmp_path_factory.mktemp("widths"))
    put(started, "shelf/deep/widths.tar.gz", packed(widths.directory))
    bad = an_iris_classifier(tmp_path_factory.mktemp("bad"), trees=2).directory
    (bad / "model.onnx").write_bytes(b"no graph")
    put(started, "shelf/bad.tar.gz", packed(bad))
    yield started
    started.cloud.stop()


def make_endpoint(user: CloudUser, name: str, **environment: str) -> None:
    container = {
        "Image": IMAGE_URI,
        "Mode": "MultiModel",
        "ModelDataUrl": f"s3://{BUCKET}/shelf/",
        "Environment": environment,
    }
    user.make_endpoint(name, make_config(user, name, container))


def ask(user: CloudUser, endpoint: str, target: str) -> dict[str, Any]:
    answer = user.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint,
        Body=json.dumps(FLOWER),
        ContentType="application/json",
        TargetModel=f"{target}.tar.gz",
    )
    (prediction,) = json.loads(answer["Body"].read())["predictions"]
    return dict(prediction)


def events(user: CloudUser, endpoint: str, event: str) -> list[dict[str, Any]]:
    """Give the lines of one event in the log of an endpoint's containers."""
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    found = user.client("logs").filter_log_events(logGroupName=group)["events"]
    messages = [line["message"] for line in found]
    lines = [json.loads(message) for message in messages if message.startswith("{")]
    return [line for line in lines if line["event"] == event]


def targets_of(user: CloudUser, endpoint: str) -> set[str | None]:
    """Give the target models whose answers are in the log."""
    return {line.get("target_model") for line in events(user, endpoint, "model_call")}


def test_each_target_model_answers_as_its_estimator_and_a_bad_one_harms_none(
    user: CloudUser, forests: dict[str, FittedModel]
) -> None:
    make_endpoint(user, "shelf", SAGEMAKER_CONTAINER_LOG_LEVEL="10")

    answers = {name: ask(user, "shelf", name) for name in forests}
    width = ask(user, "shelf", "deep/widths")
    with pytest.raises(ClientError) as caught:
        ask(user, "shelf", "bad")
    after = ask(user, "shelf", "a")

    for name, forest in forests.items():
        (wanted,) = forest.estimator.predict_proba(FLOWER["instances"])
        given = answers[name]["probabilities"]
        assert list(given.values()) == pytest.approx(wanted.tolist(), abs=1e-5)
    assert width["predicted_value"] == pytest.approx(0.2, abs=0.1)
    error: dict[str, Any] = dict(caught.value.response)
    assert error["Error"]["Code"] == "ModelError"
    assert error["OriginalStatusCode"] == 500
    assert "model.onnx has sha256" in error["OriginalMessage"]
    assert after == answers["a"]
    wait_for(lambda: {"a.tar.gz", "deep/widths.tar.gz"} <= targets_of(user, "shelf"), "the log")
    remove(user, "shelf")


def test_without_memory_sagemaker_unloads_what_was_used_longest_ago_and_loads_again(
    user: CloudUser, forests: dict[str, FittedModel]
) -> None:
    one = asyncio.run(trial_bytes(Path(forests["a"].directory)))
    make_endpoint(user, "tight", GREENLIGHT_MODEL_MEMORY_BYTES=str(one * 5 // 2))

    answers = [ask(user, "tight", name) for name in ("a", "b", "a", "c", "a", "b")]

    assert [answer["predicted_class"] for answer in answers] == ["setosa"] * 6
    # The log is read by a thread of the cloud, which may come later than the answers.
    wait_for(lambda: len(events(user, "tight", "model_loaded")) == 4, "the log of four loads")
    loaded = events(user, "tight", "model_loaded")
    unloaded = events(user, "tight", "model_unloaded")
    refused = events(user, "tight", "refused")
    names = [line["model"] for line in loaded]
    # a and b, then c in b's place, then b in c's.
    assert names == [names[0], names[1], names[2], names[1]]
    assert [line["model"] for line in unloaded] == [names[1], names[2]]
    assert {(line["status"], line["code"]) for line in refused} == {(507, "insufficient_memory")}
    assert all(line["reserved_bytes"] <= line["budget_bytes"] for line in loaded)
    remove(user, "tight")
