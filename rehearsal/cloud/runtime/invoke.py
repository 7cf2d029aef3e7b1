"""InvokeEndpoint and its streaming sister: admit, forward, measure, answer - the hot path."""

from __future__ import annotations

import random
import re
import time

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.runtime.admission import Admission, Admitted
from rehearsal.cloud.runtime.capture import Capture, PutObject, nowhere
from rehearsal.cloud.runtime.capture_upload import Captures
from rehearsal.cloud.runtime.connection import Answer
from rehearsal.cloud.runtime.failure import Failures
from rehearsal.cloud.runtime.forward import Headers, Outcome, forward
from rehearsal.cloud.runtime.headers import (
    CLOSED_SESSION_ID,
    CUSTOM_ATTRIBUTES,
    FORWARDED,
    INFERENCE_ID,
    NEW_SESSION_ID,
    TARGET_MODEL,
    forwarded,
)
from rehearsal.cloud.runtime.meter import Measurement, Value, setup_time
from rehearsal.cloud.runtime.multi_model import forward_to_model
from rehearsal.cloud.runtime.outcome import too_large
from rehearsal.cloud.runtime.routing import Lane, Route, RouteKind, VariantRoute
from rehearsal.cloud.runtime.shadow import Shadower
from rehearsal.cloud.settings import INVOCATION_TIMEOUT_WALL_SECONDS, MAXIMUM_PAYLOAD_BYTES

INVOCATIONS_PATH = re.compile(r"/endpoints/([^/]+)/invocations")
# AWS's announcement of longer streams names eight minutes; no reference states it (assumed).
STREAM_END_WALL_SECONDS = 480.0
DEFAULT_CONTENT_TYPE = "application/octet-stream"


class Invoker:
    """Answers invocations by the routes the engine publishes."""

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int,
        account_id: str,
        region: str,
        put_object: PutObject | None = None,
    ) -> None:
        rng = random.Random(seed)
        self.failures = Failures(account_id=account_id, region=region)
        self.admission = Admission(rng, self.failures)
        self.shadower = Shadower(rng, self.admission.acquire, self._measure_copy)
        put = nowhere if put_object is None else put_object
        self.captures = Captures(clock, put, lambda: self.routes)
        self.timeout_seconds = INVOCATION_TIMEOUT_WALL_SECONDS
        self.stream_end_seconds = STREAM_END_WALL_SECONDS
        self._clock = clock

    @property
    def routes(self) -> dict[str, Route]:
        return self.admission.routes

    def __call__(self, endpoint_name: str, request: Request) -> Response:
        admitted = self.admission.admit(endpoint_name, request)
        instance = admitted.instance
        headers = forwarded(request.headers, FORWARDED)
        if admitted.route.shadows:
            self.shadower.copy(admitted.route, headers, request.body)
        sent = time.perf_counter()
        try:
            outcome, more = self._send(admitted, headers, request)
            if outcome.answer is not None and len(outcome.answer.body) > MAXIMUM_PAYLOAD_BYTES:
                outcome = too_large(outcome)
            # Measured before the release: a fleet is gone only when it has been counted.
            self.measure(
                admitted.variant,
                admitted.lane,
                outcome,
                overhead_us=(sent - admitted.began) * 1e6,
                target_container=admitted.target_container,
                setup_us=admitted.setup_us,
                more=more,
            )
        finally:
            instance.release()
        if outcome.answer is None or not outcome.is_good:
            raise self.failures.model_error(instance, outcome)
        if admitted.lane.capturer is not None:
            self._capture(admitted, request, outcome.answer)
        return self._response(admitted, outcome.answer)

    def _send(
        self, admitted: Admitted, headers: Headers, request: Request
    ) -> tuple[Outcome, tuple[Value, ...]]:
        """Return what came of the request, and what is measured of it besides."""
        instance = admitted.instance
        if admitted.route.kind is RouteKind.MULTI_MODEL and instance.multi_model is not None:
            return forward_to_model(
                instance,
                instance.multi_model,
                request.headers[TARGET_MODEL],
                headers=headers,
                body=request.body,
                timeout_seconds=self.timeout_seconds,
            )
        outcome = forward(
            instance,
            headers=headers,
            body=request.body,
            timeout_seconds=self.timeout_seconds,
            target_container=admitted.target_container,
        )
        return outcome, ()

    def stop(self) -> None:
        """End what runs beside the invocations."""
        self.shadower.stop()
        self.captures.stop()

    def measure(
        self,
        variant: VariantRoute,
        lane: Lane,
        outcome: Outcome,
        *,
        overhead_us: float,
        target_container: str | None = None,
        setup_us: float | None = None,
        more: tuple[Value, ...] = (),
    ) -> None:
        """Count one request on its lane."""
        lane.meter.add(
            Measurement(
                time=self._clock.now(),
                status=outcome.status,
                is_model_error=not outcome.is_good,
                model_latency_us=outcome.model_latency_us,
                overhead_us=overhead_us,
                instance_count=variant.instance_count,
                containers=outcome.latencies if len(outcome.latencies) > 1 else (),
                target_container=target_container,
                more=more if setup_us is None else (*more, setup_time(setup_us)),
            )
        )

    def _measure_copy(self, variant: VariantRoute, lane: Lane, outcome: Outcome) -> None:
        self.measure(variant, lane, outcome, overhead_us=0.0)

    def _capture(self, admitted: Admitted, request: Request, answer: Answer) -> None:
        capturer = admitted.lane.capturer
        if capturer is None or not capturer.wants():
            return
        capturer.add(
            Capture(
                time=self._clock.now(),
                event_id=admitted.request_id,
                inference_id=request.headers.get(INFERENCE_ID),
                request_type=request.headers.get("content-type", DEFAULT_CONTENT_TYPE),
                request=request.body,
                response_type=answer.headers.get("content-type", DEFAULT_CONTENT_TYPE),
                response=answer.body,
                role_arn=(admitted.instance.spec.model or {}).get("ExecutionRoleArn"),
            )
        )

    def _response(self, admitted: Admitted, answer: Answer) -> Response:
        answered = answer.headers
        headers = [
            ("x-Amzn-RequestId", admitted.request_id),
            ("Content-Type", answered.get("content-type", DEFAULT_CONTENT_TYPE)),
            ("x-Amzn-Invoked-Production-Variant", admitted.variant.name),
        ]
        attributes = answered.get(CUSTOM_ATTRIBUTES)
        if attributes is not None:
            headers.append(("X-Amzn-SageMaker-Custom-Attributes", attributes))
        if NEW_SESSION_ID in answered or CLOSED_SESSION_ID in answered:
            headers.extend(self._sessions(admitted, answered))
        return Response(status=200, headers=tuple(headers), body=answer.body)

    def _sessions(self, admitted: Admitted, answered: dict[str, str]) -> list[tuple[str, str]]:
        """Follow what the container says of its sessions; return the headers that pass it on."""
        name, sessions = admitted.route.endpoint_name, self.admission.sessions
        headers = []
        opened, closed = answered.get(NEW_SESSION_ID), answered.get(CLOSED_SESSION_ID)
        if opened is not None:
            sessions.opened(
                name, opened, variant_name=admitted.variant.name, instance=admitted.instance
            )
            headers.append(("X-Amzn-SageMaker-New-Session-Id", opened))
        if closed is not None:
            sessions.closed(name, closed)
            headers.append(("X-Amzn-SageMaker-Closed-Session-Id", closed))
        return headers
