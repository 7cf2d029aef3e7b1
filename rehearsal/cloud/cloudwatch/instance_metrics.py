"""What instances send by themselves: utilization, concurrency, models loaded.

Source: SageMaker Developer Guide, "monitoring-cloudwatch" and "serverless-endpoints-monitoring";
botocore MetricsConfig, read 2026. The dimensions of enhanced metrics are those of field reports.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rehearsal.cloud.cloudwatch.metrics import MetricStore, series_key
from rehearsal.cloud.cloudwatch.usage import Usage, UsageMeter, disk_percent

NAMESPACE = "AWS/SageMaker"
INSTANCE_NAMESPACE = "/aws/sagemaker/Endpoints"
CONCURRENCY_SECONDS = 10
DEFAULT_FREQUENCY_SECONDS = 60
# Looking at every process of the machine takes milliseconds, with the engine waiting: a fast clock
# must not do it often, and with many processes it must be done less often still.
MINIMUM_LOOK_WALL_SECONDS = 2.0
MAXIMUM_LOOKING_FRACTION = 0.02


class RunningInstance(Protocol):
    """What is asked of an instance."""

    @property
    def outstanding(self) -> int:
        """Requests it has now."""

    @property
    def pids(self) -> Sequence[int]:
        """The first processes of its containers, none where they can't be seen from here."""

    @property
    def instance_id(self) -> str:
        """Its id."""

    @property
    def loaded_models(self) -> int | None:
        """Models loaded now; None for one that is not multi-model."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The healthy instances of one variant of one fleet.

    Args:
        metrics_config: MetricsConfig of the endpoint config
        has_concurrency: whether ConcurrentRequestsPerModel is sent; not of asynchronous endpoints
        serverless: ServerlessConfig in force; None for a variant with instances
    """

    endpoint_name: str
    variant_name: str
    instances: Sequence[RunningInstance]
    metrics_config: Mapping[str, Any] = field(default_factory=dict)
    has_concurrency: bool = True
    serverless: Mapping[str, int] | None = None

    @property
    def frequency_seconds(self) -> int:
        """How often utilization is sent."""
        return int(
            self.metrics_config.get("MetricPublishFrequencyInSeconds", DEFAULT_FREQUENCY_SECONDS)
        )

    @property
    def dimensions(self) -> dict[str, str]:
        return {"EndpointName": self.endpoint_name, "VariantName": self.variant_name}


@dataclass
class InstanceMetrics:
    """Sends what is due, whenever time has passed.

    Args:
        groups: returns the variants that have healthy instances
        disk: a path on the instances' file system
    """

    store: MetricStore
    groups: Callable[[], Iterator[Group]]
    disk: str
    meter: UsageMeter = field(default_factory=UsageMeter)
    _sent: int | None = None
    _usages: dict[str, Usage] = field(default_factory=dict)
    _look_again_at: float = float("-inf")

    def tick(self, now: float) -> None:
        """Send the samples of the ten seconds that have passed since the last call, once."""
        number = int(now // CONCURRENCY_SECONDS)
        before, self._sent = self._sent, number
        if before is None or number == before:
            return
        # Time that jumped is not relived: its last ten seconds stand for it.
        start = float((number - 1) * CONCURRENCY_SECONDS)
        passed = range(before + 1, number + 1)
        groups = list(self.groups())
        due = [
            group
            for group in groups
            if any(n * CONCURRENCY_SECONDS % group.frequency_seconds == 0 for n in passed)
        ]
        if due:
            self._look(groups)
        for group in groups:
            if group.serverless is not None:
                self._send_executions(group, group.serverless, start)
            elif group.has_concurrency:
                self._send_concurrency(group, start)
        for group in due:
            self._send_utilization(group, start)

    def _look(self, groups: Sequence[Group]) -> None:
        """Look at the processes, unless that was done just now."""
        wall = time.monotonic()
        instances = [instance for group in groups for instance in group.instances]
        known = all(i.instance_id in self._usages or not i.pids for i in instances)
        if known and wall < self._look_again_at:
            return
        self._usages = self.meter.look({i.instance_id: i.pids for i in instances if i.pids})
        took = time.monotonic() - wall
        pause = max(MINIMUM_LOOK_WALL_SECONDS, took / MAXIMUM_LOOKING_FRACTION)
        self._look_again_at = time.monotonic() + pause

    def _send_concurrency(self, group: Group, start: float) -> None:
        key = series_key(NAMESPACE, "ConcurrentRequestsPerModel", group.dimensions)
        for instance in group.instances:
            value = float(instance.outstanding)
            self.store.put(key, start, value, unit="None", is_high_resolution=True)

    def _send_executions(self, group: Group, serverless: Mapping[str, int], start: float) -> None:
        """Send how many requests a serverless variant has at once, and of how many allowed."""
        busy = float(sum(instance.outstanding for instance in group.instances))
        values = [
            (
                "ServerlessConcurrentExecutionsUtilization",
                busy / serverless["MaxConcurrency"],
                "None",
            )
        ]
        provisioned = serverless.get("ProvisionedConcurrency", 0)
        if provisioned:
            values += [
                ("ServerlessProvisionedConcurrencyExecutions", busy, "Count"),
                ("ServerlessProvisionedConcurrencyUtilization", busy / provisioned, "None"),
            ]
        for name, value, unit in values:
            self.store.put(series_key(NAMESPACE, name, group.dimensions), start, value, unit=unit)

    def _send_utilization(self, group: Group, start: float) -> None:
        is_high = group.frequency_seconds < DEFAULT_FREQUENCY_SECONDS
        is_enhanced = bool(group.metrics_config.get("EnableEnhancedMetrics"))
        disk = disk_percent(self.disk)
        for instance in group.instances:
            kinds = [group.dimensions]
            if is_enhanced:
                kinds.append({**group.dimensions, "InstanceId": instance.instance_id})
            for name, value, unit in self._values(group, instance, disk):
                for dimensions in kinds:
                    key = series_key(INSTANCE_NAMESPACE, name, dimensions)
                    self.store.put(key, start, value, unit=unit, is_high_resolution=is_high)

    def _values(
        self, group: Group, instance: RunningInstance, disk: float
    ) -> Iterator[tuple[str, float, str]]:
        usage = self._usages.get(instance.instance_id)
        if usage is not None:
            yield "MemoryUtilization", usage.memory_percent, "Percent"
        if usage is not None and group.serverless is None:
            yield "CPUUtilization", usage.cpu_percent, "Percent"
            yield "DiskUtilization", disk, "Percent"
        if instance.loaded_models is not None:
            yield "LoadedModelCount", float(instance.loaded_models), "None"
