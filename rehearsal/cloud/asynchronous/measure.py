"""The metrics of asynchronous endpoints: names, units and dimensions: pure.

Source: SageMaker Developer Guide, "Monitor asynchronous endpoint" (read in 2026): an exhaustive
list, so Invocations, InvocationsPerInstance, InvocationModelErrors and OverheadLatency are not
published. The third s of InvocationsProcesssed is the guide's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rehearsal.cloud.cloudwatch.metrics import SeriesKey, series_key
from rehearsal.cloud.runtime.meter import NAMESPACE, is_client_error, is_server_error

Datum = tuple[SeriesKey, float, str]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of one request that came to its end.

    Args:
        status: the container's, 0 when it gave none, None when it wasn't asked
        failure: the metric that counts why it failed, beside InvocationFailures; or None
    """

    status: int | None = None
    succeeded: bool = False
    failure: str | None = None
    notification_failed: bool = False
    time_in_backlog_ms: float = 0.0
    total_processing_time_ms: float = 0.0
    model_latency_us: float = 0.0
    download_latency_us: float | None = None
    upload_latency_us: float | None = None


def request_data(
    measured: Measured, *, endpoint_name: str, variant_name: str, config_name: str
) -> Iterator[Datum]:
    """Yield the data one request sends."""
    short = {"EndpointName": endpoint_name, "VariantName": variant_name}
    for name, value, unit in _request_values(measured):
        yield series_key(NAMESPACE, name, short), value, unit
    if measured.status is not None:
        for dimensions in (short, {**short, "EndpointConfigName": config_name}):
            for name, value, unit in _model_values(measured, measured.status):
                yield series_key(NAMESPACE, name, dimensions), value, unit


def backlog_data(
    endpoint_name: str, *, size: int, oldest_age_seconds: float, instances: int
) -> Iterator[Datum]:
    """Yield what is told of a queue; without an instance the size counts as one's (assumed)."""
    dimensions = {"EndpointName": endpoint_name}
    for name, value, unit in (
        ("ApproximateBacklogSize", float(size), "Count"),
        ("ApproximateBacklogSizePerInstance", size / max(1, instances), "Count"),
        ("ApproximateAgeOfOldestRequest", oldest_age_seconds, "Seconds"),
        ("HasBacklogWithoutCapacity", float(size > 0 and instances == 0), "Count"),
    ):
        yield series_key(NAMESPACE, name, dimensions), value, unit


def _request_values(measured: Measured) -> Iterator[tuple[str, float, str]]:
    yield "InvocationsProcesssed", 1.0, "Count"
    yield "TimeInBacklog", measured.time_in_backlog_ms, "Milliseconds"
    yield "TotalProcessingTime", measured.total_processing_time_ms, "Milliseconds"
    if measured.download_latency_us is not None:
        yield "RequestDownloadLatency", measured.download_latency_us, "Microseconds"
    if measured.upload_latency_us is not None:
        yield "ResponseUploadLatency", measured.upload_latency_us, "Microseconds"
    if not measured.succeeded:
        yield "InvocationFailures", 1.0, "Count"
    if measured.failure is not None:
        yield measured.failure, 1.0, "Count"
    if measured.notification_failed:
        yield "NotificationFailures", 1.0, "Count"


def _model_values(measured: Measured, status: int) -> Iterator[tuple[str, float, str]]:
    yield "Invocation4XXErrors", float(is_client_error(status)), "None"
    yield "Invocation5XXErrors", float(is_server_error(status)), "None"
    yield "ModelLatency", measured.model_latency_us, "Microseconds"
