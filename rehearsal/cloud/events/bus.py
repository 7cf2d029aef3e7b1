"""Brings SageMaker's events to the targets of rules on the default bus.

Rules, patterns and queues are moto's, used in process. moto's own delivery knows neither SNS
topics nor disabled rules nor `Input` and `InputPath`, and tells the wall's time; so it is ours.
Left out: every kind of target but queues, topics and log groups, retries and dead-letter queues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException

from rehearsal.cloud.clock import Clock, datetime_from_epoch
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.events.sagemaker import SOURCE, Event
from rehearsal.cloud.events.target import target_text
from rehearsal.cloud.record import Record
from rehearsal.cloud.services import backend, publish


class NotDelivered(Exception):
    """A target can't take an event; the text says why."""


@dataclass(frozen=True, kw_only=True)
class EventBus:
    """The default event bus of one account and region.

    Args:
        new_id: gives each event its id
    """

    clock: Clock
    record: Record
    account_id: str
    region: str
    new_id: Callable[[], str]

    def send(self, event: Event) -> None:
        """Deliver one event to every target of every enabled rule that matches it.

        What can't be delivered is noted in the record: nobody waits for an answer.
        """
        buses = backend("events", self.account_id, self.region).event_buses
        rules = list(buses["default"].rules.values()) if "default" in buses else []
        message = self._message(event)
        for rule in rules:
            # A scheduled rule has no pattern, which moto takes for one that matches everything.
            if rule.state == "DISABLED" or not rule.event_pattern.get_pattern():
                continue
            if rule.event_pattern.matches_event(message):
                for target in list(rule.targets):
                    self._deliver(rule, target, message)

    def _message(self, event: Event) -> dict[str, Any]:
        now = datetime_from_epoch(self.clock.now())
        return {
            "version": "0",
            "id": self.new_id(),
            "detail-type": event.detail_type,
            "source": SOURCE,
            "account": self.account_id,
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.region,
            "resources": [event.resource_arn],
            "detail": dict(event.detail),
        }

    def _deliver(self, rule: Any, target: Mapping[str, Any], message: Mapping[str, Any]) -> None:
        arn: str = target["Arn"]
        error = None
        try:
            self._send_to(arn, target, target_text(target, rule.arn, message))
        except NotDelivered as err:
            error = str(err)
        self.record.event(
            "event_delivery",
            rule_name=rule.name,
            target_arn=arn,
            detail_type=message["detail-type"],
            event_id=message["id"],
            error=error,
        )

    def _send_to(self, arn: str, target: Mapping[str, Any], text: str) -> None:
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        name = arn.split(":", 5)[-1]
        try:
            if service == "sqs":
                self._to_queue(name, target, text)
            elif service == "sns":
                self._to_topic(arn, text)
            elif service == "logs":
                self._to_log_group(name.removeprefix("log-group:").removesuffix(":*"), text)
            else:
                raise NotDelivered(
                    f"the rehearsal cloud delivers to SQS queues, SNS topics and log groups; "
                    f"{arn} is none of them"
                )
        except ServiceException as err:
            raise NotDelivered(str(err)) from err

    def _to_queue(self, name: str, target: Mapping[str, Any], text: str) -> None:
        group_id = target.get("SqsParameters", {}).get("MessageGroupId")
        queues = backend("sqs", self.account_id, self.region)
        queues.send_message(queue_name=name, message_body=text, group_id=group_id)

    def _to_topic(self, arn: str, text: str) -> None:
        try:
            publish(self.account_id, self.region, arn, text)
        except SetupError as err:
            raise NotDelivered(str(err)) from err

    def _to_log_group(self, name: str, text: str) -> None:
        groups = backend("logs", self.account_id, self.region)
        if name not in groups.groups:
            raise NotDelivered(f"there is no log group {name}")
        groups.ensure_log_stream(name, "events")
        event = {"timestamp": int(self.clock.now() * 1000), "message": text}
        groups.groups[name].put_log_events("events", [event])
