"""Faults on purpose, as a client of AWS meets them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.support.cloud import BUCKET, CloudUser, start_cloud, wait_for


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60)
    started.prepare()
    started.make_config("one")
    started.make_config("two")
    started.make_endpoint("shop", "one")
    yield started
    started.cloud.stop()


@pytest.fixture(autouse=True)
def clean(user: CloudUser) -> Iterator[None]:
    yield
    requests.delete(f"{user.cloud.url}/rehearsal/faults", timeout=10).raise_for_status()


def add(user: CloudUser, kind: str, **members: Any) -> str:
    answer = user.tell("faults", {"kind": kind, **members})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["fault_id"])


def uses(user: CloudUser, fault_id: str) -> list[dict[str, Any]]:
    events = user.control("record")["events"]
    return [e for e in events if e["kind"] == "fault" and e.get("fault_id") == fault_id][1:]


def refused(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**members)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def update(user: CloudUser, config: str) -> dict[str, Any]:
    user.sagemaker.update_endpoint(EndpointName="shop", EndpointConfigName=config)
    return user.wait("shop")


@pytest.mark.source("field reports; SageMaker Developer Guide, troubleshoot model deployments")
@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("image", "Please make sure all images included in the model"),
        ("artifact", f's3://{BUCKET}/two/model.tar.gz". Please ensure that there is an object'),
        ("cannot-start", "CannotStartContainerError."),
        ("ping", "did not pass the ping health check"),
    ],
)
def test_a_launch_that_fails_on_purpose_leaves_the_reason_asked_for(
    user: CloudUser, reason: str, words: str
) -> None:
    fault_id = add(user, "launch-failure", reason=reason, endpoint_name="shop")

    settled = update(user, "two")

    assert (settled["EndpointStatus"], settled["EndpointConfigName"]) == ("InService", "one")
    assert words in settled["FailureReason"]
    used = uses(user, fault_id)
    assert [use["endpoint_config_name"] for use in used] == ["two"]
    assert user.invoke("shop")["name"] == "one"


@pytest.mark.source("SageMaker Developer Guide, how containers should respond to health checks")
def test_a_hanging_health_check_fails_when_its_time_is_up(user: CloudUser) -> None:
    user.make_config("hang", variant={"ContainerStartupHealthCheckTimeoutInSeconds": 60})
    add(user, "health-check-hang", endpoint_config_name="hang")
    began = user.control("status")["now"]

    settled = update(user, "hang")

    assert "did not pass the ping health check" in settled["FailureReason"]
    assert user.control("status")["now"] - began >= 60


@pytest.mark.source("reports: a container that exits answers 424 until it is replaced")
def test_a_container_crashes_after_its_requests_and_is_replaced(user: CloudUser) -> None:
    fault_id = add(user, "crash", after_requests=2, endpoint_name="shop")
    before = [user.invoke("shop")["name"] for _ in range(2)]

    code, message = refused(
        user.client("sagemaker-runtime").invoke_endpoint, EndpointName="shop", Body=b"1"
    )

    assert before == ["one", "one"]
    assert code == "ModelError"
    assert "the model process exited" in message

    def answers() -> bool:
        try:
            return bool(user.invoke("shop")["name"] == "one")
        except ClientError:
            return False

    wait_for(answers, "the crashed instance to be replaced")
    assert len(uses(user, fault_id)) == 1


@pytest.mark.source("SageMaker Developer Guide, CloudWatch metrics: ModelLatency")
def test_latency_on_purpose_counts_as_the_models(user: CloudUser) -> None:
    add(user, "latency", milliseconds=300, times=1)
    taken = []

    for _ in range(2):
        answer = user.client("sagemaker-runtime").invoke_endpoint(EndpointName="shop", Body=b"1")
        answer["Body"].read()
        taken.append(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def windows() -> list[float]:
        samples = user.control("record")["samples"]
        fleets = [fleet for sample in samples for fleet in sample["fleets"]]
        return [f["latency_ms_p99"] for f in fleets if (f["latency_ms_p99"] or 0) >= 200]

    assert len(taken) == 2
    assert wait_for(windows, "a sample with the slow answer")


@pytest.mark.source("botocore, sagemaker-runtime ModelError")
def test_a_models_error_on_purpose_is_a_424_with_its_status(user: CloudUser) -> None:
    add(user, "model-error", status=503, message="overloaded", times=1)

    with pytest.raises(ClientError) as raised:
        user.client("sagemaker-runtime").invoke_endpoint(EndpointName="shop", Body=b"1")

    response: dict[str, Any] = dict(raised.value.response)
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (503, "overloaded")
    assert user.invoke("shop")["name"] == "one"


@pytest.mark.source("field reports of InsufficientInstanceCapacity")
def test_capacity_runs_out_per_instance_type(user: CloudUser) -> None:
    user.make_config("other-type", variant={"InstanceType": "ml.c5.large"})
    add(user, "capacity", instance_type="ml.c5.large")

    failed = update(user, "other-type")
    fine = update(user, "two")

    assert "InsufficientInstanceCapacity" in failed["FailureReason"]
    assert (fine["EndpointConfigName"], fine.get("FailureReason")) == ("two", None)
    update(user, "one")


@pytest.mark.source("field reports of ThrottlingException: Rate exceeded")
@pytest.mark.parametrize(
    ("service", "operation", "method", "members", "code"),
    [
        (
            "sagemaker",
            "DescribeEndpoint",
            "describe_endpoint",
            {"EndpointName": "shop"},
            "ThrottlingException",
        ),
        (
            "sagemaker-runtime",
            "InvokeEndpoint",
            "invoke_endpoint",
            {"EndpointName": "shop", "Body": b"1"},
            "ThrottlingException",
        ),
        ("iam", "GetRole", "get_role", {"RoleName": "execution"}, "Throttling"),
        ("cloudwatch", "DescribeAlarms", "describe_alarms", {}, "ThrottlingException"),
        ("ecr", "DescribeRepositories", "describe_repositories", {}, "ThrottlingException"),
    ],
)
def test_a_throttled_call_is_refused_once_in_its_protocol(
    user: CloudUser, service: str, operation: str, method: str, members: Any, code: str
) -> None:
    fault_id = add(user, "throttle", operation=operation)
    call = getattr(user.client(service), method)

    first = refused(call, **members)

    assert first == (code, "Rate exceeded")
    assert call(**members)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert len(uses(user, fault_id)) == 1


@pytest.mark.source("AWS provider's endpoint waiter; ACK's tests: Updating, then InService")
@pytest.mark.parametrize(
    ("polls", "reason"), [(0, ""), (1, ""), (3, "Request to service failed. Try again.")]
)
def test_an_update_rolls_back_in_silence_seen_by_so_many_polls(
    user: CloudUser, polls: int, reason: str
) -> None:
    add(user, "silent-rollback", rolling_back_polls=polls, failure_reason=reason)
    user.sagemaker.update_endpoint(EndpointName="shop", EndpointConfigName="two")
    seen: list[dict[str, Any]] = []

    def is_settled() -> bool:
        seen.append(user.describe("shop"))
        return bool(seen[-1]["EndpointStatus"] == "InService")

    wait_for(is_settled, "the update to come back")

    statuses = [each["EndpointStatus"] for each in seen]
    recorded = [
        event["status"]
        for event in user.control("record")["events"]
        if event["kind"] == "endpoint_status" and event["endpoint_name"] == "shop"
    ]
    shown = ["RollingBack"] if polls else []
    assert recorded[-2 - len(shown) :] == ["Updating", *shown, "InService"]
    assert statuses.count("RollingBack") == polls
    assert seen[-1]["EndpointConfigName"] == "one"
    assert seen[-1].get("FailureReason", "") == reason
    assert user.invoke("shop")["name"] == "one"


@pytest.mark.source("field reports of ResourceLimitExceeded")
def test_a_quota_refuses_what_goes_beyond_it_in_the_services_words(user: CloudUser) -> None:
    fault_id = add(user, "quota", instance_type="ml.m5.large", limit=2)
    user.make_config("three", instance_count=3)

    code, message = refused(
        user.sagemaker.update_endpoint, EndpointName="shop", EndpointConfigName="three"
    )
    requests.delete(
        f"{user.cloud.url}/rehearsal/faults", json={"fault_id": fault_id}, timeout=10
    ).raise_for_status()
    allowed = update(user, "three")

    assert code == "ResourceLimitExceeded"
    assert message.startswith(
        "The account-level service limit 'ml.m5.large for endpoint usage' is 2 Instances, with "
        "current utilization of 1 Instances and a request delta of 3 Instances."
    )
    assert allowed["EndpointConfigName"] == "three"
    update(user, "one")


def test_faults_are_listed_with_what_each_kind_takes_and_cleared_by_id(user: CloudUser) -> None:
    first = add(user, "throttle", operation="CreateModel", times=3)
    second = add(user, "latency", milliseconds=5)

    listed = user.control("faults")
    answer = requests.delete(
        f"{user.cloud.url}/rehearsal/faults", json={"fault_id": first}, timeout=10
    )

    assert [fault["fault_id"] for fault in listed["faults"]] == [first, second]
    assert listed["kinds"]["latency"]["settings"]["milliseconds"].startswith("a whole number")
    assert [fault["fault_id"] for fault in answer.json()["faults"]] == [first]
    assert [fault["fault_id"] for fault in user.control("faults")["faults"]] == [second]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"kind": "meteor"}, "there are launch-failure, health-check-hang"),
        ({"kind": "latency"}, "milliseconds is None; allowed is a whole number"),
        ({"kind": "crash", "operation": "x"}, "it takes endpoint_name, variant_name"),
    ],
)
def test_a_wrong_fault_is_refused_with_what_is_allowed(
    user: CloudUser, members: dict[str, Any], words: str
) -> None:
    answer = user.tell("faults", members)

    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert json.loads(answer.text).keys() == {"error"}
