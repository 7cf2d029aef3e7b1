"""Takes one request from its payload to its end: download, invoke, upload, tell, measure."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rehearsal.cloud.asynchronous.choice import Place
from rehearsal.cloud.asynchronous.measure import Measured, request_data
from rehearsal.cloud.asynchronous.notice import message, topic_for
from rehearsal.cloud.asynchronous.request import AsyncRequest
from rehearsal.cloud.clock import Clock, milliseconds_from_epoch
from rehearsal.cloud.cloudwatch.metrics import MetricStore
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.role_objects import RoleObjects
from rehearsal.cloud.runtime.forward import Outcome, forward
from rehearsal.cloud.s3_url import bucket_and_key

logger = logging.getLogger(__name__)

MAXIMUM_PAYLOAD_BYTES = 1024**3
TEXT = "text/plain"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a request ended, before it is told to anybody.

    Args:
        failure_reason: what subscribers are told; None for a success
        log_line: what the data log says of a failure
        response: content type and body for the output or the failure object
        answered: the response is the container's own
    """

    measured: Measured
    failure_reason: str | None = None
    log_line: str = ""
    response: tuple[str, bytes] | None = None
    answered: bool = False


@dataclass
class Processor:
    """Processes requests, each in a thread of its own.

    Args:
        may_publish: tells whether a role may publish to a topic that is there
        publish: sends a message to a topic; raises SetupError when it can't
        log: appends a line to a stream of a log group
    """

    clock: Clock
    region: str
    objects: RoleObjects
    may_publish: Callable[[str, str], bool]
    store: MetricStore
    publish: Callable[[str, str], None]
    log: Callable[[str, str, str], None]
    forward: Callable[..., Outcome] = field(default=forward)

    def run(self, request: AsyncRequest, place: Place) -> bool:
        """Process a request at an instance that counts it already.

        Returns:
            False when the instance went away under it, so that another one may take it
        """
        in_backlog_ms = (self.clock.now() - request.received_at) * 1000
        began = time.perf_counter()
        try:
            payload = self._payload(request)
        except SetupError as err:
            reason = f"ClientError: {err}"
            measured = Measured(failure="RequestDownloadFailures")
            ending = Ending(measured=measured, failure_reason=reason, log_line=str(err))
        else:
            downloaded_us = (time.perf_counter() - began) * 1e6
            outcome = self.forward(
                place.instance,
                headers=request.headers,
                body=payload,
                timeout_seconds=float(request.timeout_seconds),
            )
            if outcome.answer is None and place.instance.stopping.is_set():
                return False
            ending = ending_from_outcome(outcome)
            if request.inline is None:
                measured = replace(ending.measured, download_latency_us=downloaded_us)
                ending = replace(ending, measured=measured)
        measured = replace(ending.measured, time_in_backlog_ms=in_backlog_ms)
        self._end(request, place, replace(ending, measured=measured))
        return True

    def expire(self, request: AsyncRequest, variant_name: str) -> None:
        """End a request that waited too long."""
        age_ms = (self.clock.now() - request.received_at) * 1000
        text = f"The request expired after {request.ttl_seconds} seconds in the queue"
        ending = Ending(
            measured=Measured(failure="ExpiredRequests", time_in_backlog_ms=age_ms),
            failure_reason=f"ClientError: {text}",
            log_line=text,
        )
        self._end(request, None, ending, variant_name)

    def _payload(self, request: AsyncRequest) -> bytes:
        if request.inline is not None:
            return request.inline
        assert request.input_location is not None
        try:
            found = self.objects.read(request.role_arn, *bucket_and_key(request.input_location))
        except SetupError as err:
            raise SetupError(
                f"Failed to download the request payload from {request.input_location}: {err}"
            ) from err
        if len(found) > MAXIMUM_PAYLOAD_BYTES:
            raise SetupError(
                f"The request payload at {request.input_location} has {len(found)} bytes, above "
                f"the limit of {MAXIMUM_PAYLOAD_BYTES}"
            )
        return found

    def _end(
        self, request: AsyncRequest, place: Place | None, ending: Ending, variant_name: str = ""
    ) -> None:
        variant_name = place.variant_name if place is not None else variant_name
        ending, location = self._upload(request, ending)
        notified = self._tell(request, ending, location)
        total_ms = (self.clock.now() - request.received_at) * 1000
        measured = replace(
            ending.measured,
            succeeded=ending.failure_reason is None,
            notification_failed=not notified,
            total_processing_time_ms=total_ms,
        )
        config_name = place.config_name if place is not None else ""
        for key, value, unit in request_data(
            measured,
            endpoint_name=request.endpoint_name,
            variant_name=variant_name,
            config_name=config_name,
        ):
            self.store.put(key, self.clock.now(), value, unit=unit)
        if place is not None:
            self._note(request, place, replace(ending, measured=measured))

    def _upload(self, request: AsyncRequest, ending: Ending) -> tuple[Ending, str | None]:
        """Write the output or failure object; return where, or None when nothing was written."""
        succeeded = ending.failure_reason is None
        location = request.output_location if succeeded else request.failure_location
        if location is None:
            return ending, None
        content_type, body = (
            (TEXT, str(ending.failure_reason).encode())
            if ending.response is None
            else ending.response
        )
        began = time.perf_counter()
        try:
            self.objects.write(
                request.role_arn,
                *bucket_and_key(location),
                body,
                content_type=content_type,
                kms_key_id=request.output_config.get("KmsKeyId"),
            )
        except SetupError as err:
            text = f"Failed to upload the response to {location}: {err}"
            failure = "ResponseUploadFailures" if succeeded else ending.measured.failure
            failed = replace(ending, measured=replace(ending.measured, failure=failure))
            if not succeeded:
                return failed, None
            return replace(failed, failure_reason=f"ClientError: {text}", log_line=text), None
        took_us = (time.perf_counter() - began) * 1e6
        return replace(ending, measured=replace(ending.measured, upload_latency_us=took_us)), (
            location
        )

    def _tell(self, request: AsyncRequest, ending: Ending, location: str | None) -> bool:
        topic = topic_for(request.output_config, succeeded=ending.failure_reason is None)
        if topic is None:
            return True
        text = message(
            request,
            region=self.region,
            now=self.clock.now(),
            failure_reason=ending.failure_reason,
            location=location,
            response=ending.response if ending.answered else None,
        )
        try:
            if not self.may_publish(request.role_arn, topic):
                raise SetupError(f"{request.role_arn} may not publish to it, or it is gone")
            self.publish(topic, text)
        except SetupError as err:
            logger.warning("notification failed topic=%s reason=%s", topic, err)
            return False
        return True

    def _note(self, request: AsyncRequest, place: Place, ending: Ending) -> None:
        line = success_line(ending.measured) if ending.failure_reason is None else ending.log_line
        self.log(
            place.instance.spec.log_group,
            f"{place.instance.spec.log_stream}/data-log",
            f"{milliseconds_from_epoch(self.clock.now())}:[sagemaker logs] "
            f"[{request.inference_id}] {line}",
        )


def ending_from_outcome(outcome: Outcome) -> Ending:
    """Return how a request ended by what came of asking the container."""
    answer = outcome.answer
    measured = Measured(status=outcome.status, model_latency_us=outcome.model_latency_us)
    if answer is not None and outcome.is_good and "content-length" not in answer.headers:
        text = (
            f"The response from container {outcome.container} did not specify the required "
            "Content-Length header"
        )
        return Ending(measured=measured, failure_reason=f"ClientError: {text}", log_line=text)
    if answer is not None:
        content_type = answer.headers.get("content-type", "application/octet-stream")
        response = (content_type, answer.body)
        if outcome.is_good:
            return Ending(measured=measured, response=response, answered=True)
    else:
        response = None
    party = "client" if 400 <= outcome.status < 500 else "server"
    text = f"Received {party} error ({outcome.status}) from {outcome.container}"
    said = answer.body.decode("utf-8", "replace") if answer is not None else outcome.failure
    return Ending(
        measured=measured,
        failure_reason=(
            f"ClientError: {text}. See the SageMaker Endpoint logs in your account for more "
            "information."
        ),
        log_line=f'{text} with message "{said[:2_048]}"',
        response=response,
        answered=response is not None,
    )


def success_line(measured: Measured) -> str:
    """Return what the data log says of a request that succeeded (assumed)."""
    download_us = measured.download_latency_us or 0.0
    upload_us = measured.upload_latency_us or 0.0
    return (
        f"Inference request succeeded. ModelLatency: {measured.model_latency_us:.0f} us, "
        f"RequestDownloadLatency: {download_us:.0f} us, "
        f"ResponseUploadLatency: {upload_us:.0f} us, "
        f"TimeInBacklog: {measured.time_in_backlog_ms:.0f} ms, "
        f"TotalProcessingTime: {measured.total_processing_time_ms:.0f} ms"
    )
