"""InvokeEndpointAsync's input, the locations and the messages: pure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.cloud.asynchronous.location import locations
from rehearsal.cloud.asynchronous.notice import MAXIMUM_RESPONSE_BYTES, message, topics
from rehearsal.cloud.asynchronous.request import AsyncRequest, members_from_http
from rehearsal.cloud.errors import ApiError

OUTPUT = {"S3OutputPath": "s3://b/out/", "S3FailurePath": "s3://b/bad"}


def a_request(**members: Any) -> AsyncRequest:
    given: dict[str, Any] = {
        "endpoint_name": "e",
        "inference_id": "id",
        "input_location": "s3://b/in",
        "inline": None,
        "content_type": None,
        "accept": None,
        "custom_attributes": None,
        "output_location": "s3://b/out/x.out",
        "failure_location": None,
        "ttl_seconds": 60,
        "timeout_seconds": 900,
        "received_at": 1_800_000_000.25,
        "output_config": OUTPUT,
    }
    return AsyncRequest(**{**given, **members})


def test_headers_become_members_with_numbers_as_numbers() -> None:
    members = members_from_http(
        "e",
        {
            "x-amzn-sagemaker-inputlocation": "s3://b/k",
            "x-amzn-sagemaker-requestttlseconds": "60",
            "content-type": "of the request itself, which nobody forwards",
        },
        b"",
    )

    assert members == {
        "EndpointName": "e",
        "InputLocation": "s3://b/k",
        "RequestTTLSeconds": 60,
    }


@pytest.mark.parametrize(
    ("header", "value", "text"),
    [
        ("requestttlseconds", "59", "'requestTTLSeconds' failed to satisfy"),
        ("requestttlseconds", "21601", "'requestTTLSeconds' failed to satisfy"),
        ("invocationtimeoutseconds", "3601", "'invocationTimeoutSeconds' failed to satisfy"),
        ("invocationtimeoutseconds", "soon", "not a whole number"),
        ("filename", "-a", "'filename' failed to satisfy"),
        ("filename", "a" * 33, "'filename' failed to satisfy"),
        ("s3outputpathextension", "https://x", "'s3OutputPathExtension' failed to satisfy"),
        ("custom-attributes", "x" * 1_025, "'customAttributes' failed to satisfy"),
    ],
)
def test_values_out_of_bounds_are_refused_by_name(header: str, value: str, text: str) -> None:
    with pytest.raises(ApiError, match=text) as caught:
        members_from_http("e", {f"x-amzn-sagemaker-{header}": value}, b"inline")

    assert caught.value.code == "ValidationError"


@pytest.mark.assumed("names of the objects with a Filename and for failures")
def test_objects_are_named_by_filename_and_extension() -> None:
    plain = locations(OUTPUT, name="n", filename=None, extension=None)
    named = locations(OUTPUT, name="n", filename="a.json", extension="/x/y/")
    bare = locations({"S3OutputPath": "s3://b"}, name="n", filename="a", extension=None)

    assert (plain.output, plain.failure) == ("s3://b/out/n.out", "s3://b/bad/n-error.out")
    assert (named.output, named.failure) == ("s3://b/out/x/y/a.json", "s3://b/bad/a-error.json")
    assert (bare.output, bare.failure) == ("s3://b/a", None)


def test_each_topic_is_told_once() -> None:
    both = {"NotificationConfig": {"SuccessTopic": "t", "ErrorTopic": "t"}}
    one = {"NotificationConfig": {"ErrorTopic": "e"}}

    assert topics(both) == ["t"]
    assert topics(one) == ["e"]
    assert topics({}) == []


@pytest.mark.source("botocore AsyncInferenceNotificationConfig$IncludeInferenceResponseIn")
@pytest.mark.parametrize(
    ("size", "kinds", "is_included"),
    [
        (MAXIMUM_RESPONSE_BYTES, ["ERROR_NOTIFICATION_TOPIC"], True),
        (MAXIMUM_RESPONSE_BYTES + 1, ["ERROR_NOTIFICATION_TOPIC"], False),
        (1, ["SUCCESS_NOTIFICATION_TOPIC"], False),
        (1, [], False),
    ],
)
def test_a_response_is_told_where_it_was_asked_for_and_fits(
    size: int, kinds: list[str], is_included: bool
) -> None:
    config = {**OUTPUT, "NotificationConfig": {"IncludeInferenceResponseIn": kinds}}

    told = json.loads(
        message(
            a_request(output_config=config),
            region="eu-west-1",
            now=1_800_000_001.5,
            failure_reason="ClientError: no",
            location="s3://b/bad/n-error.out",
            response=("text/plain", b"x" * size),
        )
    )

    assert ("responseBody" in told) is is_included
    assert told["receivedTime"] == "2027-01-15T08:00:00.250Z"
    assert told["eventTime"] == "2027-01-15T08:00:01.500Z"
    assert told["requestParameters"] == {"endpointName": "e", "inputLocation": "s3://b/in"}
