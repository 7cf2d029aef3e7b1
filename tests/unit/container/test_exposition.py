"""What a scraper reads, by Prometheus' own parser."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from server.exposition import text_of, usage_of
from server.metrics import Metrics, Outcome


def families_of(text: str) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_everything_counted_is_read_back_by_prometheus_parser() -> None:
    metrics = Metrics([(400, "malformed_body")], workers=2)
    counters = metrics.counters(0, 0, pid=os.getpid())
    for number in range(1, 4):
        counters.began(number)
    counters.answered(20_000, 7)
    counters.ended(Outcome(route="invocations", status=400, code="malformed_body"), 40_000)
    counters.ran_batch(3)

    families = families_of(text_of(metrics, {"model": 'ir"is\\', "runtime": "forest"}))

    requests = {
        (sample.labels["status"], sample.labels["code"]): sample.value
        for sample in families["greenlight_requests"].samples
        if sample.labels["route"] == "invocations"
    }
    assert requests == {("200", "ok"): 1, ("400", "malformed_body"): 1}
    assert families["greenlight_requests"].type == "counter"
    assert families["greenlight_rows"].samples[0].value == 7
    assert families["greenlight_requests_in_flight"].samples[0].value == 1
    assert families["greenlight_model_info"].samples[0].labels == {
        "model": 'ir"is\\',
        "runtime": "forest",
    }
    assert families["greenlight_workers"].samples[0].value == 1
    [memory] = families["greenlight_worker_resident_memory_bytes"].samples
    assert memory.labels == {"worker": "0"}
    assert memory.value > 1_000_000


def test_a_histogram_rises_to_its_count() -> None:
    metrics = Metrics([], workers=1)
    counters = metrics.counters(0, 0, pid=os.getpid())
    for elapsed_ns in (1_000, 100_000, 10**12):
        counters.answered(elapsed_ns, 1)

    family = families_of(text_of(metrics, {}))["greenlight_request_duration_seconds"]

    samples = [each for each in family.samples if each.labels["route"] == "invocations"]
    buckets = [each.value for each in samples if each.name.endswith("_bucket")]
    bounds = [float(each.labels["le"]) for each in samples if each.name.endswith("_bucket")]
    [count] = [each.value for each in samples if each.name.endswith("_count")]
    [total] = [each.value for each in samples if each.name.endswith("_sum")]
    assert family.type == "histogram"
    assert (bounds, buckets) == (sorted(bounds), sorted(buckets))
    assert (buckets[0], buckets[-2], buckets[-1], count) == (1, 2, 3, 3)
    assert bounds[-1] == float("inf")
    assert total == 1000.000101


def test_a_process_that_is_gone_has_no_usage() -> None:
    assert usage_of(0) is None
    assert usage_of(2**31 - 1) is None


def test_without_a_model_there_is_no_model_to_tell_of() -> None:
    assert "greenlight_model_info" not in text_of(Metrics([], workers=1), {})
