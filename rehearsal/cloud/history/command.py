"""One command of a rehearsal: a request that changes something, as a line of JSON. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.faults.throttling import operation_of
from rehearsal.cloud.history.served import noted_instance
from rehearsal.cloud.http import Request, Response

FORMAT = 1
READ_ONLY = ("BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Search")
# Bodies up to this stand in the line itself; longer ones in a file named by their digest.
MAXIMUM_INLINE_BYTES = 4_096
# A rehearsal's keys are nobody's, but a person may have run it with their own by mistake.
SIGNATURE = re.compile(r"(Signature=)[0-9a-f]+")
LEFT_OUT = frozenset({"x-amz-security-token", "connection", "expect"})
INVOKE_HEADERS = ("content-type", "accept", "x-amzn-sagemaker-")
VARIANT_HEADER = "x-amzn-invoked-production-variant"
REQUEST_ID_HEADER = "x-amzn-requestid"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a replay must answer, too; bodies are compared by what they lead to."""

    status: int
    variant: str | None = None
    instance: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Command:
    """A request and when it came.

    Args:
        number: its place among the commands, from 1; its ids are drawn from it
        time: rehearsal time in epoch seconds
    """

    number: int
    time: float
    request: Request
    answered: Answered


def is_command(request: Request) -> bool:
    """Tell whether a request may change anything: whatever doesn't clearly only read."""
    if is_invocation(request):
        return True
    path = request.raw_path
    if path.startswith("/rehearsal/"):
        return request.method in ("POST", "DELETE") and path != "/rehearsal/shutdown"
    operation = operation_of(request)
    if operation is not None:
        return not operation.startswith(READ_ONLY)
    return request.method not in ("GET", "HEAD")


def is_invocation(request: Request) -> bool:
    """Tell whether a request is for a model."""
    return request.target.startswith("/endpoints/")


def changed_by_looking(request: Request, response: Response) -> bool:
    """Tell whether a request that only reads used something up: a throttled call, a poll."""
    if response.status >= 400:
        return b"Rate exceeded" in response.body
    return b'"RollingBack"' in response.body and operation_of(request) == "DescribeEndpoint"


def answered_by(response: Response) -> Answered:
    """Return what is kept of an answer."""
    headers = {name.lower(): value for name, value in response.headers}
    return Answered(
        status=response.status,
        variant=headers.get(VARIANT_HEADER),
        instance=noted_instance(),
        request_id=headers.get(REQUEST_ID_HEADER),
    )


def line_from_command(command: Command, keep_body: Callable[[bytes], str]) -> str:
    """Return the line of a command.

    Args:
        keep_body: keeps a long body and returns its digest
    """
    request, answered = command.request, command.answered
    members: dict[str, Any] = {
        "number": command.number,
        "time": command.time,
        "method": request.method,
        "target": request.target,
        "headers": _kept_headers(request),
        "answered": {name: value for name, value in vars(answered).items() if value is not None},
    }
    body = request.body
    if len(body) > MAXIMUM_INLINE_BYTES:
        members["body_digest"] = keep_body(body)
    elif body:
        members.update(_inline(body))
    return json.dumps(members, separators=(",", ":"))


def _kept_headers(request: Request) -> list[tuple[str, str]]:
    if is_invocation(request):
        # The most frequent command by far; only these decide what comes of it.
        return [pair for pair in request.raw_headers if pair[0].lower().startswith(INVOKE_HEADERS)]
    return [
        (name, SIGNATURE.sub(r"\g<1>left-out", value) if name.lower() == "authorization" else value)
        for name, value in request.raw_headers
        if name.lower() not in LEFT_OUT
    ]


def command_from_line(line: str, find_body: Callable[[str], bytes]) -> Command:
    """Return the command of a line.

    Args:
        find_body: returns the body of a digest
    """
    members = json.loads(line)
    raw_headers = tuple((name, value) for name, value in members["headers"])
    return Command(
        number=members["number"],
        time=members["time"],
        request=Request(
            method=members["method"],
            target=members["target"],
            headers={name.lower(): value for name, value in raw_headers},
            raw_headers=raw_headers,
            body=_body(members, find_body),
        ),
        answered=Answered(**members["answered"]),
    )


def _inline(body: bytes) -> Mapping[str, str]:
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def _body(members: Mapping[str, Any], find_body: Callable[[str], bytes]) -> bytes:
    if "body_digest" in members:
        return find_body(members["body_digest"])
    if "body_base64" in members:
        return base64.b64decode(members["body_base64"])
    return str(members.get("body", "")).encode()
