"""A seed and the commands make the same run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.history.again import replay_history
from rehearsal.cloud.history.history import read_history
from rehearsal.cloud.settings import ClockKind
from tests.support.cloud import CloudUser, start_cloud

START = 1_800_000_000.0
CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
            "WaitIntervalInSeconds": 300,
        },
        "TerminationWaitInSeconds": 60,
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
}


def start_manual(directory: Path, **settings: Any) -> CloudUser:
    return start_cloud(directory, clock=ClockKind.MANUAL, start_time=START, speed=60, **settings)


def advance(user: CloudUser, seconds: float) -> float:
    answer = user.tell("clock", {"advance_seconds": seconds})
    assert answer.status_code == 200, answer.text
    return float(answer.json()["now"])


def tell_a_story(user: CloudUser) -> None:
    """Two variants, traffic, a canary that trips an alarm, a silent rollback, a scale."""
    user.prepare()
    second = {
        "VariantName": "second",
        "ModelName": "one",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    user.make_config("one", instance_count=2)
    user.make_config("two", instance_count=2)
    first = user.sagemaker.describe_endpoint_config(EndpointConfigName="one")
    user.sagemaker.create_endpoint_config(
        EndpointConfigName="both", ProductionVariants=[*first["ProductionVariants"], second]
    )
    user.sagemaker.create_endpoint(EndpointName="split", EndpointConfigName="both")
    user.sagemaker.create_endpoint(EndpointName="shop", EndpointConfigName="one")
    queue = user.client("sqs").create_queue(QueueName="told")["QueueUrl"]
    events = user.client("events")
    events.put_rule(Name="told", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    events.put_targets(
        Rule="told", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:eu-west-1:123456789012:told"}]
    )
    advance(user, 30)
    for _ in range(12):
        user.invoke("split")
    user.put_error_alarm("errors", "shop")
    advance(user, 60)
    user.tell("faults", {"kind": "model-error", "endpoint_config_name": "two", "times": None})
    user.sagemaker.update_endpoint(
        EndpointName="shop", EndpointConfigName="two", DeploymentConfig=CANARY
    )
    advance(user, 10)
    for _ in range(20):
        answer_anyhow(user, "shop")
    advance(user, 400)
    user.tell("faults", {"kind": "silent-rollback", "rolling_back_polls": 2})
    user.sagemaker.update_endpoint(EndpointName="shop", EndpointConfigName="two")
    advance(user, 20)
    for _ in range(3):
        user.describe("shop")
    advance(user, 5)
    user.tell("faults", {"kind": "crash", "endpoint_name": "shop"})
    answer_anyhow(user, "shop")
    advance(user, 130)
    user.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)


def answer_anyhow(user: CloudUser, endpoint: str) -> None:
    """Invoke and take a model's error for an answer, too."""
    runtime = user.client("sagemaker-runtime")
    try:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1")["Body"].read()
    except runtime.exceptions.ModelError:
        return


def test_a_seed_and_the_commands_make_the_same_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user = start_manual(tmp_path / "first", seed=7)
    try:
        tell_a_story(user)
        record = user.control("record")
    finally:
        user.cloud.stop()
    history = tmp_path / "first" / "history"
    invoked = [c.answered for c in read_history(history)[1] if "/invocations" in c.request.target]

    same = replay_history(history, tmp_path / "second")
    same_words = capsys.readouterr().out
    other = replay_history(history, tmp_path / "third", seed=8)
    other_words = capsys.readouterr().out

    statuses = [
        (event["status"], event["endpoint_config_name"])
        for event in record["events"]
        if event["kind"] == "endpoint_status" and event["endpoint_name"] == "shop"
    ]
    assert statuses == [
        ("Creating", "one"),
        ("InService", "one"),
        ("Updating", "one"),
        ("InService", "one"),
        ("Updating", "one"),
        ("RollingBack", "one"),
        ("InService", "one"),
    ]
    assert {answered.variant for answered in invoked} >= {"main", "second"}
    assert len({answered.instance for answered in invoked}) >= 4
    assert (same, same_words.splitlines()[-1].endswith("sample: the same again")) == (0, True), (
        same_words
    )
    assert other == 1
    assert "differences" in other_words
