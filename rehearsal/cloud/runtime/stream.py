"""InvokeEndpointWithResponseStream: the container's body, part by part as it comes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.runtime import eventstream
from rehearsal.cloud.runtime.admission import Admitted
from rehearsal.cloud.runtime.connection import AnswerBroken, InstanceTimeout, StreamedAnswer
from rehearsal.cloud.runtime.failure import refusal
from rehearsal.cloud.runtime.forward import Outcome, forward_stream
from rehearsal.cloud.runtime.headers import (
    CUSTOM_ATTRIBUTES,
    FORWARDED_BY_STREAM,
    NEW_SESSION,
    SESSION_ID,
    TARGET_MODEL,
    forwarded,
)
from rehearsal.cloud.runtime.invoke import DEFAULT_CONTENT_TYPE, Invoker
from rehearsal.cloud.runtime.routing import RouteKind

STREAM_PATH = re.compile(r"/endpoints/([^/]+)/invocations-response-stream")


def invoke_with_response_stream(invoker: Invoker, endpoint_name: str, request: Request) -> Response:
    """Answer a streaming invocation, on the invoker's routes."""
    _check(invoker, endpoint_name, request)
    admitted = invoker.admission.admit(endpoint_name, request)
    headers = forwarded(request.headers, FORWARDED_BY_STREAM)
    if admitted.route.shadows:
        invoker.shadower.copy(admitted.route, headers, request.body)
    sent = time.perf_counter()

    def finish(outcome: Outcome) -> None:
        try:
            invoker.measure(
                admitted.variant,
                admitted.lane,
                outcome,
                overhead_us=(sent - admitted.began) * 1e6,
                target_container=admitted.target_container,
                setup_us=admitted.setup_us,
            )
        finally:
            admitted.instance.release()

    begun = forward_stream(
        admitted.instance,
        headers=headers,
        body=request.body,
        timeout_seconds=invoker.timeout_seconds,
        end_seconds=invoker.stream_end_seconds,
        target_container=admitted.target_container,
    )
    if isinstance(begun, Outcome):
        finish(begun)
        raise invoker.failures.model_error(admitted.instance, begun)
    container, answer = begun
    parts = ResponseParts(answer, container, sent, finish)
    return _response(admitted, answer, parts)


def _check(invoker: Invoker, endpoint_name: str, request: Request) -> None:
    """Refuse what only InvokeEndpoint takes.

    Source: botocore InvokeEndpointWithResponseStreamInput, SessionId; it has no TargetModel
    """
    if request.headers.get(SESSION_ID) == NEW_SESSION:
        raise refusal(
            f"SessionId {NEW_SESSION} is for InvokeEndpoint; open the session there and give "
            "its ID here."
        )
    route = invoker.routes.get(endpoint_name)
    if route is not None and route.kind is RouteKind.MULTI_MODEL:
        request.headers.pop(TARGET_MODEL, None)


class ResponseParts:
    """A streamed answer as frames; however it ends, it is measured once and lets go."""

    def __init__(
        self,
        answer: StreamedAnswer,
        container: str,
        sent: float,
        finish: Callable[[Outcome], None],
    ) -> None:
        self._answer = answer
        self._container = container
        self._sent = sent
        self._finish = finish
        self._is_finished = False
        self._is_broken = True

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._answer.parts():
                yield eventstream.payload_part(part)
        except InstanceTimeout:
            yield _stream_error(
                "ModelInvocationTimeExceeded",
                "The model failed to finish sending the response within the timeout period "
                "allowed by Amazon SageMaker.",
            )
        except AnswerBroken:
            yield _stream_error(
                "StreamBroken",
                "The Transmission Control Protocol (TCP) connection between the client and the "
                "model was reset or closed.",
            )
        else:
            self._is_broken = False

    def close(self) -> None:
        """Measure the request and free its instance."""
        if self._is_finished:
            return
        self._is_finished = True
        self._answer.close()
        self._finish(
            Outcome(
                answer=None,
                failure="",
                container=self._container,
                model_latency_us=(time.perf_counter() - self._sent) * 1e6,
                status=self._answer.status,
                broken=self._is_broken,
                is_streamed=True,
            )
        )


def _stream_error(code: str, message: str) -> bytes:
    members = {"Message": message, "ErrorCode": code}
    return eventstream.stream_exception("ModelStreamError", members)


def _response(admitted: Admitted, answer: StreamedAnswer, parts: ResponseParts) -> Response:
    content_type = answer.headers.get("content-type", DEFAULT_CONTENT_TYPE)
    headers = [
        ("x-Amzn-RequestId", admitted.request_id),
        ("Content-Type", eventstream.CONTENT_TYPE),
        ("X-Amzn-SageMaker-Content-Type", content_type),
        ("x-Amzn-Invoked-Production-Variant", admitted.variant.name),
    ]
    attributes = answer.headers.get(CUSTOM_ATTRIBUTES)
    if attributes is not None:
        headers.append(("X-Amzn-SageMaker-Custom-Attributes", attributes))
    return Response(status=200, headers=tuple(headers), stream=parts)
