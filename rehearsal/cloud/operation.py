"""One call of a SageMaker operation of ours: checked, run under the lock, recorded, answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.json_protocol import json_response
from rehearsal.cloud.shapes import json_members, validated_input

Operations = Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]
TAG_OPERATIONS = ("AddTags", "ListTags", "DeleteTags")


def handles(operations: Operations, kinds: tuple[str, ...], name: str, request: Request) -> bool:
    """Tell whether an operation is among some; of tags only those of the kinds are.

    Args:
        kinds: of resources, as ARNs name them
    """
    if name not in operations:
        return False
    if name not in TAG_OPERATIONS:
        return True
    arn = str(json_members(name, request.body).get("ResourceArn", ""))
    return arn.split(":")[-1].partition("/")[0] in kinds


def answer(
    operations: Operations,
    engine: Engine,
    name: str,
    request: Request,
    recorded: Mapping[str, str],
) -> Response:
    """Validate, run under the engine's lock, answer.

    Args:
        recorded: members of the request that the record keeps, by their name there

    Raises:
        ApiError: the refusal, which is the caller's to turn into bytes
    """
    asked = validated_input("sagemaker", name, request.body)
    error = None
    try:
        with engine.lock:
            result = operations[name](asked)
    except ApiError as err:
        error = f"{err.code}: {err.message}"
        raise
    finally:
        if not name.startswith(("Describe", "List")):
            engine.record.event(
                "api_call",
                operation=name,
                error=error,
                **{kept: asked.get(member) for kept, member in recorded.items()},
            )
    return json_response(result)
