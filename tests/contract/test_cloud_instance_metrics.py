"""What instances send by themselves: utilization, concurrency, and scaling on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.clock import ManualClock, datetime_from_epoch
from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.settings import CloudSettings
from tests.support.cloud import CloudUser, wait_for

INSTANCES = "/aws/sagemaker/Endpoints"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    settings = CloudSettings(directory=tmp_path_factory.mktemp("cloud"))
    started = CloudUser(Cloud(settings, ManualClock(1_800_000_000.0)))
    started.cloud.start()
    started.prepare()
    yield started
    started.cloud.stop()


def make(user: CloudUser, name: str, **more: Any) -> str:
    """Make an endpoint; end on a whole minute."""
    user.make_config(name, **more)
    user.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    user.cloud.timekeeper.advance(2)
    user.cloud.timekeeper.advance(60 - user.cloud.clock.now() % 60)
    assert user.describe(name)["EndpointStatus"] == "InService"
    return name


def points(user: CloudUser, namespace: str, metric: str, endpoint: str, **more: Any) -> Any:
    """Return the datapoints of the last ten minutes, oldest first."""
    now = datetime_from_epoch(user.cloud.clock.now())
    dimensions = {"EndpointName": endpoint, "VariantName": "main", **more.pop("dimensions", {})}
    asked: dict[str, Any] = {"Period": 60, "Statistics": ["Average", "SampleCount"], **more}
    answer = user.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(minutes=10),
        EndTime=now,
        **asked,
    )
    return sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])


class Requests:
    """So many requests at once, while the block lasts.

    Args:
        gate: the file the endpoint's model waits for
    """

    def __init__(self, user: CloudUser, endpoint: str, count: int, gate: Path) -> None:
        self._user, self._endpoint, self._gate = user, endpoint, gate
        self._threads = [threading.Thread(target=self._invoke) for _ in range(count)]

    def __enter__(self) -> Requests:
        for thread in self._threads:
            thread.start()
        wait_for(lambda: self._held() == len(self._threads), "the requests to arrive")
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.touch()
        for thread in self._threads:
            thread.join()

    def _held(self) -> int:
        running = self._user.cloud.engine.fleets.processes()
        mine = [i for i in running if i.spec.endpoint_name == self._endpoint]
        return sum(instance.outstanding for instance in mine)

    def _invoke(self) -> None:
        self._user.invoke(self._endpoint)


@pytest.mark.source("DG monitoring-cloudwatch, endpoint instance metrics; per minute, per instance")
def test_each_instance_sends_what_it_uses_every_minute(user: CloudUser) -> None:
    make(user, "used", instance_count=2)

    user.cloud.timekeeper.advance(120)

    for metric in ("CPUUtilization", "MemoryUtilization", "DiskUtilization"):
        found = points(user, INSTANCES, metric, "used")
        assert [point["SampleCount"] for point in found[-2:]] == [2, 2], metric
        assert all(point["Unit"] == "Percent" for point in found)
        assert all(0 <= point["Average"] <= 100 * 64 for point in found)
    assert points(user, INSTANCES, "MemoryUtilization", "used")[-1]["Average"] > 0


@pytest.mark.source(
    "botocore MetricsConfig: MetricPublishFrequencyInSeconds, EnableEnhancedMetrics"
)
def test_enhanced_metrics_name_the_instance_and_come_more_often(user: CloudUser) -> None:
    name = user.make_config("plain")
    members = user.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    config: Mapping[str, Any] = {
        "EnableEnhancedMetrics": True,
        "MetricPublishFrequencyInSeconds": 10,
    }
    user.sagemaker.create_endpoint_config(
        EndpointConfigName="often",
        ProductionVariants=members["ProductionVariants"],
        MetricsConfig=config,
    )
    user.sagemaker.create_endpoint(EndpointName="often", EndpointConfigName="often")
    user.cloud.timekeeper.advance(62)

    metrics = user.client("cloudwatch").list_metrics(
        Namespace=INSTANCES,
        MetricName="CPUUtilization",
        Dimensions=[{"Name": "EndpointName", "Value": "often"}, {"Name": "InstanceId"}],
    )["Metrics"]
    (dimensions,) = [{d["Name"]: d["Value"] for d in m["Dimensions"]} for m in metrics]
    found = points(user, INSTANCES, "CPUUtilization", "often", Period=10, dimensions=dimensions)

    assert dimensions["InstanceId"].startswith("i-")
    assert len(found) >= 5


@pytest.mark.source("DG monitoring-cloudwatch: ConcurrentRequestsPerModel every ten seconds")
def test_concurrency_is_sampled_every_ten_seconds(user: CloudUser, tmp_path: Path) -> None:
    gate = tmp_path / "open"
    make(user, "held", environment={"TINY_GATE": str(gate)})

    with Requests(user, "held", 3, gate):
        user.cloud.timekeeper.advance(20)
    user.cloud.timekeeper.advance(20)
    found = points(
        user,
        "AWS/SageMaker",
        "ConcurrentRequestsPerModel",
        "held",
        Period=10,
        Statistics=["Maximum"],
    )

    assert [point["Maximum"] for point in found[-4:]] == [3.0, 3.0, 0.0, 0.0]


@pytest.mark.source(
    "AAS predefined metrics; SageMaker high-resolution scaling: 3 x 10 s, 90 x 10 s"
)
def test_concurrency_scales_out_within_half_a_minute(user: CloudUser, tmp_path: Path) -> None:
    gate = tmp_path / "open"
    make(user, "fast", environment={"TINY_GATE": str(gate)})
    scaling = user.client("application-autoscaling")
    named = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/fast/variant/main",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**named, MinCapacity=1, MaxCapacity=3)
    metric = "SageMakerVariantConcurrentRequestsPerModelHighResolution"
    policy = scaling.put_scaling_policy(
        **named,
        PolicyName="concurrency",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 1.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
        },
    )

    with Requests(user, "fast", 2, gate):
        user.cloud.timekeeper.advance(33)
    names = [alarm["AlarmName"] for alarm in policy["Alarms"]]
    alarms = user.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]

    assert user.describe("fast")["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    rules = {(a["EvaluationPeriods"], a["Period"], a["Threshold"]) for a in alarms}
    assert rules == {(3, 10, 1.0), (90, 10, 0.9)}
