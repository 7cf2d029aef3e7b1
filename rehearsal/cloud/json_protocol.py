"""Answers of the AWS JSON protocol, which SageMaker, its runtime and Auto Scaling speak."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rehearsal.cloud.errors import ApiError, ModelError
from rehearsal.cloud.http import Response
from rehearsal.cloud.ids import request_id

CONTENT_TYPE = "application/x-amz-json-1.1"
# The runtime's protocol is REST with JSON.
RUNTIME_CONTENT_TYPE = "application/json"


def json_response(result: Mapping[str, Any]) -> Response:
    """Return the answer of an operation that was done."""
    return Response(
        status=200,
        headers=(("Content-Type", CONTENT_TYPE), ("x-amzn-RequestId", request_id())),
        body=json.dumps(result).encode(),
    )


def error_response(error: ApiError, *, content_type: str = CONTENT_TYPE) -> Response:
    """Return a refusal, with its code where every client of the protocol looks."""
    kind = {} if isinstance(error, ModelError) else {"__type": error.code}
    return Response(
        status=error.status,
        headers=(
            ("Content-Type", content_type),
            ("x-amzn-ErrorType", error.code),
            ("x-amzn-RequestId", request_id()),
        ),
        body=json.dumps({**kind, **error.body()}).encode(),
    )
