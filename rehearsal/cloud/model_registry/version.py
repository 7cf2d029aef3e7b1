"""Model package groups and versions as frozen values, and what Describe and List say: pure.

Source: botocore sagemaker 2017-07-24, DescribeModelPackageOutput, ModelPackageSummary; SageMaker
    Developer Guide, "SageMaker model package state change" (what a version without validation
    shows); sagemaker-python-sdk#5606 (a version has no ModelPackageName).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rehearsal.cloud.clock import datetime_from_epoch
from rehearsal.cloud.hosting.listing import Row

GROUP = "model-package-group"
VERSION = "model-package"
# Neither scanned nor validated: nothing is to be waited for.
COMPLETED = "Completed"
STATUS_DETAILS: Mapping[str, Any] = {"ValidationStatuses": [], "ImageScanStatuses": []}
SUMMARY_MEMBERS = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)


class Approval(StrEnum):
    """ModelApprovalStatus, in SageMaker's words; each may follow each."""

    APPROVED = "Approved"
    REJECTED = "Rejected"
    PENDING = "PendingManualApproval"


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a group, between two changes.

    Args:
        members: as it was sent, with what UpdateModelPackage changed since
        changed_at: of the last UpdateModelPackage; None before the first
    """

    group: str
    number: int
    arn: str
    members: Mapping[str, Any]
    created_at: float
    changed_at: float | None = None

    @property
    def approval(self) -> Approval:
        """Whether it may be deployed; a person has to say so unless the sender did."""
        return Approval(self.members.get("ModelApprovalStatus", Approval.PENDING))


@dataclass(frozen=True, kw_only=True)
class Group:
    """One model package group.

    Args:
        last_number: of the newest version there ever was, so that no number comes twice
    """

    name: str
    arn: str
    members: Mapping[str, Any]
    created_at: float
    last_number: int = 0


def describe_version(version: Version) -> dict[str, Any]:
    """Return DescribeModelPackageOutput."""
    changed = {} if version.changed_at is None else {"LastModifiedTime": version.changed_at}
    return {
        **version.members,
        "ModelPackageGroupName": version.group,
        "ModelPackageVersion": version.number,
        "ModelPackageArn": version.arn,
        "CreationTime": version.created_at,
        "ModelPackageStatus": COMPLETED,
        "ModelPackageStatusDetails": STATUS_DETAILS,
        "CertifyForMarketplace": False,
        "ModelApprovalStatus": version.approval.value,
        # Callers have no identity here: any credentials do.
        "CreatedBy": {},
        **changed,
    }


def version_row(version: Version) -> Row:
    """Return a version as ListModelPackages shows, finds and sorts it."""
    described = describe_version(version)
    return Row(
        name=version.group,
        number=version.number,
        times={"CreationTime": version.created_at},
        summary={name: described[name] for name in SUMMARY_MEMBERS if name in described},
    )


def describe_group(group: Group) -> dict[str, Any]:
    """Return DescribeModelPackageGroupOutput."""
    return {**group_row(group).summary, "CreatedBy": {}}


def group_row(group: Group) -> Row:
    """Return a group as ListModelPackageGroups shows, finds and sorts it."""
    return Row(
        name=group.name,
        times={"CreationTime": group.created_at},
        summary={
            **group.members,
            "ModelPackageGroupName": group.name,
            "ModelPackageGroupArn": group.arn,
            "CreationTime": group.created_at,
            "ModelPackageGroupStatus": COMPLETED,
        },
    )


def event_detail(version: Version) -> dict[str, Any]:
    """Return a version as its event tells it: times as text, nobody who did it."""
    return {
        name: f"{datetime_from_epoch(value):%Y-%m-%dT%H:%M:%SZ}" if name.endswith("Time") else value
        for name, value in describe_version(version).items()
        if name != "CreatedBy"
    }
