"""CloudWatch with moto's wire and our data: exact series, rehearsal time, alarms that evaluate."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.cloudwatch.alarms import Alarm, Alarms, Fired, dimensions_of
from rehearsal.cloud.cloudwatch.api import CloudWatchApi
from rehearsal.cloud.cloudwatch.datapoints import AlarmData
from rehearsal.cloud.cloudwatch.errand_queue import ErrandQueue
from rehearsal.cloud.cloudwatch.metrics import MetricStore
from rehearsal.cloud.cloudwatch.queries import Queries
from rehearsal.cloud.record import Record

logger = logging.getLogger(__name__)

# Sends a message to an SNS topic: ARN, subject, message.
Publish = Callable[[str, str, str], None]


class RehearsedCloudWatch(CloudWatchBackend):
    """moto's backend with its data and its alarms replaced; dashboards and rules stay moto's."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.store = MetricStore()
        self.lock = threading.RLock()
        self._errands = ErrandQueue()

    def attach(
        self, clock: Clock, record: Record, refresh: Callable[[], None], publish: Publish
    ) -> None:
        """Give the backend its time and its record; moto builds backends without arguments.

        Args:
            refresh: called before data is read, to bring in what was measured since
            publish: sends an alarm's message to a topic; raises when it can't
        """
        self._publish = publish
        queries = Queries(store=self.store, clock=clock, refresh=refresh)
        self._registry = Alarms(
            clock=clock,
            record=record,
            data=AlarmData(queries=queries),
            account_id=self.account_id,
            region=self.region_name,
            publish=self._send,
        )
        self.api = CloudWatchApi(
            queries=queries, alarms=self._registry, tagger=self.tagger, lock=self.lock
        )
        # moto's tagging and inventory look at this mapping.
        self.alarms = self._registry.by_name  # type: ignore[assignment]

    def settle(self) -> None:
        """Wait for the actions that run; for a clock moved by hand, with no lock held."""
        self._errands.wait()

    def close(self) -> None:
        """Run the actions that wait, and end their thread."""
        self._errands.stop()

    # ---- alarms, for the rest of the cloud

    def put_alarm(self, name: str, members: Mapping[str, Any]) -> Alarm:
        """Create or change an alarm of ours, such as a target tracking policy's."""
        with self.lock:
            return self._registry.put(name, members)

    def delete_alarms(self, alarm_names: list[str]) -> None:
        with self.lock:
            for name in alarm_names:
                self.api.delete(name)

    def states(self) -> dict[str, str]:
        """Return every alarm's state by name."""
        with self.lock:
            return {name: alarm.state.value for name, alarm in self._registry.by_name.items()}

    def dimensions(self, name: str) -> dict[str, str]:
        """Return the dimensions an alarm looks at; none of an alarm that is gone."""
        with self.lock:
            alarm = self._registry.by_name.get(name)
            return dimensions_of(alarm) if alarm is not None else {}

    def alarms_with_action(self, arn: str) -> list[str]:
        """Return the alarms that have an action, by name."""
        names = ("AlarmActions", "OKActions", "InsufficientDataActions")
        with self.lock:
            return sorted(
                alarm.name
                for alarm in self._registry.by_name.values()
                if any(arn in alarm.members.get(name, ()) for name in names)
            )

    def evaluate_alarms(self) -> list[Fired]:
        """Evaluate what is due; return the Auto Scaling actions to run now."""
        with self.lock:
            return self._registry.evaluate()

    def _send(
        self, arn: str, subject: str, message: str, done: Callable[[str | None], None]
    ) -> None:
        def errand() -> None:
            problem = None
            # An edge: whatever a topic answers is the action's outcome, in the alarm's history.
            try:
                self._publish(arn, subject, message)
            except Exception as err:
                logger.exception("alarm action failed action=%s", arn)
                problem = str(err)
            with self.lock:
                done(problem)

        self._errands.send(errand)

    # ---- metric data, for moto's other services

    def put_metric_data(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        self.api.queries.put_data(namespace, metric_data)
