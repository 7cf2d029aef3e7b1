"""What the runtime answers when an invocation can't be answered, in SageMaker's words."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.cloud.errors import ApiError, ModelError
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.runtime.headers import (
    EXPLANATIONS,
    INFERENCE_COMPONENT,
    TARGET_CONTAINER,
    TARGET_MODEL,
)
from rehearsal.cloud.runtime.outcome import EXITED, Outcome
from rehearsal.cloud.runtime.routing import Route, RouteKind

MAXIMUM_ORIGINAL_MESSAGE = 2_048
# The only one of the limits that differs by kind, in bytes of the body.
MAXIMUM_SERVERLESS_PAYLOAD_BYTES = 4 * 1024 * 1024

NOT_MULTI_MODEL = (
    "Endpoint {name} is not a multi-model endpoint and does not support target model header."
)
NOT_DIRECT = (
    "Endpoint {name} is not a multi-container endpoint with direct invocation and does not "
    "support target container hostname header."
)


def refusal(message: str, *, error_code: str | None = None) -> ApiError:
    """Return the runtime's answer to a request that is wrong."""
    return ApiError("ValidationError", message, error_code=error_code)


def check_kind(route: Route, headers: dict[str, str], *, body_bytes: int, request_id: str) -> None:
    """Refuse what this kind of endpoint doesn't take.

    Raises:
        ApiError: ValidationError
    """
    name, kind = route.endpoint_name, route.kind
    if kind is RouteKind.ASYNC:
        raise refusal(
            f"Endpoint {name} is an asynchronous inference endpoint and takes asynchronous "
            "invocations only; use InvokeEndpointAsync."
        )
    if kind is RouteKind.SERVERLESS and body_bytes > MAXIMUM_SERVERLESS_PAYLOAD_BYTES:
        raise refusal(f"Request {request_id} has oversize body.")
    if kind is RouteKind.MULTI_MODEL:
        if TARGET_MODEL not in headers:
            raise refusal(f"Request {request_id} is missing a target model header.")
    elif TARGET_MODEL in headers:
        raise refusal(
            NOT_MULTI_MODEL.format(name=name), error_code="TARGET_MODEL_HEADER_NOT_SUPPORTED"
        )
    if INFERENCE_COMPONENT in headers:
        raise refusal(f"Endpoint {name} does not host inference components.")
    if EXPLANATIONS in headers:
        raise refusal(
            f"Endpoint {name} has no explainer; the rehearsal cloud does not do explanations, "
            "leave EnableExplanations out."
        )


def check_container(instance: Instance, headers: dict[str, str]) -> str | None:
    """Return the one container a direct pipeline is to ask, None for any other model.

    Raises:
        ApiError: ValidationError (assumed texts): a host name that is missing, unknown, or given
            to a model that isn't invoked directly
    """
    target = headers.get(TARGET_CONTAINER)
    name = instance.spec.endpoint_name
    if not is_direct(instance):
        if target is not None:
            raise refusal(NOT_DIRECT.format(name=name))
        return None
    known = [container.hostname for container in instance.containers]
    if target is None:
        raise refusal(
            f"Endpoint {name} requires a target container hostname header; it has "
            f"{', '.join(known)}."
        )
    if target not in known:
        raise refusal(
            f"Target container hostname {target} not found in endpoint {name}; it has "
            f"{', '.join(known)}."
        )
    return target


def is_direct(instance: Instance) -> bool:
    """Tell whether the instance's containers are asked one by one, by host name."""
    model = instance.spec.model
    if model is None or "InferenceExecutionConfig" not in model:
        return False
    return len(instance.containers) > 1 and model["InferenceExecutionConfig"]["Mode"] == "Direct"


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Turns what a container did wrong into a ModelError."""

    account_id: str
    region: str

    def not_found(self, endpoint_name: str) -> ApiError:
        """Return the answer to an endpoint that isn't there, or doesn't serve."""
        return refusal(f"Endpoint {endpoint_name} of account {self.account_id} not found.")

    def model_error(self, instance: Instance, outcome: Outcome) -> ModelError:
        """Return the 424 with the container's status and words.

        Source: field reports of ModelError texts, with a readable body and without.
        """
        status = outcome.status
        answer = outcome.answer
        text = outcome.failure if answer is None else _text(answer.body)
        is_unread = outcome.broken or text is None
        original = "" if is_unread or text is None else text[:MAXIMUM_ORIGINAL_MESSAGE]
        party = "client error" if 400 <= status < 500 else "server error"
        what = f"Received {party} ({status}) from {outcome.container}"
        if is_unread:
            message = f"{what} and could not load the entire response body."
        else:
            message = f'{what} with message "{original}".'
        return self._error(
            instance.spec.endpoint_name,
            message,
            status=status,
            original=original,
        )

    def not_started(self, endpoint_name: str) -> ModelError:
        """Return the 424 of a serverless process that didn't come up for a request."""
        return self._error(
            endpoint_name,
            f'Received server error (0) from model with message "{EXITED}".',
            status=0,
            original=EXITED,
        )

    def _error(self, endpoint_name: str, message: str, *, status: int, original: str) -> ModelError:
        # The ARN is the group's: so it stands in a response OpenSearch's tests were made from.
        group = f"/aws/sagemaker/Endpoints/{endpoint_name}"
        region, account = self.region, self.account_id
        return ModelError(
            f"{message} See https://{region}.console.aws.amazon.com/cloudwatch/home?"
            f"region={region}#logEventViewer:group={group} in account {account} for more "
            "information.",
            original_status_code=status,
            original_message=original,
            log_stream_arn=f"arn:aws:logs:{region}:{account}:log-group:{group}",
        )


def _text(body: bytes) -> str | None:
    """Return a body as text; None for one that is none."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
