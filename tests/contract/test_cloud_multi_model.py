"""Multi-model endpoints over HTTP: models of one container, loaded as requests need them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import BUCKET, CloudUser, start_cloud, wait_for
from tests.support.instances import (
    add_images,
    image_uri,
    instances_of,
    invoke,
    make_config,
    put_model,
    remove,
)

PREFIX = "models/"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    found = start_cloud(
        tmp_path_factory.mktemp("cloud"), speed=60.0, minimum_startup_wall_seconds=4.0
    )
    found.prepare()
    add_images(found)
    for name in ("a", "b", "c", "d"):
        put_model(found, f"{PREFIX}{name}.tar.gz", name)
    yield found
    found.cloud.stop()


def multi_model(environment: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Return the ContainerDefinition of the multi-model test image."""
    return {
        "Image": image_uri("multi"),
        "Mode": "MultiModel",
        "ModelDataUrl": f"s3://{BUCKET}/{PREFIX}",
        "Environment": {**(environment or {})},
        **more,
    }


def make_endpoint(user: CloudUser, name: str, container: Mapping[str, Any]) -> None:
    user.make_endpoint(name, make_config(user, name, container))


def ask(user: CloudUser, endpoint: str, model: str, body: bytes = b"x") -> dict[str, Any]:
    report: dict[str, Any] = invoke(user, endpoint, body, TargetModel=f"{model}.tar.gz")[1]
    return report


@pytest.mark.source("DG mms-container-apis: load, opaque name, invoke, target header")
def test_a_target_model_is_downloaded_loaded_and_invoked(user: CloudUser) -> None:
    make_endpoint(user, "shelf", multi_model())

    first, second = ask(user, "shelf", "a"), ask(user, "shelf", "b")

    assert (first["name"], second["name"]) == ("a", "b")
    assert first["multi_model"] == "true"
    assert first["target_model"] == "a.tar.gz"
    folder = first["url"].split("/")
    assert folder[-1] == "model"
    assert folder[-3] == "models"
    assert "a.tar.gz" not in folder[-2]
    assert second["loaded"] == 2
    remove(user, "shelf")


@pytest.mark.source("DG delete-models-from-multi-model-endpoint; how multi-model endpoints work")
def test_a_loaded_model_outlives_its_object_and_a_new_one_needs_no_update(user: CloudUser) -> None:
    make_endpoint(user, "living", multi_model())
    put_model(user, f"{PREFIX}late.tar.gz", "late")
    assert ask(user, "living", "late")["name"] == "late"

    user.client("s3").delete_object(Bucket=BUCKET, Key=f"{PREFIX}late.tar.gz")

    assert ask(user, "living", "late")["name"] == "late"
    remove(user, "living")


@pytest.mark.source("DG mms-container-apis: 507 unloads models that are not in use")
def test_without_memory_the_least_recently_used_model_goes(user: CloudUser) -> None:
    make_endpoint(user, "tight", multi_model({"MULTI_MEMORY": "2"}))

    answers = [ask(user, "tight", name) for name in ("a", "b", "a", "c", "a", "b")]

    assert [answer["name"] for answer in answers] == ["a", "b", "a", "c", "a", "b"]
    assert all(answer["loaded"] <= 2 for answer in answers)
    lines = log_lines(user, "tight", after="/invoke HTTP", times=6)
    unloaded = [line for line in lines if line.startswith("unload ")]
    assert len(unloaded) == 2
    assert "/a" not in unloaded[0]
    remove(user, "tight")


@pytest.mark.source("reports: the text; DG invoke-multi-model-endpoint")
def test_a_model_that_is_not_there_is_a_validation_error(user: CloudUser) -> None:
    make_endpoint(user, "missing", multi_model())

    with pytest.raises(ClientError) as caught:
        ask(user, "missing", "nowhere")

    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert error["Message"].startswith(
        f"Failed to download model data (bucket: {BUCKET}, key: {PREFIX}nowhere.tar.gz)."
    )
    remove(user, "missing")


@pytest.mark.assumed("no source says what a refused load ends as; the model's error here")
def test_a_refused_load_is_a_model_error_and_is_tried_again(user: CloudUser) -> None:
    make_endpoint(user, "refused", multi_model({"MULTI_LOAD_STATUS": "500"}))

    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            ask(user, "refused", "a")
        assert caught.value.response["Error"]["Code"] == "ModelError"
        response: Mapping[str, Any] = caught.value.response
        assert response["OriginalStatusCode"] == 500

    lines = log_lines(user, "refused", after='"POST /models HTTP', times=2)
    assert len([line for line in lines if line.startswith("load ")]) == 2
    remove(user, "refused")


@pytest.mark.source("DG invoke-multi-model-endpoint: ModelNotReadyException, loading goes on")
def test_a_slow_load_answers_not_ready_and_goes_on(user: CloudUser) -> None:
    make_endpoint(user, "slow", multi_model({"MULTI_LOAD_SECONDS": "1.5"}))
    invoker = user.cloud.engine.invoker
    patience, invoker.timeout_seconds = invoker.timeout_seconds, 0.3

    try:
        with pytest.raises(ClientError) as caught:
            ask(user, "slow", "a")
    finally:
        invoker.timeout_seconds = patience
    answer = ask(user, "slow", "a")

    assert caught.value.response["Error"]["Code"] == "ModelNotReadyException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["name"] == "a"
    lines = log_lines(user, "slow", after="/invoke HTTP", times=1)
    assert len([line for line in lines if line.startswith("load ")]) == 1
    remove(user, "slow")


@pytest.mark.source("DG multi-model-caching: unloaded and deleted after its invocation")
def test_without_caching_a_model_goes_when_nobody_uses_it(user: CloudUser) -> None:
    uncached = multi_model(MultiModelConfig={"ModelCacheSetting": "Disabled"})
    make_endpoint(user, "uncached", uncached)
    (instance,) = instances_of(user, "uncached")

    answer = ask(user, "uncached", "a")
    models = instance.multi_model
    assert models is not None
    wait_for(lambda: models.loaded_count == 0, "the model to be unloaded")

    assert answer["loaded"] == 1
    wait_for(lambda: not Path(answer["url"]).exists(), "the model to be deleted")
    assert ask(user, "uncached", "b")["loaded"] == 1
    remove(user, "uncached")


@pytest.mark.source("DG how multi-model endpoints work: to the instance that has the model")
def test_a_model_is_asked_for_where_it_is_loaded(user: CloudUser) -> None:
    config = make_config(user, "spread", multi_model(), variant={"InitialInstanceCount": 2})
    user.make_endpoint("spread", config)

    answers = [ask(user, "spread", "a") for _ in range(8)]

    assert len({answer["pid"] for answer in answers}) == 1
    remove(user, "spread")


@pytest.mark.source("DG mms-container-apis: a request that finds its model loading waits for it")
def test_requests_for_one_model_share_one_load(user: CloudUser) -> None:
    make_endpoint(user, "shared", multi_model({"MULTI_LOAD_SECONDS": "0.3"}))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask(user, "shared", "a"), range(4)))

    assert {answer["name"] for answer in answers} == {"a"}
    lines = log_lines(user, "shared", after="/invoke HTTP", times=4)
    assert len([line for line in lines if line.startswith("load ")]) == 1
    remove(user, "shared")


@pytest.mark.assumed("a model its container dropped is loaded again; no source")
def test_a_model_the_container_dropped_is_loaded_again(user: CloudUser) -> None:
    make_endpoint(user, "forgetful", multi_model())
    ask(user, "forgetful", "a", b"forget")

    answer = ask(user, "forgetful", "a")

    assert answer["name"] == "a"
    remove(user, "forgetful")


@pytest.mark.source("pytorch/serve#397: GET /models answers 404, the health check fails")
def test_a_container_that_cannot_list_its_models_never_gets_healthy(user: CloudUser) -> None:
    config = make_config(
        user,
        "unlisted",
        multi_model({"MULTI_NO_LIST": "1"}),
        variant={"ContainerStartupHealthCheckTimeoutInSeconds": 60},
    )

    user.sagemaker.create_endpoint(EndpointName="unlisted", EndpointConfigName=config)
    seen = user.wait("unlisted")

    assert seen["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in seen["FailureReason"]
    remove(user, "unlisted")


@pytest.mark.source(
    "sagemaker-tensorflow-serving-container#156: the label's refusal at CreateModel"
)
def test_a_multi_model_container_needs_an_image_that_says_it_can(user: CloudUser) -> None:
    with pytest.raises(ClientError) as caught:
        make_config(user, "unlabelled", multi_model(Image=image_uri("step")))

    assert caught.value.response["Error"]["Message"] == (
        f"Your Ecr Image {image_uri('step')} does not contain required "
        "com.amazonaws.sagemaker.capabilities.multi-models=true Docker label(s)."
    )


def log_lines(user: CloudUser, endpoint: str, *, after: str, times: int) -> list[str]:
    """Return what an endpoint's containers wrote, in order, once a text was in it so many times.

    A container's output is read by a thread of the cloud, which may come later than the answers.
    """

    def lines() -> list[str]:
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        found = user.client("logs").filter_log_events(logGroupName=group)
        return [event["message"] for event in found["events"]]

    wait_for(lambda: sum(after in line for line in lines()) >= times, f"{times} lines of {after}")
    return lines()
