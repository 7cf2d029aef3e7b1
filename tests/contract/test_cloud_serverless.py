"""Serverless endpoints with real server processes, by boto3 over the wire."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import CloudUser, Traffic, start_cloud, wait_for
from tests.support.instances import instances_of

SPEED = 60.0
SIZES = {"MemorySizeInMB": 2048, "MaxConcurrency": 2}


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=SPEED)
    started.prepare()
    yield started
    started.cloud.stop()


@pytest.fixture(autouse=True)
def _delete_endpoints(user: CloudUser) -> Iterator[None]:
    """Leave no endpoint behind: each counts towards the account's quota."""
    yield
    for endpoint in user.sagemaker.list_endpoints(MaxResults=100)["Endpoints"]:
        user.wait(endpoint["EndpointName"])
        user.sagemaker.delete_endpoint(EndpointName=endpoint["EndpointName"])
    wait_for(lambda: not user.sagemaker.list_endpoints()["Endpoints"], "every endpoint to go")
    wait_for(lambda: processes(user) == 0, "every process to end")


@pytest.fixture
def name() -> str:
    return f"n-{uuid.uuid4().hex[:12]}"


def make_config(user: CloudUser, name: str, model: str, **sizes: int) -> str:
    user.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": "main",
                "ModelName": model,
                "ServerlessConfig": {**SIZES, **sizes},
            }
        ],
    )
    return name


def processes(user: CloudUser) -> int:
    return len(user.control("status")["processes"])


def statuses(user: CloudUser, name: str) -> list[str]:
    """Return an endpoint's states so far."""
    events = user.control("record")["events"]
    mine = [e for e in events if e["kind"] == "endpoint_status" and e["endpoint_name"] == name]
    return [event["status"] for event in mine]


def setup_times(user: CloudUser, name: str) -> float:
    """Return how many cold starts are in the metrics."""
    now = user.cloud.clock.now()
    answer = user.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="ModelSetupTime",
        Dimensions=[
            {"Name": "EndpointName", "Value": name},
            {"Name": "VariantName", "Value": "main"},
        ],
        StartTime=now - 7_200,
        EndTime=now + 60,
        Period=60,
        Statistics=["SampleCount"],
    )
    return float(sum(point["SampleCount"] for point in answer["Datapoints"]))


@pytest.mark.source("DG serverless-endpoints: scales to zero, cold start; ModelSetupTime")
def test_an_idle_serverless_endpoint_has_no_process_until_it_is_invoked(
    user: CloudUser, name: str
) -> None:
    user.make_endpoint(name, make_config(user, f"{name}-s", user.make_config(name)))
    (variant,) = user.describe(name)["ProductionVariants"]
    wait_for(lambda: processes(user) == 0, "the idle process to be stopped")

    cold = user.invoke(name)
    warm = user.invoke(name)

    assert variant["CurrentServerlessConfig"] == variant["DesiredServerlessConfig"] == SIZES
    assert "CurrentInstanceCount" not in variant
    assert cold["name"] == warm["name"] == name
    assert processes(user) == 1
    assert setup_times(user, name) == 1.0


@pytest.mark.source("botocore ServerlessUpdateConfig; DG serverless-endpoints: throttled beyond it")
def test_concurrency_is_bounded_changed_and_kept_warm(
    user: CloudUser, name: str, tmp_path: Path
) -> None:
    gate = tmp_path / "open"
    model = user.make_config(name, environment={"TINY_GATE": str(gate)})
    user.make_endpoint(name, make_config(user, f"{name}-s", model, MaxConcurrency=1))

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(user.invoke, name)
        wait_for(lambda: any(i.outstanding for i in instances_of(user, name)), "a request")
        with pytest.raises(ClientError) as caught:
            user.invoke(name)
        gate.touch()
        answer = first.result()
    user.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name,
        DesiredWeightsAndCapacities=[
            {
                "VariantName": "main",
                "ServerlessUpdateConfig": {"MaxConcurrency": 3, "ProvisionedConcurrency": 2},
            }
        ],
    )
    seen = user.wait(name)

    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert answer["name"] == name
    assert statuses(user, name) == ["Creating", "InService", "Updating", "InService"]
    (variant,) = seen["ProductionVariants"]
    assert variant["CurrentServerlessConfig"] == {
        "MemorySizeInMB": 2048,
        "MaxConcurrency": 3,
        "ProvisionedConcurrency": 2,
    }
    assert processes(user) == 2


@pytest.mark.source("DG serverless-endpoints-update: one way only")
def test_serverless_becomes_instances_and_never_the_other_way(user: CloudUser, name: str) -> None:
    model = user.make_config(name)
    serverless = make_config(user, f"{name}-s", model)
    again = make_config(user, f"{name}-again", model)
    user.make_endpoint(name, serverless)

    with Traffic(user, name) as traffic:
        user.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=again)
        user.wait(name)
        user.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=name)
        seen = user.wait(name)
        traffic.wait_for_next()
    with pytest.raises(ClientError, match="cannot be updated to a serverless") as caught:
        user.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=serverless)

    assert traffic.errors == []
    assert seen["EndpointConfigName"] == name
    assert seen["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert user.invoke(name)["name"] == name


@pytest.mark.source("field reports, FailureReason of a serverless endpoint")
def test_a_serverless_endpoint_whose_model_exits_is_failed(user: CloudUser, name: str) -> None:
    model = user.make_config(name, environment={"TINY_EXIT": "1"})

    user.sagemaker.create_endpoint(
        EndpointName=name, EndpointConfigName=make_config(user, f"{name}-s", model)
    )
    seen: dict[str, Any] = user.wait(name)

    assert seen["EndpointStatus"] == "Failed"
    assert seen["FailureReason"].startswith(
        'Received server error (0) from model with message "An error occurred while handling '
        'request as the model process exited.". See https://eu-west-1.console'
    )


@pytest.mark.source("DG serverless-endpoints: payload of 4 MB")
def test_a_serverless_payload_is_at_most_four_megabytes(user: CloudUser, name: str) -> None:
    user.make_endpoint(name, make_config(user, f"{name}-s", user.make_config(name)))

    with pytest.raises(ClientError, match="oversize body"):
        user.invoke(name, b"x" * (4 * 1024 * 1024 + 1))

    assert user.invoke(name, b"1" * 1024)["name"] == name


@pytest.mark.assumed("the wording of the quotas' refusal is that of instances' quotas")
def test_an_account_has_so_much_serverless_concurrency(user: CloudUser, name: str) -> None:
    model = user.make_config(name)
    for number in range(5):
        config = make_config(user, f"{name}-{number}", model, MaxConcurrency=200)
        user.sagemaker.create_endpoint(EndpointName=config, EndpointConfigName=config)

    with pytest.raises(ClientError, match="is 1000 Invocations, with current") as caught:
        user.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-0")

    assert caught.value.response["Error"]["Code"] == "ResourceLimitExceeded"
