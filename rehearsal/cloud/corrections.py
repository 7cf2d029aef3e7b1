"""What moto gets wrong for a rehearsal, corrected in one place; listed in rehearsal/README.md.

Each correction replaces one thing of moto's and says why. Hosting itself is not here: its
operations are routed before moto sees them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination
from moto.cloudwatch.models import cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.cloudwatch.backend import RehearsedCloudWatch
from rehearsal.cloud.record import Record


def install_cloudwatch(
    account_id: str, region: str, clock: Clock, record: Record, before_query: Callable[[], None]
) -> RehearsedCloudWatch:
    """Replace moto's CloudWatch data: it sums copies with more dimensions, ignores namespaces,
    starts alarms in OK and never evaluates them.
    """
    backend = RehearsedCloudWatch(region, account_id)
    backend.attach(clock, record, before_query)
    cloudwatch_backends[account_id][region] = backend
    setattr(CloudWatchResponse, "get_metric_statistics", _get_metric_statistics)  # noqa: B010
    return backend


def _get_metric_statistics(self: Any) -> ActionResult:
    """GetMetricStatistics with ExtendedStatistics, which moto reads and then drops."""
    statistics = self._get_param("Statistics", [])
    extended = self._get_param("ExtendedStatistics", [])
    if not statistics and not extended:
        raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
    name = self._get_param("MetricName")
    backend = self.cloudwatch_backend
    if not isinstance(backend, RehearsedCloudWatch):
        return ActionResult({"Label": name, "Datapoints": []})
    datapoints = backend.get_metric_statistics(
        self._get_param("Namespace"),
        name,
        self._get_param("StartTime"),
        self._get_param("EndTime"),
        self._get_int_param("Period"),
        statistics,
        unit=self._get_param("Unit"),
        dimensions=self._get_param("Dimensions", []),
        extended_stats=extended,
    )
    return ActionResult({"Label": name, "Datapoints": datapoints})
