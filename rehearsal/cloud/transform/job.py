"""A transform job as a frozen value, and what Describe and List say of it: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

TRANSFORM_JOB = "transform-job"
MAXIMUM_FAILURE_REASON = 1_024
# What AWS answers where nothing was said: from a description the tests of its Kubernetes
# controller keep.
DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "TransformInput": {"CompressionType": "None", "SplitType": "None"},
    "TransformOutput": {"AssembleWith": "None", "KmsKeyId": ""},
    "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"},
}


class Status(StrEnum):
    """TransformJobStatus, in SageMaker's words."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


RUNNING = frozenset({Status.IN_PROGRESS, Status.STOPPING})


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job, between two changes.

    Args:
        asked: CreateTransformJobRequest as it was sent
        model: the model as it was when the job was created
        started_at: when its instances were up; None before
    """

    name: str
    arn: str
    asked: Mapping[str, Any]
    model: Mapping[str, Any]
    created_at: float
    changed_at: float
    status: Status = Status.IN_PROGRESS
    started_at: float | None = None
    ended_at: float | None = None
    failure_reason: str | None = None

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING


def describe(job: Job) -> dict[str, Any]:
    """Return DescribeTransformJobResponse."""
    echoed = {name: value for name, value in job.asked.items() if name != "Tags"}
    for name, values in DEFAULTS.items():
        echoed[name] = {**values, **echoed.get(name, {})}
    return {
        **echoed,
        "TransformJobArn": job.arn,
        "TransformJobStatus": job.status.value,
        "CreationTime": job.created_at,
        **_if_known("TransformStartTime", job.started_at),
        **_if_known("TransformEndTime", job.ended_at),
        **_if_known("FailureReason", job.failure_reason),
    }


def summary(job: Job) -> dict[str, Any]:
    """Return a TransformJobSummary."""
    return {
        "TransformJobName": job.name,
        "TransformJobArn": job.arn,
        "CreationTime": job.created_at,
        "LastModifiedTime": job.changed_at,
        "TransformJobStatus": job.status.value,
        **_if_known("TransformEndTime", job.ended_at),
        **_if_known("FailureReason", job.failure_reason),
    }


def _if_known(name: str, value: float | str | None) -> dict[str, Any]:
    if value is None:
        return {}
    return {name: value[:MAXIMUM_FAILURE_REASON] if isinstance(value, str) else value}
