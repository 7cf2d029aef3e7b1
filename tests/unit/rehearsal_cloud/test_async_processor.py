"""One request from its payload to its end, with stores that fail on purpose."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from rehearsal.cloud.asynchronous.choice import Place
from rehearsal.cloud.asynchronous.processor import Processor
from rehearsal.cloud.asynchronous.request import AsyncRequest
from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.cloudwatch.metrics import MetricStore
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.instance import Instance, InstanceSpec
from rehearsal.cloud.role_objects import RoleObjects
from rehearsal.cloud.runtime.connection import Answer
from rehearsal.cloud.runtime.outcome import Outcome
from tests.unit.rehearsal_cloud.test_async_request import OUTPUT, a_request

TOPICS = {"NotificationConfig": {"SuccessTopic": "good", "ErrorTopic": "bad"}}


@dataclass
class Shelf:
    """Objects in a dictionary."""

    held: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def read(self, bucket: str, key: str) -> bytes | None:
        return self.held.get((bucket, key))

    def keys(self, bucket: str, prefix: str) -> list[str] | None:
        return None

    def write(
        self, bucket: str, key: str, data: bytes, *, content_type: str, kms_key_id: str | None
    ) -> None:
        if bucket != "b":
            raise SetupError(f"there is no bucket {bucket}")
        self.held[bucket, key] = data


@dataclass
class Permissions:
    """A role that may do whatever isn't forbidden here."""

    forbidden: set[str] = field(default_factory=set)

    def may_read(self, role_arn: str, bucket: str, key: str) -> bool:
        return "read" not in self.forbidden

    def may_write(
        self, role_arn: str, bucket: str, key: str, kms_key_id: str | None = None
    ) -> bool:
        return not ({"write", f"encrypt with {kms_key_id}"} & self.forbidden)

    def may_list(self, role_arn: str, bucket: str, prefix: str = "") -> bool:
        return True

    def may_decrypt(self, role_arn: str, bucket: str, key: str) -> bool:
        return "decrypt" not in self.forbidden


class Desk:
    """A processor, what it wrote, and what it told whom."""

    def __init__(self, *forbidden: str, answer: Answer | None = None) -> None:
        self.shelf = Shelf({("b", "in"): b"payload"})
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.lines: list[str] = []
        self.store = MetricStore()
        spec = InstanceSpec(
            instance_id="i-1",
            endpoint_name="e",
            config_name="c",
            variant_name="v",
            fleet_id="f",
            model=None,
            definition={},
        )
        self.place = Place(variant_name="v", config_name="c", instance=Instance(spec=spec))
        self.processor = Processor(
            clock=ManualClock(),
            region="eu-west-1",
            objects=RoleObjects(objects=self.shelf, permissions=Permissions(set(forbidden))),
            may_publish=lambda role, topic: "publish" not in forbidden,
            store=self.store,
            publish=lambda topic, text: self.told.append((topic, json.loads(text))),
            log=lambda group, stream, line: self.lines.append(line),
            forward=lambda *_, **__: Outcome(
                answer=answer,
                failure="" if answer is not None else "exited",
                container="primary",
                model_latency_us=5.0,
                status=answer.status if answer is not None else 0,
            ),
        )

    def run(self, **members: Any) -> bool:
        config = {**OUTPUT, **TOPICS}
        given: dict[str, Any] = {
            "output_config": config,
            "received_at": 1_799_999_990.0,
            "output_location": "s3://b/out.x",
            "failure_location": "s3://b/failed.x",
        }
        request: AsyncRequest = a_request(**{**given, **members})
        return self.processor.run(request, self.place)

    def metrics(self) -> set[str]:
        keys = self.store.keys()
        return {key.name for key in keys}


GOOD = Answer(status=200, headers={"content-length": "2", "content-type": "text/csv"}, body=b"ok")


def test_a_good_answer_is_written_told_and_noted() -> None:
    desk = Desk(answer=GOOD)

    assert desk.run()
    assert desk.shelf.held["b", "out.x"] == b"ok"
    topic, told = desk.told[0]
    assert (topic, told["invocationStatus"]) == ("good", "Completed")
    assert "TimeInBacklog: 10000 ms" in desk.lines[0]
    assert "InvocationFailures" not in desk.metrics()


def test_a_request_whose_instance_goes_away_is_left_to_another() -> None:
    desk = Desk()
    desk.place.instance.stopping.set()

    assert not desk.run()
    assert (desk.told, desk.lines, desk.metrics()) == ([], [], set())


@pytest.mark.source("DG async-inference-monitor: RequestDownloadFailures")
@pytest.mark.parametrize("forbidden", ["read", "decrypt"])
def test_a_payload_the_role_may_not_read_fails_the_request(forbidden: str) -> None:
    desk = Desk(forbidden, answer=GOOD)

    assert desk.run()
    assert f"may not {forbidden} it" in desk.told[0][1]["failureReason"]
    assert f"may not {forbidden} it".encode() in desk.shelf.held["b", "failed.x"]
    assert {"RequestDownloadFailures", "InvocationFailures"} <= desk.metrics()
    assert "ModelLatency" not in desk.metrics()


@pytest.mark.source("DG async-inference-monitor: ResponseUploadFailures")
@pytest.mark.parametrize(
    ("location", "forbidden"),
    [
        ("s3://b/out.x", "write"),
        ("s3://b/out.x", "encrypt with key"),
        ("s3://nowhere/out.x", "nothing"),
    ],
)
def test_a_response_that_cannot_be_written_fails_the_request(location: str, forbidden: str) -> None:
    desk = Desk(forbidden, answer=GOOD)

    assert desk.run(output_location=location, output_config={**OUTPUT, **TOPICS, "KmsKeyId": "key"})
    topic, told = desk.told[0]
    assert topic == "bad"
    assert told["failureReason"].startswith("ClientError: Failed to upload the response to")
    assert {"ResponseUploadFailures", "InvocationFailures"} <= desk.metrics()


@pytest.mark.source("DG async-inference-monitor: NotificationFailures")
def test_a_topic_that_cannot_be_told_is_counted_and_fails_nothing() -> None:
    desk = Desk("publish", answer=GOOD)

    assert desk.run()
    assert desk.shelf.held["b", "out.x"] == b"ok"
    assert desk.told == []
    assert "NotificationFailures" in desk.metrics()
    assert "InvocationFailures" not in desk.metrics()


def test_without_a_failure_path_a_failure_is_told_and_written_nowhere() -> None:
    desk = Desk(answer=Answer(status=500, headers={"content-length": "3"}, body=b"bad"))

    assert desk.run(failure_location=None)
    assert set(desk.shelf.held) == {("b", "in")}
    assert "responseParameters" not in desk.told[0][1]
    assert desk.lines[0].endswith('server error (500) from primary with message "bad"')
