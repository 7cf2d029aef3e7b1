"""Endpoints and their deployments, with real server processes, by boto3 over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import BUCKET, CloudUser, Traffic, start_cloud, wait_for

SPEED = 60.0


def canary(alarm: str | None = None, *, bake: int = 120, wait: int = 30) -> dict[str, Any]:
    config: dict[str, Any] = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
                "WaitIntervalInSeconds": bake,
            },
            "TerminationWaitInSeconds": wait,
            "MaximumExecutionTimeoutInSeconds": 3600,
        }
    }
    if alarm is not None:
        config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": alarm}]}
    return config


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=SPEED, maximum_instances=12)
    started.prepare()
    yield started
    started.cloud.stop()


@pytest.fixture(autouse=True)
def _delete_endpoints(user: CloudUser) -> Iterator[None]:
    yield
    for endpoint in user.sagemaker.list_endpoints(MaxResults=100)["Endpoints"]:
        user.wait(endpoint["EndpointName"])
        user.sagemaker.delete_endpoint(EndpointName=endpoint["EndpointName"])
    wait_for(lambda: not user.control("status")["processes"], "every process to end")


def statuses(user: CloudUser, name: str) -> list[str]:
    events = user.control("record")["events"]
    return [
        event["status"]
        for event in events
        if event["kind"] == "endpoint_status" and event["endpoint_name"] == name
    ]


@pytest.mark.source("DescribeEndpointOutput; UpdateEndpoint; wrong-state errors")
def test_an_endpoint_is_created_described_and_deleted(user: CloudUser, tmp_path: Path) -> None:
    sick = tmp_path / "sick"
    sick.touch()
    user.make_config("life", instance_count=2, environment={"TINY_SICK": str(sick)})

    user.sagemaker.create_endpoint(EndpointName="life", EndpointConfigName="life")
    creating = user.describe("life")
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        user.sagemaker.delete_endpoint(EndpointName="life")
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        user.sagemaker.create_endpoint(EndpointName="LIFE", EndpointConfigName="life")
    sick.unlink()
    settled = user.wait("life")
    processes = user.control("status")["processes"]
    user.sagemaker.delete_endpoint(EndpointName="life")
    wait_for(lambda: statuses(user, "life")[-1] == "Absent", "the endpoint to go")

    assert creating["EndpointStatus"] == "Creating"
    assert "ProductionVariants" not in creating
    assert creating["PendingDeploymentSummary"]["EndpointConfigName"] == "life"
    variant = settled["ProductionVariants"][0]
    assert variant["CurrentInstanceCount"] == variant["DesiredInstanceCount"] == 2
    assert variant["DeployedImages"][0]["ResolvedImage"].partition("@")[2].startswith("sha256:")
    assert "InstanceType" not in variant
    assert "PendingDeploymentSummary" not in settled
    assert len(processes) == 2
    assert statuses(user, "life") == ["Creating", "InService", "Deleting", "Absent"]
    assert not any(psutil.pid_exists(process["pid"]) for process in processes)
    prefix = "/aws/sagemaker/Endpoints/life"
    assert user.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]


@pytest.mark.source("DG deployment-guardrails-blue-green-canary, sequence")
def test_a_good_canary_is_promoted_without_a_failed_request(user: CloudUser) -> None:
    user.make_config("good-1", instance_count=2)
    user.make_config("good-2", instance_count=2)
    user.make_endpoint("good", "good-1")
    user.put_error_alarm("good-errors", "good")
    deployment_config = canary("good-errors")

    with Traffic(user, "good") as traffic:
        user.sagemaker.update_endpoint(
            EndpointName="good", EndpointConfigName="good-2", DeploymentConfig=deployment_config
        )
        updating = user.describe("good")
        settled = user.wait("good")
        wait_for(lambda: traffic.names[-5:] == ["good-2"] * 5, "answers of the new model")

    assert updating["EndpointStatus"] == "Updating"
    assert updating["EndpointConfigName"] == "good-1"
    assert updating["PendingDeploymentSummary"]["EndpointConfigName"] == "good-2"
    assert settled["EndpointConfigName"] == "good-2"
    assert settled["LastDeploymentConfig"] == deployment_config
    assert "FailureReason" not in settled
    assert traffic.errors == []
    assert set(traffic.names) == {"good-1", "good-2"}
    stages = [
        (event["stage"], event["green_traffic_percent"]["main"])
        for event in user.control("record")["events"]
        if event["kind"] == "deployment_stage" and event["endpoint_name"] == "good"
    ]
    assert stages[-4:] == [
        ("launching", 0),
        ("baking", 50),
        ("baking", 100),
        ("terminating", 100),
    ]


@pytest.mark.source("DG deployment-guardrails-configuration; ACK e2e, rolled-back update")
def test_a_bad_canary_is_rolled_back_by_its_alarm(user: CloudUser) -> None:
    user.make_config("bad-1", instance_count=2)
    user.make_config("bad-2", instance_count=2, environment={"TINY_STATUS": "500"})
    user.make_endpoint("bad", "bad-1")
    user.put_error_alarm("bad-errors", "bad")

    with Traffic(user, "bad") as traffic:
        user.sagemaker.update_endpoint(
            EndpointName="bad",
            EndpointConfigName="bad-2",
            DeploymentConfig=canary("bad-errors", bake=600),
        )
        settled = user.wait("bad")
        traffic.wait_for_next()
        before = len(traffic.errors)
        answered = len(traffic.names)
        wait_for(lambda: len(traffic.names) > answered + 5, "answers after the rollback")

    assert settled["EndpointStatus"] == "InService"
    assert settled["EndpointConfigName"] == "bad-1"
    assert "bad-errors" in settled["FailureReason"]
    assert "PendingDeploymentSummary" not in settled
    assert before > 0
    assert len(traffic.errors) == before
    assert all("(500) from primary" in error for error in traffic.errors)
    assert set(traffic.names) == {"bad-1"}
    recorded = sum(
        fleet["errors_5xx"]
        for sample in user.control("record")["samples"]
        for fleet in sample["fleets"]
        if fleet["endpoint_config_name"] == "bad-2"
    )
    assert recorded == before


@pytest.mark.source("field reports, ping health check FailureReason")
def test_a_server_that_never_gets_healthy_fails_a_create(user: CloudUser) -> None:
    user.make_config("crash", environment={"TINY_EXIT": "3"})

    user.sagemaker.create_endpoint(EndpointName="crash", EndpointConfigName="crash")
    settled = user.wait("crash")

    assert settled["EndpointStatus"] == "Failed"
    assert settled["FailureReason"] == (
        "The primary container for production variant main did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        user.sagemaker.update_endpoint(EndpointName="crash", EndpointConfigName="crash")
    logs = user.client("logs")
    group = "/aws/sagemaker/Endpoints/crash"
    stream = logs.describe_log_streams(logGroupName=group)["logStreams"][0]["logStreamName"]
    lines = logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]
    assert stream.startswith("main/i-")
    assert "exiting as told" in [line["message"] for line in lines]


@pytest.mark.source("ACK e2e test_endpoint, config whose artifact was deleted")
def test_an_update_whose_artifact_is_gone_comes_back_to_the_old_config(user: CloudUser) -> None:
    user.make_config("gone-1")
    user.make_config("gone-2")
    user.make_endpoint("gone", "gone-1")

    user.client("s3").delete_object(Bucket=BUCKET, Key="gone-2/model.tar.gz")
    user.sagemaker.update_endpoint(EndpointName="gone", EndpointConfigName="gone-2")
    failed = user.wait("gone")
    user.put_artifact("gone-2/model.tar.gz")
    user.sagemaker.update_endpoint(EndpointName="gone", EndpointConfigName="gone-2")
    good = user.wait("gone")

    assert (failed["EndpointStatus"], failed["EndpointConfigName"]) == ("InService", "gone-1")
    assert "Failed to download model data" in failed["FailureReason"]
    assert good["EndpointConfigName"] == "gone-2"
    assert "FailureReason" not in good


@pytest.mark.source("terraform-provider-aws#40048, #48997: deleting the live config")
def test_a_live_config_can_be_deleted_and_then_no_update_works(user: CloudUser) -> None:
    user.make_config("trap-1")
    user.make_config("trap-2")
    user.make_endpoint("trap", "trap-1")

    user.sagemaker.delete_endpoint_config(EndpointConfigName="trap-1")

    with pytest.raises(ClientError, match=r'configuration "[^"]*endpoint-config/trap-1"'):
        user.sagemaker.update_endpoint(EndpointName="trap", EndpointConfigName="trap-2")
    assert user.describe("trap")["EndpointStatus"] == "InService"


@pytest.mark.source("botocore UpdateEndpointWeightsAndCapacities; RetainAllVariantProperties")
def test_capacity_is_scaled_and_kept_or_reset_by_the_next_update(user: CloudUser) -> None:
    user.make_config("size-1")
    user.make_config("size-2")
    user.make_endpoint("size", "size-1")

    def scale(**wanted: Any) -> dict[str, Any]:
        user.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="size",
            DesiredWeightsAndCapacities=[{"VariantName": "main", **wanted}],
        )
        settled: dict[str, Any] = user.wait("size")["ProductionVariants"][0]
        return settled

    scaled = scale(DesiredInstanceCount=3)
    weighed = scale(DesiredWeight=0.5)
    user.sagemaker.update_endpoint(
        EndpointName="size", EndpointConfigName="size-2", RetainAllVariantProperties=True
    )
    kept = user.wait("size")["ProductionVariants"][0]
    user.sagemaker.update_endpoint(EndpointName="size", EndpointConfigName="size-1")
    reset = user.wait("size")["ProductionVariants"][0]

    assert (scaled["CurrentInstanceCount"], scaled["CurrentWeight"]) == (3, 1.0)
    assert (weighed["CurrentInstanceCount"], weighed["CurrentWeight"]) == (3, 0.5)
    assert (kept["CurrentInstanceCount"], kept["CurrentWeight"]) == (3, 0.5)
    assert (reset["CurrentInstanceCount"], reset["CurrentWeight"]) == (1, 1.0)


@pytest.mark.source("field reports, InsufficientInstanceCapacity FailureReason")
def test_a_launch_beyond_the_capacity_fails_as_aws_does(user: CloudUser) -> None:
    user.make_config("huge", instance_count=13)

    user.sagemaker.create_endpoint(EndpointName="huge", EndpointConfigName="huge")
    settled = user.wait("huge")

    assert settled["EndpointStatus"] == "Failed"
    assert "InsufficientInstanceCapacity" in settled["FailureReason"]


@pytest.mark.source("DG deployment-guardrails; botocore CanarySize at most 50 percent")
def test_guardrails_a_fleet_cannot_do_are_refused(user: CloudUser) -> None:
    user.make_config("rail-1")
    user.make_config("rail-2", variant={"VariantName": "other"})
    user.make_endpoint("rail", "rail-1")

    def update(**arguments: Any) -> None:
        user.sagemaker.update_endpoint(EndpointName="rail", **arguments)

    with pytest.raises(ClientError, match="CanarySize of 50 percent is not between"):
        update(EndpointConfigName="rail-1", DeploymentConfig=canary())
    with pytest.raises(ClientError, match="need the same variant names"):
        update(EndpointConfigName="rail-2", DeploymentConfig=canary())
    batch = {"Type": "INSTANCE_COUNT", "Value": 1}
    rolling = {"RollingUpdatePolicy": {"MaximumBatchSize": batch, "WaitIntervalInSeconds": 0}}
    with pytest.raises(ClientError, match="Only one of BlueGreenUpdatePolicy and Rolling"):
        update(EndpointConfigName="rail-1", DeploymentConfig={**canary(), **rolling})
    update(EndpointConfigName="rail-2")

    assert user.wait("rail")["ProductionVariants"][0]["VariantName"] == "other"


@pytest.mark.source("DG your-algorithms-inference-code, failing pings in service")
def test_a_crashed_instance_is_replaced(user: CloudUser) -> None:
    user.make_config("crashes", instance_count=2)
    user.make_endpoint("crashes", "crashes")
    pids = {process["pid"] for process in user.control("status")["processes"]}

    psutil.Process(min(pids)).kill()
    replaced = wait_for(
        lambda: (
            len(now := {p["pid"] for p in user.control("status")["processes"]}) == 2 and now != pids
        ),
        "a new instance",
    )

    assert replaced
    assert user.invoke("crashes")["name"] == "crashes"
