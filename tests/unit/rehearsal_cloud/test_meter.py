"""From answered requests to metrics."""

from __future__ import annotations

import pytest

from rehearsal.cloud.cloudwatch.metrics import MetricStore, series_key
from rehearsal.cloud.runtime.meter import NAMESPACE, Measurement, Meter

SHORT = {"EndpointName": "e", "VariantName": "v"}
LONG = {**SHORT, "EndpointConfigName": "c"}


def a_measurement(status: int, *, time: float = 5.0, latency_ms: float = 2.0) -> Measurement:
    return Measurement(
        time=time,
        status=status,
        model_latency_us=latency_ms * 1_000,
        overhead_us=100.0,
        instance_count=2,
    )


def statistic(store: MetricStore, name: str, dimensions: dict[str, str], stat: str) -> float | None:
    bucket = store.period(series_key(NAMESPACE, name, dimensions), 0, 60)
    return bucket.statistic(stat) if bucket is not None else None


@pytest.mark.source("DG monitoring-cloudwatch, endpoint invocation metrics")
@pytest.mark.parametrize("dimensions", [SHORT, LONG])
def test_every_request_counts_and_good_ones_send_zeros(dimensions: dict[str, str]) -> None:
    meter, store = Meter("e", "v", "c"), MetricStore()
    for status in (200, 200, 404, 500):
        meter.add(a_measurement(status))

    meter.flush(store)

    expected = {
        ("Invocations", "Sum"): 4.0,
        ("InvocationsPerInstance", "Sum"): 2.0,
        ("Invocation4XXErrors", "Average"): 0.25,
        ("Invocation5XXErrors", "Average"): 0.25,
        ("InvocationModelErrors", "Sum"): 2.0,
        ("ModelLatency", "Average"): 2_000.0,
        ("OverheadLatency", "Maximum"): 100.0,
    }
    for (name, stat), value in expected.items():
        assert statistic(store, name, dimensions, stat) == value, name


@pytest.mark.assumed("whether a request without any answer counts as 5XX is not documented")
def test_no_answer_counts_as_a_server_error() -> None:
    meter, store = Meter("e", "v", "c"), MetricStore()
    meter.add(a_measurement(0))

    meter.flush(store)

    assert statistic(store, "Invocation5XXErrors", SHORT, "Sum") == 1.0


def test_a_request_belongs_to_the_minute_it_ended_in() -> None:
    meter, store = Meter("e", "v", "c"), MetricStore()
    meter.add(a_measurement(200, time=59.0))
    meter.add(a_measurement(200, time=61.0))

    meter.flush(store)

    assert statistic(store, "Invocations", SHORT, "Sum") == 1.0


def test_a_window_starts_anew_after_it_was_taken() -> None:
    meter, store = Meter("e", "v", "c"), MetricStore()
    meter.add(a_measurement(500, latency_ms=4.0))
    meter.flush(store)

    first, second = meter.take_window().as_dict(), meter.take_window().as_dict()

    assert first == {
        "invocations": 1,
        "errors_4xx": 0,
        "errors_5xx": 1,
        "latency_ms_p50": 4.0,
        "latency_ms_p99": 4.0,
    }
    assert second["invocations"] == 0
    assert second["latency_ms_p50"] is None
