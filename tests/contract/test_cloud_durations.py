"""What takes AWS minutes, taking them in rehearsal time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.fleets.durations import AWS, DurationKind
from tests.support.cloud import CloudUser, start_cloud, wait_for
from tests.support.instances import a_step, add_images, make_config, remove


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    found = start_cloud(
        tmp_path_factory.mktemp("cloud"),
        speed=1000.0,
        durations=DurationKind.AWS,
        maximum_instances=1,
    )
    found.prepare()
    add_images(found)
    yield found
    found.cloud.stop()


def seconds_to_settle(user: CloudUser, endpoint: str) -> tuple[float, dict[str, Any]]:
    """Return the rehearsal seconds an endpoint took, and its description."""
    seen = user.wait(endpoint)
    return (seen["LastModifiedTime"] - seen["CreationTime"]).total_seconds(), seen


def create(user: CloudUser, name: str, **environment: str) -> None:
    config = make_config(user, name, a_step(name, ENVIRONMENT=environment))
    user.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)


@pytest.mark.source("field reports: an ml.m5.large is in service after minutes")
def test_an_instance_is_provisioned_before_it_starts(user: CloudUser) -> None:
    create(user, "minutes")

    seconds, seen = seconds_to_settle(user, "minutes")

    assert seen["EndpointStatus"] == "InService"
    assert seconds >= AWS.provisioning_seconds
    remove(user, "minutes")
    wait_for(lambda: not user.control("status")["processes"], "its process to end")


@pytest.mark.source("field reports: 24 to 25 minutes of crash loop; refused while in progress")
def test_a_crash_loop_goes_on_for_long_and_nothing_can_be_changed(
    user: CloudUser, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    create(user, "loop", STEP_STARTS_FILE=str(starts), STEP_CRASHES="999")

    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        remove(user, "loop")
    seconds, seen = seconds_to_settle(user, "loop")

    assert seen["EndpointStatus"] == "Failed"
    assert seconds >= AWS.crash_loop_seconds
    assert len(starts.read_text().split()) >= 2
    remove(user, "loop")


@pytest.mark.source("field reports: half an hour in Creating without capacity")
def test_a_launch_without_capacity_is_given_up_after_half_an_hour(user: CloudUser) -> None:
    user.tell("faults", {"kind": "capacity", "available": 0}).raise_for_status()
    create(user, "scarce")

    seconds, seen = seconds_to_settle(user, "scarce")

    assert seen["EndpointStatus"] == "Failed"
    assert "InsufficientInstanceCapacity" in seen["FailureReason"]
    assert seconds >= AWS.capacity_seconds
    remove(user, "scarce")


@pytest.mark.source("botocore VariantInstanceProvisionTimeoutInSeconds: waits until it expires")
def test_a_launch_without_capacity_waits_as_long_as_its_variant_says(user: CloudUser) -> None:
    patience = round(AWS.capacity_seconds) + 600
    user.tell("faults", {"kind": "capacity", "available": 0}).raise_for_status()
    make_config(
        user,
        "patient",
        a_step("patient"),
        variant={"VariantInstanceProvisionTimeoutInSeconds": patience},
    )
    user.sagemaker.create_endpoint(EndpointName="patient", EndpointConfigName="patient")

    seconds, seen = seconds_to_settle(user, "patient")

    assert "InsufficientInstanceCapacity" in seen["FailureReason"]
    assert seconds >= patience
    remove(user, "patient")
