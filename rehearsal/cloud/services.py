"""The other AWS services, moto's, as the hosting part needs them - called in process."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import requests
from moto.backends import get_backend
from moto.core.exceptions import ServiceException

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.errors import SetupError

logger = logging.getLogger(__name__)

# moto keeps log events in memory; a chatty server must not fill it.
MAXIMUM_LINES_PER_STREAM = 10_000
# Services whose state one rehearsal owns; moto's backends live as long as the process.
OWNED_SERVICES = (
    "s3",
    "ecr",
    "iam",
    "sts",
    "kms",
    "sns",
    "sqs",
    "events",
    "logs",
    "cloudwatch",
    "application-autoscaling",
    "sagemaker",
)
GLOBAL_SERVICES = frozenset({"s3", "iam", "sts"})


def backend(service: str, account_id: str, region: str) -> Any:
    """Return moto's backend of a service."""
    backends: Any = get_backend(service)  # type: ignore[call-overload]
    regions = backends[account_id]
    return regions["aws" if service in GLOBAL_SERVICES else region]


def reset_backends() -> None:
    """Forget what an earlier rehearsal of this process left in moto."""
    for service in OWNED_SERVICES:
        backends: Any = get_backend(service)  # type: ignore[call-overload]
        backends.reset()


def publish(
    account_id: str, region: str, topic_arn: str, message: str, *, subject: str | None = None
) -> None:
    """Publish to a topic; whether a subscriber's server takes the message is none of its business.

    Raises:
        SetupError: no such topic, or SNS refuses the message
    """
    sns = backend("sns", account_id, region)
    if topic_arn not in sns.topics:
        raise SetupError(f"there is no topic {topic_arn}")
    try:
        sns.publish(message, topic_arn, subject=subject)
    except ServiceException as err:
        raise SetupError(str(err)) from err
    except requests.RequestException as err:
        logger.warning("subscriber not reached topic=%s reason=%s", topic_arn, err)


class Objects:
    """S3 objects by bucket and key."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id

    def read(self, bucket: str, key: str) -> bytes | None:
        s3 = backend("s3", self._account_id, "aws")
        if bucket not in s3.buckets:
            return None
        found = s3.get_object(bucket, key)
        return None if found is None else bytes(found.value)

    def etag(self, bucket: str, key: str) -> str | None:
        """Return an object's ETag without its quotes, or None when there is no such object."""
        s3 = backend("s3", self._account_id, "aws")
        found = s3.get_object(bucket, key) if bucket in s3.buckets else None
        return None if found is None else str(found.etag).strip('"')

    def keys(self, bucket: str, prefix: str) -> list[str] | None:
        """Return the keys with a prefix in S3's order, or None when there is no such bucket."""
        s3 = backend("s3", self._account_id, "aws")
        if bucket not in s3.buckets:
            return None
        found = s3.list_objects(s3.buckets[bucket], prefix, None, None, None)[0]
        return sorted(key.name for key in found)

    def write(
        self, bucket: str, key: str, data: bytes, *, content_type: str, kms_key_id: str | None
    ) -> None:
        """Put an object.

        Raises:
            SetupError: no such bucket
        """
        s3 = backend("s3", self._account_id, "aws")
        if bucket not in s3.buckets:
            raise SetupError(f"there is no bucket {bucket}")
        encryption = "aws:kms" if kms_key_id is not None else None
        made = s3.put_object(bucket, key, data, encryption=encryption, kms_key_id=kms_key_id)
        made.set_metadata({"Content-Type": content_type})

    def put_captured(self, bucket: str, key: str, data: bytes, kms_key_id: str | None) -> None:
        """Put a file of data capture, which is JSON lines."""
        self.write(bucket, key, data, content_type="application/json", kms_key_id=kms_key_id)


class InstanceLogs:
    """Instances' output, in CloudWatch Logs groups and in files."""

    def __init__(self, clock: Clock, directory: Path, account_id: str, region: str) -> None:
        self._clock = clock
        self._directory = directory
        self._account_id = account_id
        self._region = region
        self._lock = threading.Lock()
        self._lines: Counter[tuple[str, str]] = Counter()

    def append(self, group_name: str, stream: str, line: str) -> None:
        """Append one line to any stream; beyond the bound lines are dropped."""
        with self._lock:
            self._lines[group_name, stream] += 1
            if self._lines[group_name, stream] > MAXIMUM_LINES_PER_STREAM:
                return
            if self._lines[group_name, stream] == MAXIMUM_LINES_PER_STREAM:
                line = f"the rehearsal cloud keeps {MAXIMUM_LINES_PER_STREAM} lines of a stream"
            logs = backend("logs", self._account_id, self._region)
            if group_name not in logs.groups:
                logs.create_log_group(group_name, {})
            logs.ensure_log_stream(group_name, stream)
            # The group's own method: the backend's refuses times far from the wall's.
            event = {"timestamp": int(self._clock.now() * 1000), "message": line}
            logs.groups[group_name].put_log_events(stream, [event])
            self._append(group_name, stream, line)

    def _append(self, group_name: str, stream: str, line: str) -> None:
        path = self._directory / group_name.rpartition("/")[2] / f"{stream}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
