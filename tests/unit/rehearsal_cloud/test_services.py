"""What the cloud does with moto's other services in process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.services import backend, publish, reset_backends

ACCOUNT, REGION = "123456789012", "eu-west-1"


@pytest.fixture
def topic_arn() -> Iterator[str]:
    reset_backends()
    yield backend("sns", ACCOUNT, REGION).create_topic("told").arn
    reset_backends()


def test_a_topic_takes_a_message_that_a_subscriber_does_not(topic_arn: str) -> None:
    sns = backend("sns", ACCOUNT, REGION)
    # A URL without a host fails before any socket is opened.
    sns.subscribe(topic_arn, "http:///nowhere", "http")

    publish(ACCOUNT, REGION, topic_arn, "hello")

    assert sns.topics[topic_arn].sent_notifications == []


def test_a_topic_that_is_not_there_is_named() -> None:
    with pytest.raises(SetupError, match="there is no topic arn:aws:sns:eu-west-1:1:none"):
        publish(ACCOUNT, REGION, "arn:aws:sns:eu-west-1:1:none", "hello")
