"""The headers of an invocation: what the API takes, and what a container gets. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rehearsal.cloud.errors import ApiError

PREFIX = "x-amzn-sagemaker-"
CUSTOM_ATTRIBUTES = f"{PREFIX}custom-attributes"
TARGET_MODEL = f"{PREFIX}target-model"
TARGET_VARIANT = f"{PREFIX}target-variant"
TARGET_CONTAINER = f"{PREFIX}target-container-hostname"
INFERENCE_ID = f"{PREFIX}inference-id"
EXPLANATIONS = f"{PREFIX}enable-explanations"
INFERENCE_COMPONENT = f"{PREFIX}inference-component"
SESSION_ID = f"{PREFIX}session-id"
NEW_SESSION_ID = f"{PREFIX}new-session-id"
CLOSED_SESSION_ID = f"{PREFIX}closed-session-id"
PREFIX_AWARE_ID = f"{PREFIX}prefix-aware-id"
STREAM_ACCEPT = f"{PREFIX}accept"
NEW_SESSION = "NEW_SESSION"

ASCII = r"[\x00-\x7f]*"
NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"
PRINTABLE = r"\S[\x20-\x7e]*"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One request header and the rule for its value.

    Args:
        name: the API's member, as its messages spell it
        pattern: in Python's words, matched whole
        shown: the pattern as the service prints it
    """

    name: str
    minimum: int = 0
    maximum: int
    pattern: str
    shown: str


def _name(name: str) -> Member:
    return Member(name=name, maximum=63, pattern=NAME, shown="^[a-zA-Z0-9](-*[a-zA-Z0-9])*")


def _printable(name: str, maximum: int) -> Member:
    shown = r"\A\S[\p{Print}]*\z"
    return Member(name=name, minimum=1, maximum=maximum, pattern=PRINTABLE, shown=shown)


def _ascii(name: str) -> Member:
    return Member(name=name, maximum=1_024, pattern=ASCII, shown=r"\p{ASCII}*")


# botocore's sagemaker-runtime, InvokeEndpointInput and InvokeEndpointWithResponseStreamInput.
MEMBERS: Mapping[str, Member] = {
    "content-type": _ascii("contentType"),
    "accept": _ascii("accept"),
    STREAM_ACCEPT: _ascii("accept"),
    CUSTOM_ATTRIBUTES: _ascii("customAttributes"),
    TARGET_MODEL: _printable("targetModel", 1_024),
    TARGET_VARIANT: _name("targetVariant"),
    TARGET_CONTAINER: _name("targetContainerHostname"),
    INFERENCE_ID: _printable("inferenceId", 64),
    EXPLANATIONS: Member(
        name="enableExplanations", minimum=1, maximum=64, pattern=".*", shown=".*"
    ),
    INFERENCE_COMPONENT: _name("inferenceComponentName"),
    SESSION_ID: Member(
        name="sessionId",
        maximum=256,
        pattern=f"NEW_SESSION|{NAME}",
        shown="^(NEW_SESSION)$|^[a-zA-Z0-9](-*[a-zA-Z0-9])*$",
    ),
    PREFIX_AWARE_ID: _printable("prefixAwareId", 64),
}
COMPILED = {name: re.compile(member.pattern) for name, member in MEMBERS.items()}
# SageMaker strips every header it doesn't know.
FORWARDED = {
    "content-type": "Content-Type",
    "accept": "Accept",
    CUSTOM_ATTRIBUTES: "X-Amzn-SageMaker-Custom-Attributes",
    INFERENCE_ID: "X-Amzn-SageMaker-Inference-Id",
    SESSION_ID: "X-Amzn-SageMaker-Session-Id",
    TARGET_MODEL: "X-Amzn-SageMaker-Target-Model",
    PREFIX_AWARE_ID: "X-Amzn-SageMaker-Prefix-Aware-Id",
}
# A stream's Accept has a header of its own; the client's plain one is the SDK's business.
FORWARDED_BY_STREAM = {
    **{name: header for name, header in FORWARDED.items() if name != "accept"},
    STREAM_ACCEPT: "Accept",
}


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what breaks a rule of the API, all problems in one message.

    Raises:
        ApiError: ValidationError in the words of the service's constraint checks
    """
    problems: list[str] = []
    for header in headers.keys() & MEMBERS.keys():
        problems.extend(_problems(header, headers[header]))
    if problems:
        word = "error" if len(problems) == 1 else "errors"
        text = f"{len(problems)} validation {word} detected: {'; '.join(sorted(problems))}"
        raise ApiError("ValidationError", text)


def _problems(header: str, value: str) -> list[str]:
    member = MEMBERS[header]
    rules = []
    if len(value) < member.minimum:
        rules.append(f"have length greater than or equal to {member.minimum}")
    if len(value) > member.maximum:
        rules.append(f"have length less than or equal to {member.maximum}")
    if COMPILED[header].fullmatch(value) is None:
        rules.append(f"satisfy regular expression pattern: {member.shown}")
    return [
        f"Value '{value}' at '{member.name}' failed to satisfy constraint: Member must {rule}"
        for rule in rules
    ]


def forwarded(headers: Mapping[str, str], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the headers a container gets."""
    return [(names[name], value) for name, value in headers.items() if name in names]
