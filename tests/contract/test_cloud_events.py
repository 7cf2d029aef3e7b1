"""EventBridge tells queues and topics what happens to an endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloud import CloudUser, start_cloud, wait_for

ENDPOINT_CHANGE = "SageMaker Endpoint State Change"
DEPLOYMENT_CHANGE = "SageMaker Endpoint Deployment State Change"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60)
    started.prepare()
    started.make_config("one")
    started.make_config("two", instance_count=2)
    yield started
    started.cloud.stop()


class Queue:
    """An SQS queue and what it got so far."""

    def __init__(self, user: CloudUser, name: str) -> None:
        self._sqs = user.client("sqs")
        self.url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:eu-west-1:123456789012:{name}"
        self.bodies: list[str] = []

    def look(self) -> list[str]:
        """Take what is there now; return everything so far."""
        answer = self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", ()):
            self.bodies.append(message["Body"])
            self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.bodies

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.look()]


def put_rule(user: CloudUser, name: str, pattern: dict[str, Any], **target: Any) -> None:
    events = user.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.sagemaker"], **pattern}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", **target}])


def statuses(events: list[dict[str, Any]]) -> list[str]:
    return [event["detail"]["EndpointStatus"] for event in events]


@pytest.mark.source("SageMaker Developer Guide, automating SageMaker with EventBridge")
def test_a_rule_brings_an_endpoints_life_to_a_queue(user: CloudUser) -> None:
    queue = Queue(user, "life")
    pattern = {"detail-type": [ENDPOINT_CHANGE], "detail": {"EndpointName": ["shop"]}}
    put_rule(user, "life", pattern, Arn=queue.arn)

    user.sagemaker.create_endpoint(
        EndpointName="shop", EndpointConfigName="one", Tags=[{"Key": "team", "Value": "iris"}]
    )
    user.wait("shop")
    described = user.describe("shop")
    user.make_endpoint("other", "one")

    events = wait_for(lambda: queue.events() if len(queue.look()) >= 2 else None, "two events")
    assert statuses(events) == ["CREATING", "IN_SERVICE"]
    event = events[1]
    assert (event["detail-type"], event["source"]) == (ENDPOINT_CHANGE, "aws.sagemaker")
    assert (event["account"], event["region"]) == ("123456789012", "eu-west-1")
    assert event["resources"] == [described["EndpointArn"]]
    assert event["detail"] == {
        "EndpointName": "shop",
        "EndpointArn": described["EndpointArn"],
        "EndpointConfigName": "one",
        "ProductionVariants": [
            {
                "VariantName": "main",
                "CurrentWeight": 1.0,
                "DesiredWeight": 1.0,
                "CurrentInstanceCount": 1,
                "DesiredInstanceCount": 1,
            }
        ],
        "EndpointStatus": "IN_SERVICE",
        "CreationTime": round(described["CreationTime"].timestamp() * 1000),
        "LastModifiedTime": round(described["LastModifiedTime"].timestamp() * 1000),
        "Tags": {"team": "iris"},
    }


@pytest.mark.source("SageMaker Developer Guide, automating SageMaker with EventBridge")
def test_a_canarys_stages_reach_a_queue_by_way_of_a_topic(user: CloudUser) -> None:
    user.make_endpoint("staged", "two")
    queue = Queue(user, "stages")
    topic = user.client("sns").create_topic(Name="stages")["TopicArn"]
    user.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    pattern = {"detail-type": [DEPLOYMENT_CHANGE], "detail": {"EndpointName": ["staged"]}}
    put_rule(user, "stages", pattern, Arn=topic)
    user.make_config("three", instance_count=2)

    user.sagemaker.update_endpoint(
        EndpointName="staged",
        EndpointConfigName="three",
        DeploymentConfig={
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {
                    "Type": "CANARY",
                    "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
                    "WaitIntervalInSeconds": 60,
                }
            }
        },
    )
    user.wait("staged")

    def stages() -> list[str]:
        events = [json.loads(json.loads(body)["Message"]) for body in queue.look()]
        found = []
        for event in events:
            pending = event["detail"].get("PendingDeploymentSummary")
            variants = pending["ProductionVariants"] if pending else ()
            found += [v["VariantStatus"][0]["Status"] for v in variants if "VariantStatus" in v]
        return found if statuses(events)[-1:] == ["IN_SERVICE"] else []

    seen = wait_for(stages, "the stages of the canary")
    assert [word for word in seen if word in ("Creating", "Baking")] == ["Creating", "Baking"]


@pytest.mark.source("EventBridge User Guide, input transformation")
def test_a_rule_shapes_what_its_target_gets(user: CloudUser) -> None:
    queue = Queue(user, "short")
    transformer = {
        "InputPathsMap": {"name": "$.detail.EndpointName", "status": "$.detail.EndpointStatus"},
        "InputTemplate": '{"text": "<name> is <status>"}',
    }
    pattern = {"detail": {"EndpointName": ["told"], "EndpointStatus": ["IN_SERVICE"]}}
    put_rule(user, "short", pattern, Arn=queue.arn, InputTransformer=transformer)

    user.make_endpoint("told", "one")

    assert json.loads(wait_for(queue.look, "the message")[0]) == {"text": "told is IN_SERVICE"}


@pytest.mark.source("EventBridge API Reference, DisableRule")
def test_a_disabled_rule_and_one_without_a_match_get_nothing(user: CloudUser) -> None:
    queue = Queue(user, "never")
    put_rule(user, "off", {"detail": {"EndpointName": ["quiet"]}}, Arn=queue.arn)
    user.client("events").disable_rule(Name="off")
    put_rule(user, "miss", {"detail": {"EndpointName": ["nobody"]}}, Arn=queue.arn)
    heard = Queue(user, "heard")
    put_rule(user, "on", {"detail": {"EndpointName": [{"prefix": "qui"}]}}, Arn=heard.arn)

    user.make_endpoint("quiet", "one")

    wait_for(lambda: "IN_SERVICE" in statuses(heard.events()), "the rule that is on")
    assert queue.look() == []


def test_what_can_not_be_delivered_is_noted(user: CloudUser) -> None:
    function = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    gone = "arn:aws:sqs:eu-west-1:123456789012:gone"
    put_rule(user, "lambda", {"detail": {"EndpointName": ["lost"]}}, Arn=function)
    put_rule(user, "gone", {"detail": {"EndpointName": ["lost"]}}, Arn=gone)

    user.make_endpoint("lost", "one")
    kinds = {(e["service"], e["type"]) for e in user.control("inventory")["resources"]}

    events = user.control("record")["events"]
    errors = {
        event["target_arn"]: event.get("error", "")
        for event in events
        if event["kind"] == "event_delivery" and event["rule_name"] in ("lambda", "gone")
    }
    assert {("events", "rule"), ("sqs", "queue")} <= kinds
    assert "SQS queues, SNS topics and log groups" in errors[function]
    assert "does not exist" in errors[gone]
