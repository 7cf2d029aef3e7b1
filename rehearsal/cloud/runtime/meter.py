"""Counts of one fleet's variant: appended per request, turned into metrics by the ticker."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rehearsal.cloud.cloudwatch.metrics import Bucket, MetricStore, percentile, series_key

NAMESPACE = "AWS/SageMaker"
# Requests between two ticks; beyond it the oldest are lost from the metrics, not from the client.
MAXIMUM_PENDING = 100_000
# Values kept for a sample's percentiles.
MAXIMUM_WINDOW = 2_000


@dataclass(frozen=True, slots=True)
class Measurement:
    """One answered request: rehearsal time, the model's status, times in microseconds.

    Args:
        status: the container's HTTP status; 0 when it gave none
        instance_count: active instances of the variant at that moment
    """

    time: float
    status: int
    model_latency_us: float
    overhead_us: float
    instance_count: int


@dataclass
class Window:
    """What happened since the previous sample."""

    invocations: int = 0
    errors_4xx: int = 0
    errors_5xx: int = 0
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=MAXIMUM_WINDOW))

    def add(self, measurement: Measurement) -> None:
        """Count one request."""
        self.invocations += 1
        self.errors_4xx += is_client_error(measurement.status)
        self.errors_5xx += is_server_error(measurement.status)
        self.latencies_ms.append(measurement.model_latency_us / 1000)

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the members of a sample."""
        return {
            "invocations": self.invocations,
            "errors_4xx": self.errors_4xx,
            "errors_5xx": self.errors_5xx,
            "latency_ms_p50": percentile(self.latencies_ms, 50),
            "latency_ms_p99": percentile(self.latencies_ms, 99),
        }


class Meter:
    """One lane's measurements; `add` is the only call on the request's way."""

    def __init__(self, endpoint_name: str, variant_name: str, config_name: str) -> None:
        self.endpoint_name = endpoint_name
        self.variant_name = variant_name
        self.config_name = config_name
        self._pending: deque[Measurement] = deque(maxlen=MAXIMUM_PENDING)
        self._window = Window()
        self.add = self._pending.append

    def flush(self, store: MetricStore) -> None:
        """Move what has been measured into the metric store; one caller at a time."""
        minutes: dict[tuple[int, str, str], Bucket] = {}
        while self._pending:
            measurement = self._pending.popleft()
            self._window.add(measurement)
            minute = int(measurement.time // 60)
            for name, (value, unit) in values_of(measurement).items():
                minutes.setdefault((minute, name, unit), Bucket(unit=unit)).add(value)
        short = {"EndpointName": self.endpoint_name, "VariantName": self.variant_name}
        for (minute, name, _), bucket in minutes.items():
            for dimensions in (short, {**short, "EndpointConfigName": self.config_name}):
                store.put_bucket(series_key(NAMESPACE, name, dimensions), minute * 60, bucket)

    def take_window(self) -> Window:
        """Return the counts since the last call and begin anew."""
        window, self._window = self._window, Window()
        return window


def is_client_error(status: int) -> bool:
    """Tell whether the model answered 4xx."""
    return 400 <= status < 500


def is_server_error(status: int) -> bool:
    """Tell whether the model answered 5xx, or not at all (assumed to count with them)."""
    return status >= 500 or status == 0


def values_of(measurement: Measurement) -> dict[str, tuple[float, str]]:
    """Return the metric values one request sends, zeros included, with their units."""
    status = measurement.status
    return {
        "Invocations": (1.0, "None"),
        "InvocationsPerInstance": (1.0 / max(1, measurement.instance_count), "None"),
        "Invocation4XXErrors": (float(is_client_error(status)), "None"),
        "Invocation5XXErrors": (float(is_server_error(status)), "None"),
        "InvocationModelErrors": (float(not 200 <= status < 300), "None"),
        "ModelLatency": (measurement.model_latency_us, "Microseconds"),
        "OverheadLatency": (measurement.overhead_us, "Microseconds"),
    }
