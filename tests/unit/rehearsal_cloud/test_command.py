"""Commands are what may change something; a line keeps one so that it can be asked again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.cloud.history.command import (
    MAXIMUM_INLINE_BYTES,
    Answered,
    Command,
    answered_by,
    changed_by_looking,
    command_from_line,
    is_command,
    line_from_command,
)
from rehearsal.cloud.history.served import note_instance
from rehearsal.cloud.http import Request, Response


def request(method: str, target: str, body: bytes = b"", **headers: str) -> Request:
    raw = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request(
        method=method,
        target=target,
        headers={name.lower(): value for name, value in raw},
        raw_headers=raw,
        body=body,
    )


def call(target: str) -> Request:
    return request("POST", "/", b"{}", X_Amz_Target=target)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (call("SageMaker.CreateModel"), True),
        (call("SageMaker.DescribeEndpoint"), False),
        (call("AnyScaleFrontendService.RegisterScalableTarget"), True),
        (call("AmazonEC2ContainerRegistry_V20150921.BatchGetImage"), False),
        (request("POST", "/endpoints/shop/invocations", b"1"), True),
        (request("POST", "/endpoints/shop/async-invocations"), True),
        (request("POST", "/service/Granite/operation/PutMetricAlarm"), True),
        (request("POST", "/service/Granite/operation/GetMetricData"), False),
        (
            request(
                "POST",
                "/",
                b"Version=1&Action=CreateRole",
                Content_Type="application/x-www-form-urlencoded",
            ),
            True,
        ),
        (
            request(
                "POST", "/", b"Action=GetRole", Content_Type="application/x-www-form-urlencoded"
            ),
            False,
        ),
        (request("PUT", "/bucket/key", b"bytes"), True),
        (request("GET", "/bucket/key"), False),
        (request("HEAD", "/bucket/key"), False),
        (request("DELETE", "/bucket/key"), True),
        (request("POST", "/rehearsal/clock", b"{}"), True),
        (request("DELETE", "/rehearsal/faults"), True),
        (request("GET", "/rehearsal/record"), False),
        (request("POST", "/rehearsal/shutdown"), False),
    ],
)
def test_a_command_is_what_may_change_something(asked: Request, expected: bool) -> None:
    assert is_command(asked) is expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(status=400, body=b'{"message": "Rate exceeded"}'), True),
        (Response(status=400, body=b'{"message": "Could not find"}'), False),
        (Response(body=b'{"EndpointStatus": "RollingBack"}'), True),
        (Response(body=b'{"EndpointStatus": "InService"}'), False),
    ],
)
def test_looking_changes_something_where_a_fault_counts_it(
    response: Response, expected: bool
) -> None:
    assert changed_by_looking(call("SageMaker.DescribeEndpoint"), response) is expected


@pytest.mark.parametrize("body", [b"", b"text", b"\xff\x00", b"x" * (MAXIMUM_INLINE_BYTES + 1)])
def test_a_command_comes_back_from_its_line(body: bytes) -> None:
    kept: dict[str, bytes] = {}

    def keep(each: bytes) -> str:
        kept["digest"] = each
        return "digest"

    command = Command(
        number=3,
        time=1_800_000_000.25,
        request=request("PUT", "/bucket/key?x=1", body, Content_Type="text/csv"),
        answered=Answered(status=200, variant="main", request_id="id"),
    )

    line = line_from_command(command, keep)

    assert command_from_line(line, kept.__getitem__) == command
    assert bool(kept) is (len(body) > MAXIMUM_INLINE_BYTES)


def test_signatures_and_tokens_are_not_kept() -> None:
    asked = request(
        "POST",
        "/",
        Authorization="AWS4-HMAC-SHA256 Credential=k/20261121/eu-west-1/sagemaker/aws4_request, "
        "SignedHeaders=host, Signature=0123456789abcdef",
        X_Amz_Security_Token="token",
    )
    command = Command(number=1, time=0.0, request=asked, answered=Answered(status=200))

    headers: Any = dict(json.loads(line_from_command(command, str))["headers"])

    assert headers["Authorization"].endswith("Signature=left-out")
    assert "/sagemaker/" in headers["Authorization"]
    assert "X-Amz-Security-Token" not in headers


def test_of_an_answer_the_status_the_variant_the_instance_and_the_id_are_kept() -> None:
    note_instance("i-1")
    response = Response(
        status=424,
        headers=(("x-Amzn-Invoked-Production-Variant", "main"), ("x-amzn-RequestId", "id")),
    )

    assert answered_by(response) == Answered(
        status=424, variant="main", instance="i-1", request_id="id"
    )
