"""Serverless processes and AWS's maintenance, on a clock moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.runtime.on_demand import IDLE_SECONDS
from rehearsal.cloud.settings import CloudSettings
from tests.support.cloud import CloudUser


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    settings = CloudSettings(directory=tmp_path_factory.mktemp("cloud"))
    started = CloudUser(Cloud(settings, ManualClock()))
    started.cloud.start()
    started.prepare()
    yield started
    started.cloud.stop()


def advance(user: CloudUser, seconds: float) -> None:
    user.tell("clock", {"advance_seconds": seconds}).raise_for_status()


def create(user: CloudUser, name: str, variant: dict[str, Any]) -> None:
    model = user.make_config(name)
    definition = {"VariantName": "main", "ModelName": model, **variant}
    user.sagemaker.create_endpoint_config(
        EndpointConfigName=f"{name}-c", ProductionVariants=[definition]
    )
    user.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-c")
    advance(user, 5)
    assert user.describe(name)["EndpointStatus"] == "InService"


def processes(user: CloudUser) -> int:
    return len(user.control("status")["processes"])


def test_a_cold_start_happens_while_the_clock_stands_still(user: CloudUser) -> None:
    create(user, "cold", {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}})

    counts = [processes(user)]
    advance(user, IDLE_SECONDS - 10)
    counts.append(processes(user))
    advance(user, 20)
    counts.append(processes(user))
    answer = user.invoke("cold")
    counts.append(processes(user))

    assert counts == [1, 1, 0, 1]
    assert answer["name"] == "cold"
    user.sagemaker.delete_endpoint(EndpointName="cold")
    advance(user, 5)


@pytest.mark.source("field reports: a model process that exits is a server error with status 0")
def test_a_cold_start_that_fails_is_a_model_error_and_the_next_one_is_new(
    user: CloudUser,
) -> None:
    create(user, "frail", {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}})
    advance(user, IDLE_SECONDS + 10)
    fault = {"kind": "launch-failure", "endpoint_name": "frail", "reason": "cannot-start"}
    user.tell("faults", fault).raise_for_status()

    with pytest.raises(ClientError) as caught:
        user.invoke("frail")
    answer = user.invoke("frail")

    error: dict[str, Any] = dict(caught.value.response)
    assert error["Error"]["Code"] == "ModelError"
    assert error["OriginalStatusCode"] == 0
    assert error["Error"]["Message"].startswith(
        'Received server error (0) from model with message "An error occurred while handling '
        'request as the model process exited.". See https://'
    )
    assert answer["name"] == "frail"
    user.sagemaker.delete_endpoint(EndpointName="frail")
    advance(user, 5)


def test_a_patch_serves_and_refuses_every_change_until_it_is_over(user: CloudUser) -> None:
    create(user, "patched", {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1})
    before = user.describe("patched")

    user.tell("patches", {"endpoint_name": "patched", "seconds": 60}).raise_for_status()
    during = user.describe("patched")
    answer = user.invoke("patched")
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        user.sagemaker.delete_endpoint(EndpointName="patched")
    again = user.tell("patches", {"endpoint_name": "patched", "seconds": 60})
    advance(user, 61)
    after = user.describe("patched")

    assert during["EndpointStatus"] == "SystemUpdating"
    assert during["LastModifiedTime"] == before["LastModifiedTime"]
    assert answer["name"] == "patched"
    assert again.status_code == 400
    for seen in (before, after):
        del seen["ResponseMetadata"]
    assert after == before


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, "the body must be"),
        ({"endpoint_name": "e", "seconds": 60, "colour": "red"}, "the body must be"),
        ({"endpoint_name": "e", "seconds": "long"}, "allowed is 1 to 86400"),
        ({"endpoint_name": "e", "seconds": 0}, "allowed is 1 to 86400"),
    ],
)
def test_a_patch_that_cannot_be_is_refused(
    user: CloudUser, members: dict[str, Any], words: str
) -> None:
    answer = user.tell("patches", members)

    assert answer.status_code == 400
    assert words in answer.json()["error"]
