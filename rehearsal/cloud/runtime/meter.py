"""Counts of one fleet's variant: appended per request, turned into metrics by the ticker."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rehearsal.cloud.cloudwatch.metrics import Bucket, MetricStore, series_key
from rehearsal.cloud.cloudwatch.statistic import percentile

NAMESPACE = "AWS/SageMaker"
# Requests between two ticks; beyond it the oldest are lost from the metrics, not from the client.
MAXIMUM_PENDING = 100_000
# Values kept for a sample's percentiles.
MAXIMUM_WINDOW = 2_000


# Metric name, value, unit.
Value = tuple[str, float, str]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One answered request: rehearsal time, the model's status, times in microseconds.

    Args:
        status: the container's HTTP status; 0 when it gave none
        is_model_error: anything but a whole 2xx answer
        instance_count: active instances of the variant at that moment
        containers: microseconds by container, in a serial pipeline
        target_container: the container that was asked, in a direct pipeline
        more: what only some kinds of endpoint send
    """

    time: float
    status: int
    model_latency_us: float
    overhead_us: float
    instance_count: int
    is_model_error: bool = False
    containers: tuple[tuple[str, float], ...] = ()
    target_container: str | None = None
    more: tuple[Value, ...] = ()


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


# Source: DG serverless-endpoints-monitoring, whose list is exhaustive.
UNPUBLISHED_SERVERLESS = frozenset({"InvocationsPerInstance", "InvocationModelErrors"})


class Meter:
    """One lane's measurements; `add` is the only call on the request's way."""

    def __init__(
        self,
        endpoint_name: str,
        variant_name: str,
        config_name: str,
        *,
        is_serverless: bool = False,
    ) -> None:
        self._unpublished = UNPUBLISHED_SERVERLESS if is_serverless else frozenset[str]()
        self.endpoint_name = endpoint_name
        self.variant_name = variant_name
        self.config_name = config_name
        self._pending: deque[Measurement] = deque(maxlen=MAXIMUM_PENDING)
        self._window = Window()
        self.add = self._pending.append

    def flush(self, store: MetricStore) -> None:
        """Move what has been measured into the metric store; one caller at a time."""
        minutes: dict[int, list[Measurement]] = {}
        while self._pending:
            measurement = self._pending.popleft()
            self._window.add(measurement)
            minutes.setdefault(int(measurement.time // 60), []).append(measurement)
        for minute, measurements in minutes.items():
            self._put(store, minute * 60, buckets_of(measurements), {})
            for container, buckets in container_buckets_of(measurements).items():
                self._put(store, minute * 60, buckets, {"ContainerName": container})

    def _put(
        self, store: MetricStore, start: int, buckets: Mapping[str, Bucket], more: dict[str, str]
    ) -> None:
        short = {"EndpointName": self.endpoint_name, "VariantName": self.variant_name, **more}
        for name, bucket in buckets.items():
            if name in self._unpublished:
                continue
            for dimensions in (short, {**short, "EndpointConfigName": self.config_name}):
                store.put_bucket(series_key(NAMESPACE, name, dimensions), start, bucket)

    def take_window(self) -> Window:
        """Return the counts since the last call and begin anew."""
        window, self._window = self._window, Window()
        return window


def setup_time(microseconds: float) -> Value:
    """Return what a serverless cold start sends."""
    return "ModelSetupTime", microseconds, "Microseconds"


def is_client_error(status: int) -> bool:
    """Tell whether the model answered 4xx."""
    return 400 <= status < 500


def is_server_error(status: int) -> bool:
    """Tell whether the model answered 5xx, or not at all (assumed to count with them)."""
    return status >= 500 or status == 0


def buckets_of(measurements: Sequence[Measurement]) -> dict[str, Bucket]:
    """Return what requests of one minute send, zeros included, by metric.

    Counts are added up first: a thousand requests cost little more than one.
    """
    count = len(measurements)
    model_errors = sum(m.is_model_error or not 200 <= m.status < 300 for m in measurements)
    shares = Counter(1.0 / max(1, m.instance_count) for m in measurements)
    buckets = {
        "Invocations": _bucket("None", {1.0: count}),
        "InvocationsPerInstance": _bucket("None", shares),
        "Invocation4XXErrors": _flags(sum(is_client_error(m.status) for m in measurements), count),
        "Invocation5XXErrors": _flags(sum(is_server_error(m.status) for m in measurements), count),
        "InvocationModelErrors": _flags(model_errors, count),
        "ModelLatency": Bucket(unit="Microseconds"),
        "OverheadLatency": Bucket(unit="Microseconds"),
    }
    model, overhead = buckets["ModelLatency"], buckets["OverheadLatency"]
    for measurement in measurements:
        model.add(measurement.model_latency_us)
        overhead.add(measurement.overhead_us)
        for name, value, unit in measurement.more:
            buckets.setdefault(name, Bucket(unit=unit)).add(value)
    return buckets


def container_buckets_of(
    measurements: Sequence[Measurement],
) -> dict[str, dict[str, Bucket]]:
    """Return what is sent by container: latencies in a serial pipeline, everything in a direct.

    Source: DG monitoring-cloudwatch, ContainerLatency; DG multi-container-best-practices
    """
    found: dict[str, dict[str, Bucket]] = {}
    direct: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        for container, latency_us in measurement.containers:
            buckets = found.setdefault(container, {})
            buckets.setdefault("ContainerLatency", Bucket(unit="Microseconds")).add(latency_us)
        if measurement.target_container is not None:
            direct.setdefault(measurement.target_container, []).append(measurement)
    for container, asked in direct.items():
        found.setdefault(container, {}).update(buckets_of(asked))
    return found


def _flags(ones: int, count: int) -> Bucket:
    return _bucket("None", {1.0: ones, 0.0: count - ones})


def _bucket(unit: str, counts: Mapping[float, int]) -> Bucket:
    bucket = Bucket(unit=unit)
    for value, count in counts.items():
        if count:
            bucket.add(value, count)
    return bucket
