"""What a job's instances send by themselves: processor and memory, as an endpoint's do.

Source: SageMaker Developer Guide, "monitoring-cloudwatch", jobs: no DiskUtilization for transform
jobs, one series a host.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rehearsal.cloud.cloudwatch.fleet_groups import SeenInstance
from rehearsal.cloud.cloudwatch.metrics import MetricStore, series_key
from rehearsal.cloud.cloudwatch.usage import UsageMeter
from rehearsal.cloud.fleets.instance import Instance

NAMESPACE = "/aws/sagemaker/TransformJobs"
SEND_SECONDS = 60.0
# Looking at every process of the machine takes milliseconds, so a fast clock must not do it often.
MINIMUM_LOOK_WALL_SECONDS = 2.0


@dataclass
class JobMetrics:
    """Sends the utilization of jobs' instances, once a minute each and once at their beginning."""

    store: MetricStore
    meter: UsageMeter = field(default_factory=UsageMeter)
    _sent: dict[str, float] = field(default_factory=dict)
    _look_again_at: float = float("-inf")

    def tick(self, now: float, instances: Sequence[Instance]) -> None:
        """Send what is due of the instances that run."""
        seen = [SeenInstance(instance) for instance in instances]
        self._sent = {i.instance_id: self._sent.get(i.instance_id, 0.0) for i in seen}
        due = [i for i in seen if i.pids and now - self._sent[i.instance_id] >= SEND_SECONDS]
        is_new = any(not self._sent[i.instance_id] for i in due)
        if not due or (not is_new and time.monotonic() < self._look_again_at):
            return
        self._look_again_at = time.monotonic() + MINIMUM_LOOK_WALL_SECONDS
        usages = self.meter.look({i.instance_id: i.pids for i in seen if i.pids})
        for each in due:
            usage = usages.get(each.instance_id)
            if usage is None:
                continue
            self._sent[each.instance_id] = now
            dimensions = {"Host": host_of(each.instance)}
            for name, value in (
                ("CPUUtilization", usage.cpu_percent),
                ("MemoryUtilization", usage.memory_percent),
            ):
                self.store.put(series_key(NAMESPACE, name, dimensions), now, value, unit="Percent")


def host_of(instance: Instance) -> str:
    """Return `<job>/<instance-id>`, without the time that the log stream has after it."""
    return instance.spec.log_stream.rpartition("-")[0]
