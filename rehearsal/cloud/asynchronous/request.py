"""InvokeEndpointAsync's input: headers and body to one checked, frozen request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.shapes import input_problem

PREFIX = "x-amzn-sagemaker-"
MEMBERS = {
    f"{PREFIX}content-type": "ContentType",
    f"{PREFIX}accept": "Accept",
    f"{PREFIX}custom-attributes": "CustomAttributes",
    f"{PREFIX}inference-id": "InferenceId",
    f"{PREFIX}inputlocation": "InputLocation",
    f"{PREFIX}s3outputpathextension": "S3OutputPathExtension",
    f"{PREFIX}filename": "Filename",
    f"{PREFIX}requestttlseconds": "RequestTTLSeconds",
    f"{PREFIX}invocationtimeoutseconds": "InvocationTimeoutSeconds",
}
NUMBERS = ("RequestTTLSeconds", "InvocationTimeoutSeconds")
MAXIMUM_INLINE_BYTES = 128_000
DEFAULT_TTL_SECONDS = 21_600
DEFAULT_TIMEOUT_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class AsyncRequest:
    """One accepted request, from the queue to its end.

    Args:
        inline: the payload sent with the request; None when it lies at `input_location`
        received_at: rehearsal time
        output_config: AsyncInferenceConfig.OutputConfig in force when it was accepted
        role_arn: whose permissions reading, writing and publishing need
        attempt: 1, and one more for each time an instance went away under it
    """

    endpoint_name: str
    inference_id: str
    input_location: str | None
    inline: bytes | None
    content_type: str | None
    accept: str | None
    custom_attributes: str | None
    output_location: str
    failure_location: str | None
    ttl_seconds: int
    timeout_seconds: int
    received_at: float
    output_config: Mapping[str, Any]
    role_arn: str = ""
    attempt: int = 1

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What the container is sent: the same as by InvokeEndpoint."""
        found = (
            ("Content-Type", self.content_type),
            ("Accept", self.accept),
            ("X-Amzn-SageMaker-Custom-Attributes", self.custom_attributes),
            ("X-Amzn-SageMaker-Inference-Id", self.inference_id),
        )
        return [(name, value) for name, value in found if value is not None]

    def is_expired(self, now: float) -> bool:
        return now - self.received_at > self.ttl_seconds


def members_from_http(
    endpoint_name: str, headers: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    """Return the members of InvokeEndpointAsyncInput that were sent, the body left out.

    Raises:
        ApiError: ValidationError, with the constraint that isn't satisfied
    """
    members: dict[str, Any] = {"EndpointName": endpoint_name}
    for header, member in MEMBERS.items():
        if header in headers:
            members[member] = headers[header]
    for name in NUMBERS:
        if name in members:
            members[name] = _number(name, members[name])
    problem = input_problem("sagemaker-runtime", "InvokeEndpointAsync", members)
    if problem is not None:
        raise refusal(problem)
    if len(body) > MAXIMUM_INLINE_BYTES:
        raise refusal(
            f"1 validation error detected: Value of {len(body)} bytes at 'body' failed to satisfy "
            f"constraint: Member must have length less than or equal to {MAXIMUM_INLINE_BYTES}"
        )
    if bool(body) == ("InputLocation" in members):
        given = "both were given" if body else "neither was given"
        raise refusal(f"Exactly one of Body and InputLocation must be specified; {given}.")
    return members


def refusal(message: str) -> ApiError:
    """Return the runtime's answer to a bad request."""
    return ApiError("ValidationError", message)


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as err:
        raise refusal(f"{name} is '{text}', not a whole number of seconds") from err
