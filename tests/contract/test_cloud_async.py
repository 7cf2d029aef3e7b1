"""InvokeEndpointAsync: queue, S3 in and out, notifications, metrics, logs - and zero instances."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import BUCKET, CloudUser, start_cloud, wait_for
from tests.support.work import (
    Inbox,
    add_work_image,
    invoke_later,
    make_async_config,
    metric,
    put,
    read,
    wait_read,
)

SPEED = 60.0
MONITOR = "DG async-inference-monitor"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=SPEED)
    started.prepare()
    add_work_image(started)
    yield started
    started.cloud.stop()


@pytest.fixture(scope="module")
def inbox(user: CloudUser) -> Inbox:
    return Inbox(user, "ends")


@pytest.fixture(scope="module")
def endpoint(user: CloudUser, inbox: Inbox) -> str:
    make_async_config(
        user,
        "later",
        concurrency=2,
        notification={
            "SuccessTopic": inbox.topic_arn,
            "ErrorTopic": inbox.topic_arn,
            "IncludeInferenceResponseIn": ["SUCCESS_NOTIFICATION_TOPIC"],
        },
    )
    user.make_endpoint("later", "later")
    return "later"


def refusal(user: CloudUser, endpoint: str, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        invoke_later(user, endpoint, **arguments)
    answer: dict[str, Any] = dict(caught.value.response)
    return answer


@pytest.mark.source("botocore InvokeEndpointAsyncInput and Output; DG async-inference")
def test_a_request_is_queued_and_its_answer_lies_where_it_was_said(
    user: CloudUser, endpoint: str
) -> None:
    url = put(user, "in/rows.csv", b"1,2,3\n4,5,6")

    answer = invoke_later(
        user, endpoint, InputLocation=url, ContentType="text/csv", Accept="text/plain"
    )

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["OutputLocation"].startswith(f"s3://{BUCKET}/later/out/")
    assert answer["OutputLocation"].endswith(".out")
    assert answer["FailureLocation"].startswith(f"s3://{BUCKET}/later/failed/")
    assert answer["InferenceId"]
    assert wait_read(user, answer["OutputLocation"]) == b"6\n15"
    assert read(user, answer["FailureLocation"]) is None


@pytest.mark.source("botocore InvokeEndpointAsyncInput: Body, Filename, S3OutputPathExtension")
def test_an_inline_payload_reaches_the_container_as_any_other(
    user: CloudUser, endpoint: str
) -> None:
    answer = invoke_later(
        user,
        endpoint,
        Body=b"hello",
        ContentType="text/plain",
        Accept="application/json",
        CustomAttributes="trace=1",
        InferenceId="mine-1",
        Filename="answer.json",
        S3OutputPathExtension="today/tests",
    )
    seen = json.loads(wait_read(user, answer["OutputLocation"]))

    assert answer["InferenceId"] == "mine-1"
    assert answer["OutputLocation"] == f"s3://{BUCKET}/later/out/today/tests/answer.json"
    assert seen["body"] == "hello"
    assert seen["headers"]["content-type"] == "text/plain"
    assert seen["headers"]["accept"] == "application/json"
    assert seen["headers"]["x-amzn-sagemaker-custom-attributes"] == "trace=1"
    assert seen["headers"]["x-amzn-sagemaker-inference-id"] == "mine-1"


@pytest.mark.source("messages from AWS in public code, 2023 to 2025: output names are not the ids")
def test_the_answers_object_is_not_named_after_the_inference_id(
    user: CloudUser, endpoint: str
) -> None:
    answer = invoke_later(user, endpoint, Body=b"x", InferenceId="mine-2")

    assert "mine-2" not in answer["OutputLocation"]


@pytest.mark.source("botocore InvokeEndpointAsyncInput")
def test_requests_that_cannot_be_are_refused_at_once(user: CloudUser, endpoint: str) -> None:
    url = f"s3://{BUCKET}/in/rows.csv"
    cases = [
        refusal(user, endpoint),
        refusal(user, endpoint, Body=b"x", InputLocation=url),
        refusal(user, endpoint, Body=b"x" * 128_001),
        refusal(user, endpoint, InputLocation="ftp://nowhere"),
        refusal(user, endpoint, Body=b"x", Filename="a.b.c"),
        refusal(user, endpoint, Body=b"x", S3OutputPathExtension="s3://other"),
        refusal(user, endpoint, Body=b"x", InferenceId="x" * 65),
        refusal(user, "nobody", Body=b"x"),
    ]

    for answer in cases:
        assert answer["Error"]["Code"] == "ValidationError"
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "neither was given" in cases[0]["Error"]["Message"]
    assert "both were given" in cases[1]["Error"]["Message"]
    assert "less than or equal to 128000" in cases[2]["Error"]["Message"]
    assert "'inputLocation' failed to satisfy" in cases[3]["Error"]["Message"]
    assert cases[7]["Error"]["Message"] == "Endpoint nobody of account 123456789012 not found."


@pytest.mark.assumed("texts of both refusals")
def test_each_kind_of_endpoint_takes_its_own_kind_of_request(
    user: CloudUser, endpoint: str
) -> None:
    user.make_config("now")
    user.make_endpoint("now", "now")

    asked_later = refusal(user, "now", Body=b"x")
    with pytest.raises(ClientError) as asked_now:
        user.invoke(endpoint)

    assert asked_later["Error"]["Code"] == "ValidationError"
    assert "does not support asynchronous inference" in asked_later["Error"]["Message"]
    assert asked_now.value.response["Error"]["Code"] == "ValidationError"


@pytest.mark.source("DG async-inference-check-predictions; messages from AWS in public code")
def test_subscribers_are_told_of_a_success_with_the_response(
    user: CloudUser, endpoint: str, inbox: Inbox
) -> None:
    url = put(user, "in/told.csv", b"2,2")
    answer = invoke_later(
        user, endpoint, InputLocation=url, ContentType="text/csv", Accept="text/csv"
    )

    told = inbox.wait(inferenceId=answer["InferenceId"])

    assert told["invocationStatus"] == "Completed"
    assert told["eventName"] == "InferenceResult"
    assert told["eventSource"] == "aws:sagemaker"
    assert told["eventVersion"] == "1.0"
    assert told["awsRegion"] == "eu-west-1"
    assert told["receivedTime"] <= told["eventTime"]
    assert told["requestParameters"] == {
        "accept": "text/csv",
        "contentType": "text/csv",
        "endpointName": "later",
        "inputLocation": url,
    }
    assert told["responseParameters"] == {
        "contentType": "text/csv",
        "outputLocation": answer["OutputLocation"],
    }
    assert told["responseBody"]["content"] == "NA=="
    assert told["responseBody"]["encoding"] == "BASE64"


@pytest.mark.source("DG async-inference-check-predictions: TestNotification")
def test_a_test_notification_is_sent_when_an_endpoint_changes(
    user: CloudUser, endpoint: str, inbox: Inbox
) -> None:
    inbox.wait(eventName="TestNotification")
    before = sum(m["eventName"] == "TestNotification" for m in inbox.messages)

    user.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredWeight": 1.0}],
    )
    wait_for(
        lambda: sum(m["eventName"] == "TestNotification" for m in inbox.receive()) > before,
        "another test notification",
    )
    user.wait(endpoint)

    assert inbox.messages[0] == {
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "TestNotification",
    }


@pytest.mark.source("amazon-sagemaker-examples#4461")
def test_an_endpoint_whose_topic_cannot_be_told_fails(user: CloudUser) -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:nowhere"
    make_async_config(user, "deaf", notification={"ErrorTopic": topic})
    user.sagemaker.create_endpoint(EndpointName="deaf", EndpointConfigName="deaf")

    seen = user.wait("deaf")

    assert seen["EndpointStatus"] == "Failed"
    assert f'permissions for topic "{topic}"' in seen["FailureReason"]


@pytest.mark.assumed("what the failure object holds; the reason's text is one received in 2022")
def test_a_models_error_is_written_and_told_but_not_tried_again(
    user: CloudUser, endpoint: str, inbox: Inbox
) -> None:
    answer = invoke_later(user, endpoint, Body=b"BREAK", ContentType="text/plain")

    told = inbox.wait(inferenceId=answer["InferenceId"])

    assert told["invocationStatus"] == "Failed"
    assert told["failureReason"] == (
        "ClientError: Received server error (500) from primary. See the SageMaker Endpoint logs "
        "in your account for more information."
    )
    assert "responseBody" not in told
    assert read(user, answer["FailureLocation"]) == b"the model says BREAK"
    assert read(user, answer["OutputLocation"]) is None


@pytest.mark.assumed("text of a payload that can't be read")
def test_a_payload_that_is_not_there_fails_the_request(
    user: CloudUser, endpoint: str, inbox: Inbox
) -> None:
    answer = invoke_later(user, endpoint, InputLocation=f"s3://{BUCKET}/in/none")

    told = inbox.wait(inferenceId=answer["InferenceId"])

    assert told["failureReason"].startswith("ClientError: Failed to download the request payload")
    assert "responseParameters" not in told
    assert b"Failed to download" in wait_read(user, answer["FailureLocation"])


@pytest.mark.source("djl-serving#2567")
def test_an_answer_without_a_content_length_fails(
    user: CloudUser, endpoint: str, inbox: Inbox
) -> None:
    answer = invoke_later(user, endpoint, Body=b"CHUNKED", ContentType="text/plain")

    told = inbox.wait(inferenceId=answer["InferenceId"])

    assert told["failureReason"].endswith(
        "The response from container primary did not specify the required Content-Length header"
    )


@pytest.mark.source("botocore AsyncInferenceClientConfig$MaxConcurrentInvocationsPerInstance")
def test_an_instance_is_given_no_more_requests_than_it_may_have(
    user: CloudUser, endpoint: str
) -> None:
    asked = [
        invoke_later(user, endpoint, Body=b"SLEEP 0.4", ContentType="text/plain") for _ in range(4)
    ]

    seen = [json.loads(wait_read(user, each["OutputLocation"])) for each in asked]

    assert max(each["most"] for each in seen) == 2


@pytest.mark.source("botocore InvokeEndpointAsyncInput$InvocationTimeoutSeconds")
def test_a_request_is_given_up_after_its_invocation_timeout(
    user: CloudUser, endpoint: str, inbox: Inbox
) -> None:
    answer = invoke_later(
        user, endpoint, Body=b"SLEEP 1.5", ContentType="text/plain", InvocationTimeoutSeconds=1
    )

    told = inbox.wait(inferenceId=answer["InferenceId"])

    assert told["failureReason"].startswith("ClientError: Received server error (0) from primary")


@pytest.mark.source(MONITOR)
def test_requests_become_the_guides_metrics_and_no_others(user: CloudUser, tmp_path: Path) -> None:
    make_async_config(user, "measured", concurrency=1)
    user.make_endpoint("measured", "measured")
    gate, url = tmp_path / "open", put(user, "in/measured.csv", b"2,2")

    def measured(name: str, which: str, *, variant: bool = True) -> float | None:
        return metric(user, "measured", name, which, variant=variant)

    invoke_later(user, "measured", Body=f"HOLD {gate}".encode(), ContentType="text/plain")
    invoke_later(user, "measured", InputLocation=url, ContentType="text/csv")
    invoke_later(user, "measured", Body=b"BREAK", ContentType="text/plain")
    invoke_later(user, "measured", InputLocation=f"s3://{BUCKET}/in/none")
    wait_for(
        lambda: measured("ApproximateAgeOfOldestRequest", "Maximum", variant=False),
        "a sample of the requests that wait",
    )
    gate.touch()
    # One is processed after another, and this is the last that the last of them sends.
    wait_for(lambda: measured("RequestDownloadFailures", "Sum"), "the last request's metrics")

    assert measured("RequestDownloadFailures", "Sum") == 1
    assert measured("InvocationsProcesssed", "Sum") == 4
    assert measured("InvocationFailures", "Sum") == 2
    assert measured("Invocation5XXErrors", "Sum") == 1
    assert measured("Invocation4XXErrors", "Sum") == 0
    for name in ("TimeInBacklog", "TotalProcessingTime", "ModelLatency", "RequestDownloadLatency"):
        assert measured(name, "SampleCount"), name
    for name in ("ApproximateBacklogSize", "ApproximateBacklogSizePerInstance"):
        assert measured(name, "Maximum", variant=False), name
    assert measured("HasBacklogWithoutCapacity", "Maximum", variant=False) == 0
    for name in (
        "Invocations",
        "InvocationsPerInstance",
        "OverheadLatency",
        "InvocationModelErrors",
    ):
        assert measured(name, "SampleCount") is None, name


@pytest.mark.source("DG async-inference-monitor, Logs; developer-guide#203")
def test_each_end_is_a_line_in_the_instances_data_log(user: CloudUser, endpoint: str) -> None:
    good = invoke_later(user, endpoint, Body=b"x", ContentType="text/plain")
    bad = invoke_later(user, endpoint, Body=b"FAIL", ContentType="text/plain")
    logs = user.client("logs")

    def lines() -> list[str] | None:
        group = "/aws/sagemaker/Endpoints/later"
        streams = [
            s["logStreamName"] for s in logs.describe_log_streams(logGroupName=group)["logStreams"]
        ]
        name = next((s for s in streams if s.endswith("/data-log")), None)
        if name is None:
            return None
        events = logs.get_log_events(logGroupName=group, logStreamName=name)["events"]
        found = [event["message"] for event in events]
        ids = (good["InferenceId"], bad["InferenceId"])
        return found if all(any(i in line for line in found) for i in ids) else None

    found = wait_for(lines, "both lines")

    of_bad = next(line for line in found if bad["InferenceId"] in line)
    of_good = next(line for line in found if good["InferenceId"] in line)
    assert f"[sagemaker logs] [{bad['InferenceId']}] Received client error (400) from primary" in (
        of_bad
    )
    assert "Inference request succeeded" in of_good
