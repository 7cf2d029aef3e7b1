"""InvokeEndpoint: choose, forward, measure, answer - the hot path of the cloud."""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Mapping

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.errors import ApiError, ModelError
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.runtime.connection import Answer
from rehearsal.cloud.runtime.forward import Outcome, forward
from rehearsal.cloud.runtime.meter import Measurement
from rehearsal.cloud.runtime.routing import (
    Lane,
    Route,
    VariantRoute,
    choose_instance,
    choose_lane,
    choose_variant,
)
from rehearsal.cloud.settings import INVOCATION_TIMEOUT_WALL_SECONDS, MAXIMUM_PAYLOAD_BYTES

PREFIX = "x-amzn-sagemaker-"
INVOCATIONS_PATH = re.compile(r"/endpoints/([^/]+)/invocations")
# A table read just before it was replaced may name instances that are draining.
MAXIMUM_CHOICES = 50
MAXIMUM_ORIGINAL_MESSAGE = 2_048
FORWARDED = {
    "content-type": "Content-Type",
    "accept": "Accept",
    f"{PREFIX}custom-attributes": "X-Amzn-SageMaker-Custom-Attributes",
    f"{PREFIX}inference-id": "X-Amzn-SageMaker-Inference-Id",
}
# Longest value SageMaker takes for each header.
HEADER_LIMITS = {
    "content-type": 1_024,
    "accept": 1_024,
    f"{PREFIX}custom-attributes": 1_024,
    f"{PREFIX}inference-id": 64,
    f"{PREFIX}target-variant": 63,
}
REFUSED_HEADERS = {
    f"{PREFIX}target-model": (
        "Endpoint {name} is not a multi-model endpoint and does not support target model header."
    ),
    f"{PREFIX}target-container-hostname": (
        "Endpoint {name} is not a direct-mode inference pipeline and does not support target "
        "container hostname header."
    ),
    f"{PREFIX}inference-component": "Endpoint {name} does not host inference components.",
    f"{PREFIX}session-id": "the rehearsal cloud does not do sessions; leave SessionId out.",
    f"{PREFIX}enable-explanations": (
        "the rehearsal cloud does not do explanations; leave EnableExplanations out."
    ),
}


class Invoker:
    """Answers invocations by the routes the engine publishes."""

    def __init__(self, clock: Clock, *, seed: int, account_id: str, region: str) -> None:
        self.routes: dict[str, Route] = {}
        self.timeout_seconds = INVOCATION_TIMEOUT_WALL_SECONDS
        self._clock = clock
        self._rng = random.Random(seed)
        self._account_id = account_id
        self._region = region

    def __call__(self, endpoint_name: str, request: Request) -> Response:
        began = time.perf_counter()
        route = self.routes.get(endpoint_name)
        if route is None:
            raise _refusal(f"Endpoint {endpoint_name} of account {self._account_id} not found.")
        _check(endpoint_name, request)
        variant = self._variant(route, request.headers.get(f"{PREFIX}target-variant"))
        lane, instance = self._acquire(endpoint_name, variant)
        sent = time.perf_counter()
        try:
            outcome = forward(
                instance,
                headers=_forwarded(request),
                body=request.body,
                timeout_seconds=self.timeout_seconds,
            )
            # Measured before the release: a fleet is gone only when it has been counted.
            lane.meter.add(
                Measurement(
                    time=self._clock.now(),
                    status=outcome.status,
                    model_latency_us=outcome.model_latency_us,
                    overhead_us=(sent - began) * 1e6,
                    instance_count=max(1, sum(len(each.instances) for each in variant.lanes)),
                )
            )
        finally:
            instance.release()
        if outcome.answer is None or not outcome.is_good:
            raise self._model_error(endpoint_name, instance, outcome)
        return _response(outcome.answer, variant.name)

    def _variant(self, route: Route, target: str | None) -> VariantRoute:
        if target is not None:
            named = route.variant(target)
            if named is None:
                names = ", ".join(variant.name for variant in route.variants)
                raise _refusal(
                    f"Variant {target} of endpoint {route.endpoint_name} not found; it has {names}."
                )
            return named
        chosen = choose_variant(route, self._rng)
        if chosen is None:
            raise _refusal(f"All variants of endpoint {route.endpoint_name} have weight 0.")
        return chosen

    def _acquire(self, endpoint_name: str, variant: VariantRoute) -> tuple[Lane, Instance]:
        for attempt in range(MAXIMUM_CHOICES):
            lane = choose_lane(variant, self._rng)
            instance = (
                choose_instance(lane, variant.routing_strategy, self._rng)
                if lane is not None
                else None
            )
            if lane is not None and instance is not None and instance.acquire():
                return lane, instance
            # The table this request read is out of date; the engine is about to replace it.
            time.sleep(0.005 if attempt else 0)
            route = self.routes.get(endpoint_name)
            fresh = route.variant(variant.name) if route is not None else None
            variant = fresh if fresh is not None else variant
        raise ApiError(
            "ServiceUnavailable",
            f"endpoint {endpoint_name} has no instance of variant {variant.name} in service; "
            "try your call again",
            status=503,
        )

    def _model_error(self, endpoint_name: str, instance: Instance, outcome: Outcome) -> ModelError:
        status = outcome.status
        answer = outcome.answer
        text = answer.body.decode("utf-8", "replace") if answer is not None else outcome.failure
        party = "client error" if 400 <= status < 500 else "server error"
        group = f"/aws/sagemaker/Endpoints/{endpoint_name}"
        console = (
            f"https://{self._region}.console.aws.amazon.com/cloudwatch/home?region={self._region}"
            f"#logEventViewer:group={group} in account {self._account_id} for more information."
        )
        original = text[:MAXIMUM_ORIGINAL_MESSAGE]
        return ModelError(
            f"Received {party} ({status}) from {outcome.container} "
            f'with message "{original}". See {console}',
            original_status_code=status,
            original_message=original,
            log_stream_arn=(
                f"arn:aws:logs:{self._region}:{self._account_id}:log-group:{group}:log-stream:"
                f"{instance.spec.log_stream}"
            ),
        )


def _check(endpoint_name: str, request: Request) -> None:
    if len(request.body) > MAXIMUM_PAYLOAD_BYTES:
        raise _refusal(f"Request {uuid.uuid4()} has oversize body.")
    headers: Mapping[str, str] = request.headers
    for name, text in REFUSED_HEADERS.items():
        if name in headers:
            raise _refusal(text.format(name=endpoint_name))
    for name, limit in HEADER_LIMITS.items():
        value = headers.get(name)
        if value is not None and len(value) > limit:
            raise _refusal(
                f"1 validation error detected: Value at '{name}' failed to satisfy constraint: "
                f"Member must have length less than or equal to {limit}"
            )


def _forwarded(request: Request) -> list[tuple[str, str]]:
    """Return the headers a container gets: SageMaker strips every one it doesn't know."""
    return [
        (FORWARDED[name], value) for name, value in request.headers.items() if name in FORWARDED
    ]


def _refusal(message: str) -> ApiError:
    return ApiError("ValidationError", message)


def _response(answer: Answer, variant_name: str) -> Response:
    headers = [
        ("Content-Type", answer.headers.get("content-type", "application/octet-stream")),
        ("x-Amzn-Invoked-Production-Variant", variant_name),
    ]
    attributes = answer.headers.get(f"{PREFIX}custom-attributes")
    if attributes is not None:
        headers.append(("X-Amzn-SageMaker-Custom-Attributes", attributes))
    return Response(status=200, headers=tuple(headers), body=answer.body)
