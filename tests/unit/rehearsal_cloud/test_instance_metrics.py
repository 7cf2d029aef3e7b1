"""What instances send, over instances that only say what they have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.cloudwatch.instance_metrics import Group, InstanceMetrics
from rehearsal.cloud.cloudwatch.metrics import MetricStore, series_key
from rehearsal.cloud.cloudwatch.usage import UsageMeter

VARIANT = {"EndpointName": "e", "VariantName": "v"}
START = 1_800_000_000.0


@dataclass(frozen=True, kw_only=True)
class SaidInstance:
    instance_id: str = "i-1"
    outstanding: int = 0
    pids: tuple[int, ...] = ()
    loaded_models: int | None = None


def metrics_of(*instances: SaidInstance, **more: Any) -> MetricStore:
    """Return what one group sends over two minutes."""
    store = MetricStore()
    group = Group(endpoint_name="e", variant_name="v", instances=instances, **more)
    sender = InstanceMetrics(store=store, groups=lambda: iter([group]), disk="/")
    for second in range(0, 121):
        sender.tick(START + second)
    return store


def statistics(
    store: MetricStore, name: str, *, namespace: str = "AWS/SageMaker", seconds: float = 120
) -> Mapping[str, float | None]:
    bucket = store.period(series_key(namespace, name, VARIANT), START, seconds)
    names = ("SampleCount", "Maximum")
    return {name: bucket.statistic(name) for name in names} if bucket is not None else {}


def test_concurrency_is_sent_by_each_instance_every_ten_seconds() -> None:
    store = metrics_of(SaidInstance(outstanding=2), SaidInstance(instance_id="i-2", outstanding=5))

    ten = statistics(store, "ConcurrentRequestsPerModel", seconds=10)
    whole = statistics(store, "ConcurrentRequestsPerModel")

    assert ten == {"SampleCount": 2, "Maximum": 5.0}
    assert whole == {"SampleCount": 24, "Maximum": 5.0}


def test_an_asynchronous_variant_sends_no_concurrency() -> None:
    assert metrics_of(SaidInstance(), has_concurrency=False).keys() == []


def test_a_serverless_variant_sends_shares_of_its_concurrency() -> None:
    store = metrics_of(
        SaidInstance(outstanding=1),
        serverless={"MaxConcurrency": 4, "ProvisionedConcurrency": 2},
    )

    assert statistics(store, "ServerlessConcurrentExecutionsUtilization")["Maximum"] == 0.25
    assert statistics(store, "ServerlessProvisionedConcurrencyUtilization")["Maximum"] == 0.5
    assert statistics(store, "ServerlessProvisionedConcurrencyExecutions")["Maximum"] == 1.0


def test_a_multi_model_instance_counts_its_models_every_minute() -> None:
    store = metrics_of(SaidInstance(loaded_models=3))

    found = statistics(store, "LoadedModelCount", namespace="/aws/sagemaker/Endpoints")

    assert found == {"SampleCount": 2, "Maximum": 3.0}


def test_utilization_comes_as_often_as_the_config_says() -> None:
    often = {"MetricPublishFrequencyInSeconds": 30}
    store = metrics_of(SaidInstance(loaded_models=1), metrics_config=often)

    found = statistics(store, "LoadedModelCount", namespace="/aws/sagemaker/Endpoints")

    assert found["SampleCount"] == 4


def test_usage_is_that_of_the_processes_and_their_children() -> None:
    meter = UsageMeter()

    found = meter.look({"me": [os.getpid()], "gone": [2**22 + 1]})

    assert set(found) == {"me"}
    assert found["me"].memory_percent > 0
    assert 0 <= found["me"].cpu_percent <= 100 * (os.cpu_count() or 1)
