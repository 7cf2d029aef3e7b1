"""What InvokeEndpoint takes, refuses and passes on, beyond the plain case."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.support.cloud import CloudUser, start_cloud
from tests.support.runtime_cloud import (
    add_runtime_image,
    invoke,
    make_runtime_endpoint,
    refusal,
)

SPEED = 30.0


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gate") / "open"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, gate: Path) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=SPEED)
    started.prepare()
    add_runtime_image(started)
    make_runtime_endpoint(started, "plain", gate)
    make_runtime_endpoint(started, "pair", gate, instance_count=2)
    yield started
    gate.touch()
    started.cloud.stop()


def echoed(user: CloudUser, **more: Any) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(invoke(user, "plain", "echo", **more)["Body"])
    return members


@pytest.mark.assumed("what SageMaker tells a container when the client names no types")
def test_a_container_gets_no_types_that_the_client_did_not_name(user: CloudUser) -> None:
    answer = requests.post(
        f"{user.cloud.url}/endpoints/plain/invocations",
        data=b"1,2",
        headers={"Accept": None},
        timeout=10,
    )

    assert not {"content-type", "accept"} & set(answer.json()["headers"])


@pytest.mark.source("botocore InvokeEndpoint: SageMaker strips all headers it doesn't know")
def test_a_container_gets_the_headers_sagemaker_knows_and_no_other(user: CloudUser) -> None:
    answer = requests.post(
        f"{user.cloud.url}/endpoints/plain/invocations",
        data=b"1,2",
        headers={
            "Content-Type": "text/csv",
            "Accept": "application/json",
            "X-Amzn-SageMaker-Inference-Id": "id-7",
            "X-Amzn-SageMaker-Custom-Attributes": "echo",
            "X-Private": "secret",
            "Authorization": "secret",
        },
        timeout=10,
    )

    seen = answer.json()

    assert seen["path"] == "/invocations"
    assert set(seen["headers"]) == {
        "host",
        "content-length",
        "content-type",
        "accept",
        "x-amzn-sagemaker-inference-id",
        "x-amzn-sagemaker-custom-attributes",
    }
    assert seen["headers"]["content-type"] == "text/csv"
    assert seen["headers"]["accept"] == "application/json"
    assert "secret" not in answer.text


@pytest.mark.source("botocore InvokeEndpointOutput CustomAttributes: only if the container sets it")
def test_custom_attributes_come_back_only_when_the_container_sets_them(user: CloudUser) -> None:
    answer = invoke(user, "plain", "echo")

    assert "CustomAttributes" not in answer
    assert "NewSessionId" not in answer
    assert answer["ResponseMetadata"]["RequestId"]


@pytest.mark.source("botocore InvokeEndpointInput constraints; field reports of their messages")
@pytest.mark.parametrize(
    ("member", "value", "rule"),
    [
        ("InferenceId", "x" * 65, "Member must have length less than or equal to 64"),
        ("TargetVariant", "-main", "Member must satisfy regular expression pattern: "),
        ("TargetVariant", "x" * 64, "Member must have length less than or equal to 63"),
        ("ContentType", "x" * 1025, "Member must have length less than or equal to 1024"),
        ("SessionId", "a b", "Member must satisfy regular expression pattern: ^(NEW_SESSION)$|"),
    ],
)
def test_a_header_that_breaks_its_rule_is_refused_by_member(
    user: CloudUser, member: str, value: str, rule: str
) -> None:
    answer = refusal(user, "plain", "echo", **{member: value})

    assert answer["Error"]["Code"] == "ValidationError"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    name = member[:1].lower() + member[1:]
    assert answer["Error"]["Message"].startswith("1 validation error detected: Value '")
    assert f"at '{name}' failed to satisfy constraint: {rule}" in answer["Error"]["Message"]


@pytest.mark.source("DG multi-container-direct; botocore InvokeEndpointInput", "texts assumed")
@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"TargetContainerHostname": "second"}, "does not support target container hostname"),
        ({"InferenceComponentName": "part"}, "does not host inference components"),
        ({"EnableExplanations": "`true`"}, "has no explainer"),
    ],
)
def test_a_header_for_another_kind_of_endpoint_is_refused(
    user: CloudUser, more: dict[str, str], words: str
) -> None:
    answer = refusal(user, "plain", "echo", **more)

    assert answer["Error"]["Code"] == "ValidationError"
    assert words in answer["Error"]["Message"]


@pytest.mark.source("field reports, ModelError texts")
@pytest.mark.parametrize(("status", "party"), [(400, "client error"), (507, "server error")])
def test_a_containers_error_names_its_status_and_party(
    user: CloudUser, status: int, party: str
) -> None:
    answer = refusal(user, "plain", f"status={status}", body=b"no such row")

    assert answer["OriginalStatusCode"] == status
    assert answer["OriginalMessage"] == "no such row"
    assert answer["Error"]["Message"].startswith(
        f'Received {party} ({status}) from primary with message "no such row". See https://'
    )


@pytest.mark.source("field reports: could not load the entire response body")
@pytest.mark.parametrize(
    ("told", "status", "party"),
    [
        ("cut=200", 200, "server error"),
        ("cut=413", 413, "client error"),
        # Answers with the body it got, which is no text.
        ("status=500", 500, "server error"),
    ],
)
def test_a_body_that_breaks_off_or_is_no_text_could_not_be_loaded(
    user: CloudUser, told: str, status: int, party: str
) -> None:
    answer = refusal(user, "plain", told, body=b"\xff\xfe")

    assert answer["Error"]["Code"] == "ModelError"
    assert (answer["OriginalStatusCode"], answer["OriginalMessage"]) == (status, "")
    assert answer["Error"]["Message"].startswith(
        f"Received {party} ({status}) from primary and could not load the entire response body. "
        "See https://"
    )


@pytest.mark.assumed("what SageMaker says of an answer above its limit of 6,291,456 bytes")
def test_an_answer_above_the_limit_could_not_be_loaded(user: CloudUser) -> None:
    answer = refusal(user, "plain", "large")

    assert answer["Error"]["Code"] == "ModelError"
    assert "primary and could not load the entire response body" in answer["Error"]["Message"]


@pytest.mark.source("field reports: 60 s time-out, status 0")
def test_an_answer_that_takes_too_long_is_a_model_error_with_status_0(user: CloudUser) -> None:
    invoker = user.cloud.engine.invoker
    usual, invoker.timeout_seconds = invoker.timeout_seconds, 0.2

    try:
        answer = refusal(user, "plain", "silent")
    finally:
        invoker.timeout_seconds = usual

    assert usual == 60.0
    assert answer["OriginalStatusCode"] == 0
    assert answer["Error"]["Message"].startswith(
        'Received server error (0) from primary with message "Your invocation timed out while '
        "waiting for a response from container primary. Review the latency metrics for each "
        'container in Amazon CloudWatch, resolve the issue, and try again.". See https://'
    )


@pytest.mark.source("DG stateful-sessions; botocore SessionId, NewSessionId, ClosedSessionId")
def test_a_session_stays_on_its_instance_until_it_is_closed(user: CloudUser) -> None:
    opened = invoke(user, "pair", "open", SessionId="NEW_SESSION")
    session_id, _, expiry = opened["NewSessionId"].partition("; Expires=")
    pid = int(session_id.removeprefix("session-"))

    bodies = [invoke(user, "pair", "echo", SessionId=session_id)["Body"] for _ in range(12)]
    without = [invoke(user, "pair", "echo")["Body"] for _ in range(24)]
    closed = invoke(user, "pair", "close", SessionId=session_id)
    late = refusal(user, "pair", "echo", SessionId=session_id)

    assert opened["Body"] == b"NEW_SESSION"
    assert expiry == "2999-01-31T10:00:00Z"
    assert {json.loads(body)["pid"] for body in bodies} == {pid}
    assert json.loads(bodies[0])["headers"]["x-amzn-sagemaker-session-id"] == session_id
    assert len(Counter(json.loads(body)["pid"] for body in without)) == 2
    assert (closed["ClosedSessionId"], int(closed["Body"])) == (session_id, pid)
    assert late["Error"]["Code"] == "ValidationError"


@pytest.mark.assumed("what SageMaker says of a session it doesn't know")
def test_an_unknown_or_expired_session_is_refused(user: CloudUser) -> None:
    invoke(user, "plain", "open=2001-01-31T10:00:00Z", SessionId="NEW_SESSION")
    pid = echoed(user)["pid"]

    expired = refusal(user, "plain", "echo", SessionId=f"session-{pid}")
    unknown = refusal(user, "plain", "echo", SessionId="never")

    assert f"Session session-{pid} of endpoint plain is not open" in expired["Error"]["Message"]
    assert "Session never of endpoint plain is not open" in unknown["Error"]["Message"]


@pytest.mark.source("ProductionVariantRoutingConfig RoutingStrategy LEAST_OUTSTANDING_REQUESTS")
def test_least_outstanding_requests_goes_around_a_busy_instance(
    user: CloudUser, gate: Path
) -> None:
    least = {"RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"}}
    make_runtime_endpoint(user, "least", gate, instance_count=2, variant=least)
    events = user.client("sagemaker-runtime").invoke_endpoint_with_response_stream(
        EndpointName="least", Body=b"x", CustomAttributes="hang"
    )["Body"]
    next(iter(events))

    pids = {json.loads(invoke(user, "least", "echo")["Body"])["pid"] for _ in range(20)}
    events.close()

    assert len(pids) == 1


@pytest.mark.source("botocore RoutingStrategy PREFIX_AWARE; InvokeEndpointInput PrefixAwareId")
def test_prefix_aware_routing_keeps_a_prompts_beginning_on_one_instance(
    user: CloudUser, gate: Path
) -> None:
    config = {"PrefixLength": 1024, "ConcurrencyThreshold": 4}
    routing = {"RoutingStrategy": "PREFIX_AWARE", "PrefixAwareRoutingConfig": config}
    variant = {"RoutingConfig": routing}
    make_runtime_endpoint(user, "prefix", gate, instance_count=2, variant=variant)

    def pid(body: bytes, **more: str) -> int:
        return int(json.loads(invoke(user, "prefix", "echo", body, **more)["Body"])["pid"])

    alike = {pid(b"x" * 1024 + bytes([65 + number])) for number in range(12)}
    others = {pid(b"x" * 1024, PrefixAwareId=f"app-{number}") for number in range(24)}

    assert len(alike) == 1
    assert len(others) == 2


@pytest.mark.assumed("what an endpoint that doesn't serve yet answers: as if it weren't there")
def test_an_endpoint_that_is_being_created_is_not_found(user: CloudUser, tmp_path: Path) -> None:
    sick = tmp_path / "sick"
    sick.touch()
    user.make_config("early", environment={"TINY_SICK": str(sick)})
    user.sagemaker.create_endpoint(EndpointName="early", EndpointConfigName="early")

    answer = refusal(user, "early", "echo")
    seen = user.describe("early")["EndpointStatus"]
    sick.unlink()
    settled = user.wait("early")["EndpointStatus"]
    served = user.invoke("early")

    assert (seen, settled) == ("Creating", "InService")
    assert answer["Error"]["Code"] == "ValidationError"
    assert answer["Error"]["Message"] == "Endpoint early of account 123456789012 not found."
    assert served["name"] == "early"


@pytest.mark.source("field reports: unknown endpoint; case must match on InvokeEndpoint")
def test_an_endpoint_is_found_by_its_exact_name(user: CloudUser) -> None:
    with pytest.raises(ClientError) as caught:
        invoke(user, "Plain", "echo")

    message = caught.value.response["Error"]["Message"]
    assert message == "Endpoint Plain of account 123456789012 not found."
