"""Refuses a call as a throttled AWS API does, in the words of the protocol it came by.

S3 is left out: its requests don't name their operation.
"""

from __future__ import annotations

import re

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.faults.registry import Faults
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.ids import request_id
from rehearsal.cloud.json_protocol import RUNTIME_CONTENT_TYPE, error_response

RATE_EXCEEDED = "Rate exceeded"
INVOCATIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}
SMITHY_PATH = re.compile(r"/service/[^/]+/operation/([A-Za-z0-9]+)")
QUERY_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]+)")
QUERY_ERROR = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"
    "<Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
)


def throttled(request: Request, faults: Faults) -> Response | None:
    """Return the refusal of a throttled request, or None."""
    if not faults.may_throttle or request.raw_path.startswith("/rehearsal/"):
        return None
    operation = operation_of(request)
    if operation is None or not faults.throttles(operation):
        return None
    if SMITHY_PATH.fullmatch(request.raw_path):
        return _smithy_error()
    error = ApiError("ThrottlingException", RATE_EXCEEDED)
    if request.raw_path.startswith("/endpoints/"):
        return error_response(error, content_type=RUNTIME_CONTENT_TYPE)
    if "x-amz-target" in request.headers:
        return error_response(error)
    return _query_error()


def operation_of(request: Request) -> str | None:
    """Return the name of the AWS operation a request asks for, where it says so."""
    target = request.headers.get("x-amz-target")
    if target is not None:
        return target.rpartition(".")[2]
    path = request.raw_path
    if path.startswith("/endpoints/"):
        return INVOCATIONS.get(path.rpartition("/")[2])
    smithy = SMITHY_PATH.fullmatch(path)
    if smithy is not None:
        return smithy[1]
    if "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        action = QUERY_ACTION.search(request.body)
        return action[1].decode() if action is not None else None
    return None


def _query_error() -> Response:
    text = QUERY_ERROR.format(message=RATE_EXCEEDED, request_id=request_id())
    return Response(status=400, headers=(("Content-Type", "text/xml"),), body=text.encode())


def _smithy_error() -> Response:
    members = {"__type": "ThrottlingException", "message": RATE_EXCEEDED}
    pairs = b"".join(_cbor_text(name) + _cbor_text(value) for name, value in members.items())
    return Response(
        status=400,
        headers=(
            ("Content-Type", "application/cbor"),
            ("smithy-protocol", "rpc-v2-cbor"),
            ("x-amzn-query-error", "Throttling;Sender"),
            ("x-amzn-RequestId", request_id()),
        ),
        body=bytes([0xA0 + len(members)]) + pairs,
    )


def _cbor_text(text: str) -> bytes:
    """Encode text of fewer than 24 bytes, all that is needed here."""
    data = text.encode()
    return bytes([0x60 + len(data)]) + data
