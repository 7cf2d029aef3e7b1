"""Pages of a describe, and the errors of tags."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.cloud.errors import ApiError

MAXIMUM_RESULTS = 50


def page(found: Sequence[Mapping[str, Any]], asked: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return one page of results, at most 50, and the token of the next."""
    size = min(asked.get("MaxResults") or MAXIMUM_RESULTS, MAXIMUM_RESULTS)
    begin = _offset(asked.get("NextToken"))
    end = begin + size
    token = base64.urlsafe_b64encode(str(end).encode()).decode()
    more = {"NextToken": token} if end < len(found) else {}
    return {key: [dict(entry) for entry in found[begin:end]], **more}


def tag_problem(arn: str) -> ApiError:
    """Return the answer to tags of a target that isn't there."""
    return ApiError(
        "ResourceNotFoundException", f"The specified resource {arn} doesn't exist.", status=400
    )


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()).decode())
    except (binascii.Error, ValueError) as err:
        raise ApiError("InvalidNextTokenException", "The next token is not valid.") from err
