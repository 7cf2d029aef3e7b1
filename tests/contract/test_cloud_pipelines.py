"""Inference pipelines over HTTP: several containers on one instance, in order or by name."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import CloudUser, start_cloud, wait_for
from tests.support.instances import (
    a_step,
    add_images,
    image_uri,
    invoke,
    log_streams,
    make_config,
    remove,
)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    found = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60.0)
    found.prepare()
    add_images(found)
    yield found
    found.cloud.stop()


@pytest.mark.source("DG inference-pipelines: each container gets the response before it")
def test_a_serial_pipeline_hands_each_answer_to_the_next_container(user: CloudUser) -> None:
    containers = [
        a_step("clean", ENVIRONMENT={"STEP_CONTENT_TYPE": "text/csv"}),
        a_step("score", ENVIRONMENT={"STEP_REPORT": "1", "STEP_CONTENT_TYPE": "application/json"}),
    ]
    user.make_endpoint("serial", make_config(user, "serial", containers))

    content_type, report = invoke(user, "serial", b"raw")

    assert content_type == "application/json"
    assert (report["body"], report["content_type"]) == ("raw|clean", "text/csv")
    assert report["bind_to_port"] != "8080"
    remove(user, "serial")


@pytest.mark.source("DG inference-pipeline-logs-metrics: a stream per container")
def test_each_container_of_a_pipeline_has_its_own_log_stream(user: CloudUser) -> None:
    containers = [
        a_step("first", ContainerHostname="clean"),
        a_step("second", ContainerHostname="rank"),
    ]
    user.make_endpoint("named", make_config(user, "named", containers))

    group = "/aws/sagemaker/Endpoints/named"
    streams = wait_for(
        lambda: len(log_streams(user, group)) == 2 and log_streams(user, group), "two streams"
    )

    processes = user.control("status")["processes"]
    assert [p["container"] for p in processes if p["endpoint_name"] == "named"] == ["clean", "rank"]
    assert [re.sub("i-[0-9a-f]{17}", "<instance>", stream) for stream in streams] == [
        "main/<instance>/clean",
        "main/<instance>/rank",
    ]
    remove(user, "named")


@pytest.mark.source("DG multi-container-direct: by host name; reports: generated container-N")
def test_a_direct_pipeline_is_invoked_by_host_name(user: CloudUser) -> None:
    containers = [a_step("one"), a_step("two")]
    config = make_config(user, "direct", containers, InferenceExecutionConfig={"Mode": "Direct"})
    user.make_endpoint("direct", config)

    answers = [
        invoke(user, "direct", TargetContainerHostname=name)[1]
        for name in ("container-1", "container-2")
    ]

    assert answers == [b"x|one", b"x|two"]
    with pytest.raises(ClientError) as caught:
        invoke(user, "direct", TargetContainerHostname="container-3")
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    remove(user, "direct")


@pytest.mark.source("aws/amazon-sagemaker-examples#1072: the text names the container")
def test_a_pipeline_whose_second_container_exits_names_it(
    user: CloudUser, tmp_path: object
) -> None:
    crash = {"STEP_STARTS_FILE": f"{tmp_path}/starts", "STEP_CRASHES": "99"}
    containers = [a_step("fine"), a_step("broken", ENVIRONMENT=crash)]
    config = make_config(user, "broken", containers)

    user.sagemaker.create_endpoint(EndpointName="broken", EndpointConfigName=config)
    seen = user.wait("broken")

    assert seen["EndpointStatus"] == "Failed"
    assert seen["FailureReason"] == (
        "The container-2 for production variant main did not pass the ping health check. Please "
        "check CloudWatch logs for this endpoint."
    )
    assert not [
        each for each in user.control("status")["processes"] if each["endpoint_name"] == "broken"
    ]
    remove(user, "broken")


@pytest.mark.source("sagemaker-pytorch-training-toolkit#140: the label's refusal at CreateModel")
def test_a_pipeline_needs_images_that_accept_a_port(user: CloudUser) -> None:
    containers = [a_step("one"), {"Image": image_uri("tiny")}]

    with pytest.raises(ClientError) as caught:
        make_config(user, "unlabelled", containers)

    assert caught.value.response["Error"]["Message"] == (
        f"Your Ecr Image {image_uri('tiny')} does not contain required "
        "com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true Docker label(s)."
    )
