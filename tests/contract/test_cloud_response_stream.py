"""InvokeEndpointWithResponseStream: parts as the container sends them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError

from tests.support.cloud import CloudUser, start_cloud, wait_for
from tests.support.runtime_cloud import a_container, add_runtime_image, make_runtime_endpoint

SPEED = 30.0


@pytest.fixture(scope="module")
def module_gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gate") / "open"


@pytest.fixture
def gate(module_gate: Path) -> Path:
    """The file that lets a stream go on; there is none when a test begins."""
    module_gate.unlink(missing_ok=True)
    return module_gate


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, module_gate: Path) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=SPEED)
    started.prepare()
    add_runtime_image(started)
    make_runtime_endpoint(started, "plain", module_gate)
    yield started
    module_gate.touch()
    started.cloud.stop()


def stream(user: CloudUser, do: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = user.client("sagemaker-runtime").invoke_endpoint_with_response_stream(
        EndpointName="plain", Body=b"x", CustomAttributes=do, **more
    )
    return answer


def outstanding(user: CloudUser) -> int:
    route = user.cloud.engine.invoker.routes["plain"]
    return sum(i.outstanding for lane in route.variants[0].lanes for i in lane.instances)


@pytest.mark.source("botocore InvokeEndpointWithResponseStream; DG realtime-endpoints-test")
def test_the_first_part_arrives_before_the_container_has_sent_the_last(
    user: CloudUser, gate: Path
) -> None:
    answer = stream(user, "stream")
    events = iter(answer["Body"])

    first = next(events)
    sent_already = gate.exists()
    gate.touch()
    rest = b"".join(event["PayloadPart"]["Bytes"] for event in events)

    assert first == {"PayloadPart": {"Bytes": b"first"}}
    assert not sent_already
    assert rest == b"last"
    assert answer["ContentType"] == "text/event-stream"
    assert answer["InvokedProductionVariant"] == "main"
    assert answer["CustomAttributes"] == "streamed"


@pytest.mark.source("botocore InvokeEndpointWithResponseStreamInput Accept, a header of its own")
def test_a_whole_answer_is_streamed_too_and_accept_has_its_own_header(user: CloudUser) -> None:
    answer = stream(user, "echo", Accept="text/plain", ContentType="text/csv")

    seen = json.loads(b"".join(event["PayloadPart"]["Bytes"] for event in answer["Body"]))

    assert seen["headers"]["accept"] == "text/plain"
    assert seen["headers"]["content-type"] == "text/csv"


def frames(user: CloudUser, do: str) -> list[tuple[dict[str, Any], bytes]]:
    """Return headers and payload of every frame; boto3 drops what it doesn't know of errors."""
    answer = requests.post(
        f"{user.cloud.url}/endpoints/plain/invocations-response-stream",
        data=b"x",
        headers={"X-Amzn-SageMaker-Custom-Attributes": do},
        timeout=10,
    )
    buffer: Any = EventStreamBuffer()
    buffer.add_data(answer.content)
    return [(message.headers, message.payload) for message in buffer]


@pytest.mark.source("botocore ModelStreamError StreamBroken")
def test_a_connection_that_breaks_ends_the_stream_with_an_error(user: CloudUser) -> None:
    with closing(stream(user, "break")["Body"]) as body:
        events = iter(body)
        first = next(events)
        with pytest.raises(EventStreamError) as caught:
            next(events)
    headers, payload = frames(user, "break")[-1]

    assert first["PayloadPart"]["Bytes"] == b"first"
    assert caught.value.response["Error"]["Code"] == "ModelStreamError"
    assert headers[":message-type"] == "exception"
    assert json.loads(payload)["ErrorCode"] == "StreamBroken"


@pytest.mark.source("botocore ModelStreamError ModelInvocationTimeExceeded")
def test_a_stream_that_never_ends_is_ended(user: CloudUser, gate: Path) -> None:
    invoker = user.cloud.engine.invoker
    usual, invoker.stream_end_seconds = invoker.stream_end_seconds, 0.3

    try:
        *parts, (headers, payload) = frames(user, "hang")
    finally:
        invoker.stream_end_seconds = usual
        gate.touch()

    # Where the machine is slow the time may be up before the first part is read.
    assert [part for _, part in parts] in ([b"first"], [])
    assert headers[":exception-type"] == "ModelStreamError"
    assert json.loads(payload)["ErrorCode"] == "ModelInvocationTimeExceeded"


@pytest.mark.source("botocore InvokeEndpointWithResponseStream errors")
def test_an_error_before_the_first_part_is_a_plain_model_error(user: CloudUser) -> None:
    with pytest.raises(ClientError) as caught:
        stream(user, "status=418")

    assert caught.value.response["Error"]["Code"] == "ModelError"
    assert caught.value.response["OriginalStatusCode"] == 418  # type: ignore[typeddict-item]


@pytest.mark.source("botocore InvokeEndpointWithResponseStreamInput SessionId")
def test_a_stream_cannot_open_a_session(user: CloudUser) -> None:
    with pytest.raises(ClientError, match="open the session there") as caught:
        stream(user, "open", SessionId="NEW_SESSION")

    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_a_client_that_leaves_gives_the_instance_back(user: CloudUser, gate: Path) -> None:
    events = stream(user, "stream")["Body"]
    next(iter(events))

    held = outstanding(user)
    events.close()
    gate.touch()

    assert held == 1
    wait_for(lambda: outstanding(user) == 0, "the instance to be given back")


@pytest.mark.assumed("a broken stream counts as a model error; a stream's latency is to its end")
def test_streams_are_counted_like_other_invocations(user: CloudUser) -> None:
    def total(name: str) -> float:
        points = user.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=name,
            Dimensions=[
                {"Name": "EndpointName", "Value": "plain"},
                {"Name": "VariantName", "Value": "main"},
            ],
            StartTime=datetime.fromtimestamp(user.cloud.clock.now() - 3_600, UTC),
            EndTime=datetime.fromtimestamp(user.cloud.clock.now() + 3_600, UTC),
            Period=3_600,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    before = {name: total(name) for name in ("Invocations", "InvocationModelErrors")}
    list(stream(user, "echo")["Body"])
    with closing(stream(user, "break")["Body"]) as broken, pytest.raises(EventStreamError):
        list(broken)
    wait_for(lambda: outstanding(user) == 0, "both streams to have ended")

    assert total("Invocations") - before["Invocations"] == 2
    assert total("InvocationModelErrors") - before["InvocationModelErrors"] == 1


@pytest.mark.source("DG inference-pipelines; assumed that only the last container streams")
def test_the_last_container_of_a_pipeline_streams(user: CloudUser, gate: Path) -> None:
    containers = [a_container("one", gate), a_container("two", gate)]
    make_runtime_endpoint(user, "line", gate, containers=containers)

    answer = user.client("sagemaker-runtime").invoke_endpoint_with_response_stream(
        EndpointName="line", Body=b"x", CustomAttributes="append", ContentType="text/csv"
    )
    body = b"".join(event["PayloadPart"]["Bytes"] for event in answer["Body"])

    assert body == b"x|one(text/csv,None)|two(text/one,None)"
