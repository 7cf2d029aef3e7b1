"""Publishes to SNS topics, and the test notification that a change of an endpoint begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.asynchronous.notice import TEST_NOTIFICATION, topics
from rehearsal.cloud.services import publish


@dataclass(frozen=True, kw_only=True)
class Notifier:
    """Sends messages to this account's topics.

    Args:
        may_publish: tells whether a role may publish to a topic that is there
    """

    account_id: str
    region: str
    may_publish: Callable[[str, str], bool]

    def publish(self, topic_arn: str, message: str) -> None:
        """Send one message to a topic's subscribers.

        Raises:
            SetupError: no such topic
        """
        publish(self.account_id, self.region, topic_arn, message)

    def announce(self, config: Mapping[str, Any], role_arn: str) -> None:
        """Send the test notification to every topic of an endpoint config that can get it."""
        output_config = config.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
        for topic in topics(output_config):
            if self.may_publish(role_arn, topic):
                self.publish(topic, TEST_NOTIFICATION)
