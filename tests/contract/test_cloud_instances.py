"""Life of instances over HTTP: start-up, pings for life, replacement, stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import CloudUser, start_cloud, wait_for
from tests.support.instances import (
    a_step,
    add_image,
    add_images,
    instances_of,
    invoke,
    make_config,
    remove,
)

STARTUP_WALL_SECONDS = 3.0
GRACE_WALL_SECONDS = 1.0


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    found = start_cloud(
        tmp_path_factory.mktemp("cloud"),
        speed=60.0,
        minimum_startup_wall_seconds=STARTUP_WALL_SECONDS,
        stop_grace_wall_seconds=GRACE_WALL_SECONDS,
    )
    found.prepare()
    add_images(found)
    yield found
    found.cloud.stop()


def actions(user: CloudUser, endpoint: str) -> list[str]:
    """Return what the record says of an endpoint's instances."""
    return [
        event["action"]
        for event in user.control("record")["events"]
        if event["kind"] == "fleet" and event["endpoint_name"] == endpoint
    ]


@pytest.mark.source("DG your-algorithms-inference-code: pings go on, a sick container is replaced")
def test_an_instance_whose_pings_fail_is_replaced(user: CloudUser, tmp_path: Path) -> None:
    sick = tmp_path / "sick"
    step = a_step("one", ENVIRONMENT={"STEP_SICK_FILE": str(sick)})
    user.make_endpoint("sick", make_config(user, "sick", step))
    (before,) = instances_of(user, "sick")

    sick.touch()
    wait_for(lambda: "unhealthy" in actions(user, "sick"), "the instance to be found unhealthy")
    sick.unlink()
    wait_for(lambda: before.containers[0].running.exit_code() is not None, "the end of the old one")
    wait_for(lambda: actions(user, "sick").count("healthy") == 2, "a new instance")

    assert wait_for(lambda: answers(user, "sick"), "an answer") == b"x|one"
    remove(user, "sick")


def answers(user: CloudUser, endpoint: str) -> Any:
    """Return an answer, or None while no instance serves."""
    try:
        return invoke(user, endpoint)[1]
    except user.client("sagemaker-runtime").exceptions.ServiceUnavailable:
        return None


@pytest.mark.assumed("how many starts SageMaker gives a container; three here")
def test_a_container_that_exits_at_first_is_started_again(user: CloudUser, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    crash = {"STEP_STARTS_FILE": str(starts), "STEP_CRASHES": "2"}

    user.make_endpoint("flaky", make_config(user, "flaky", a_step("x", ENVIRONMENT=crash)))

    assert len(starts.read_text().splitlines()) == 3
    remove(user, "flaky")


@pytest.mark.source("DG your-algorithms-inference-code: consistently 200")
def test_a_server_that_flaps_is_not_up_yet(user: CloudUser) -> None:
    flapping = a_step("flapping", ENVIRONMENT={"STEP_FLAPS": "20", "STEP_REPORT": "1"})

    user.make_endpoint("flapping", make_config(user, "flapping", flapping))

    assert invoke(user, "flapping")[1]["pings"] > 20
    remove(user, "flapping")


@pytest.mark.source("DG your-algorithms-inference-code: SIGTERM, then SIGKILL")
def test_a_server_that_ignores_sigterm_is_killed_after_the_grace(user: CloudUser) -> None:
    stubborn = a_step("stubborn", ENVIRONMENT={"STEP_IGNORES_TERM": "1"})
    user.make_endpoint("stubborn", make_config(user, "stubborn", stubborn))
    (instance,) = instances_of(user, "stubborn")
    running = instance.containers[0].running
    began = time.monotonic()

    remove(user, "stubborn")
    wait_for(lambda: running.exit_code() is not None, "the server to be gone")

    assert time.monotonic() - began >= GRACE_WALL_SECONDS
    assert running.exit_code() == -signal.SIGKILL
    group = "/aws/sagemaker/Endpoints/stubborn"
    events = user.client("logs").filter_log_events(logGroupName=group)["events"]
    assert "not now" in [event["message"] for event in events]


@pytest.mark.source("botocore ProductionVariant.ContainerStartupHealthCheckTimeoutInSeconds")
def test_a_server_that_is_never_healthy_fails_after_its_start_up_limit(
    user: CloudUser, tmp_path: Path
) -> None:
    sick = tmp_path / "sick"
    sick.touch()
    step = a_step("never", ENVIRONMENT={"STEP_SICK_FILE": str(sick)})
    limit = {"ContainerStartupHealthCheckTimeoutInSeconds": 60}
    config = make_config(user, "never", step, variant=limit)
    began = time.monotonic()

    user.sagemaker.create_endpoint(EndpointName="never", EndpointConfigName=config)
    seen = user.wait("never")

    assert time.monotonic() - began >= STARTUP_WALL_SECONDS
    assert seen["EndpointStatus"] == "Failed"
    assert seen["FailureReason"].startswith("The primary container for production variant main")
    remove(user, "never")


@pytest.mark.source("DG logging-cloudwatch: no group when no container ever wrote")
def test_an_instance_whose_container_never_started_has_no_log_group(user: CloudUser) -> None:
    config = make_config(user, "silent", a_step("silent"))
    user.client("ecr").batch_delete_image(repositoryName="step", imageIds=[{"imageTag": "1"}])

    user.sagemaker.create_endpoint(EndpointName="silent", EndpointConfigName=config)
    seen = user.wait("silent")
    add_image(user, "step")

    assert seen["EndpointStatus"] == "Failed"
    groups = user.client("logs").describe_log_groups(
        logGroupNamePrefix="/aws/sagemaker/Endpoints/silent"
    )
    assert groups["logGroups"] == []
    remove(user, "silent")
