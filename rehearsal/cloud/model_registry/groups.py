"""Every model package group of the cloud and its versions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.events.bus import EventBus
from rehearsal.cloud.events.sagemaker import model_package_change
from rehearsal.cloud.hosting.catalog import Catalog
from rehearsal.cloud.hosting.listing import page
from rehearsal.cloud.model_registry import rules
from rehearsal.cloud.model_registry.version import (
    GROUP,
    VERSION,
    Group,
    Version,
    describe_group,
    describe_version,
    event_detail,
    group_row,
    version_row,
)
from rehearsal.cloud.s3_url import bucket_and_key

# What CreateModelPackage takes and no description shows.
NOT_KEPT = ("ModelPackageGroupName", "ClientToken", "CertifyForMarketplace", "Tags")
# What UpdateModelPackage takes and no description shows as it was sent.
HOW_TO_UPDATE = (
    "ModelPackageArn",
    "ClientToken",
    "CustomerMetadataPropertiesToRemove",
    "AdditionalInferenceSpecificationsToAdd",
)
# Both lists are oldest first, unlike hosting's.
OLDEST_FIRST = {"SortOrder": "Ascending"}
UNVERSIONED = "Unversioned"


@dataclass
class ModelRegistry:
    """Groups and versions; the hosting engine's lock guards them.

    Args:
        catalog: makes ARNs and keeps tags
        etag_of: of an object in S3 by bucket and key; None where there is none
    """

    clock: Clock
    catalog: Catalog
    bus: EventBus
    etag_of: Callable[[str, str], str | None]
    groups: dict[str, Group] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    _by_token: dict[str, str] = field(default_factory=dict)

    # ---- groups

    def create_group(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        rules.check_rehearsed(asked)
        name = asked["ModelPackageGroupName"]
        arn = self.catalog.arn(GROUP, name)
        if name in self.groups:
            raise rules.group_exists(arn)
        self.catalog.put_tags(arn, asked.get("Tags", ()))
        members = {key: value for key, value in asked.items() if key != "Tags"}
        self.groups[name] = Group(name=name, arn=arn, members=members, created_at=self.clock.now())
        return {"ModelPackageGroupArn": arn}

    def describe_group(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return describe_group(self._group(asked["ModelPackageGroupName"]))

    def list_groups(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        # Of other accounts there are none.
        mine = asked.get("CrossAccountFilterOption") != "CrossAccount"
        rows = [group_row(group) for group in self.groups.values() if mine]
        return page(rows, {**OLDEST_FIRST, **asked}, result_key="ModelPackageGroupSummaryList")

    def delete_group(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        group = self._group(asked["ModelPackageGroupName"])
        if any(version.group == group.name for version in self.versions.values()):
            raise rules.group_is_used(group.arn)
        del self.groups[group.name]
        self.catalog.tags.pop(group.arn, None)
        return {}

    # ---- versions

    def create(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        rules.check_new_version(asked)
        token = asked.get("ClientToken")
        if token is not None and token in self._by_token:
            return {"ModelPackageArn": self._by_token[token]}
        group = self._group(asked["ModelPackageGroupName"])
        number = group.last_number + 1
        members = {key: value for key, value in asked.items() if key not in NOT_KEPT}
        members["InferenceSpecification"] = self._with_etags(asked["InferenceSpecification"])
        version = Version(
            group=group.name,
            number=number,
            arn=self.catalog.arn(VERSION, f"{group.name}/{number}"),
            members=members,
            created_at=self.clock.now(),
        )
        self.groups[group.name] = replace(group, last_number=number)
        if token is not None:
            self._by_token[token] = version.arn
        self._put(version)
        return {"ModelPackageArn": version.arn}

    def describe(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return describe_version(self._version(asked["ModelPackageName"]))

    def list_versions(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        wanted = asked.get("ModelPackageGroupName")
        group = None if wanted is None else self._group(wanted).name
        # Unversioned ones are meant where nothing else is said; there are none of them here.
        has_versions = asked.get("ModelPackageType", group or UNVERSIONED) != UNVERSIONED
        approval = asked.get("ModelApprovalStatus")
        rows = [
            version_row(version)
            for version in self.versions.values()
            if has_versions
            and group in (None, version.group)
            and approval in (None, version.approval)
        ]
        return page(rows, {**OLDEST_FIRST, **asked}, result_key="ModelPackageSummaryList")

    def update(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        rules.check_rehearsed(asked)
        version = self._version(asked["ModelPackageArn"])
        if "InferenceSpecification" in asked:
            specification = self._with_etags(asked["InferenceSpecification"])
            asked = {**asked, "InferenceSpecification": specification}
        members = _updated(version.members, asked)
        self._put(replace(version, members=members, changed_at=self.clock.now()))
        return {"ModelPackageArn": version.arn}

    def delete(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        del self.versions[self._version(asked["ModelPackageName"]).arn]
        return {}

    # ---- for tags and the inventory

    def tagged_arn(self, arn: str) -> str:
        """Return the ARN whose tags a resource has: a version has those of its group."""
        if f":{GROUP}/" in arn:
            return self._group(arn).arn
        return self.groups[self._version(arn).group].arn

    # ---- finding and keeping

    def _group(self, name_or_arn: str) -> Group:
        arn = self._arn(GROUP, name_or_arn)
        group = self.groups.get(arn.rpartition("/")[2])
        if group is None or group.arn != arn:
            raise rules.no_such_group(arn)
        return group

    def _version(self, name_or_arn: str) -> Version:
        arn = self._arn(VERSION, name_or_arn)
        if arn not in self.versions:
            raise rules.no_such_version(arn)
        return self.versions[arn]

    def _arn(self, kind: str, name_or_arn: str) -> str:
        is_arn = name_or_arn.startswith("arn:")
        return name_or_arn if is_arn else self.catalog.arn(kind, name_or_arn)

    def _with_etags(self, specification: Mapping[str, Any]) -> dict[str, Any]:
        """Return an InferenceSpecification with the ETags its model data has now."""
        kept = copy.deepcopy(dict(specification))
        for container in kept["Containers"]:
            if "ModelDataUrl" in container:
                etag = self.etag_of(*bucket_and_key(container["ModelDataUrl"]))
                container |= {} if etag is None else {"ModelDataETag": etag}
        return kept

    def _put(self, version: Version) -> None:
        self.versions[version.arn] = version
        tags = self.catalog.tags.get(self.catalog.arn(GROUP, version.group), {})
        self.bus.send(model_package_change(version.arn, event_detail(version), tags))


def _updated(members: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return a version's members after UpdateModelPackage."""
    metadata = {
        **members.get("CustomerMetadataProperties", {}),
        **asked.get("CustomerMetadataProperties", {}),
    }
    for key in asked.get("CustomerMetadataPropertiesToRemove", ()):
        metadata.pop(key, None)
    merged = {
        **members,
        **{key: value for key, value in asked.items() if key not in HOW_TO_UPDATE},
        "CustomerMetadataProperties": metadata,
        "AdditionalInferenceSpecifications": [
            *members.get("AdditionalInferenceSpecifications", ()),
            *asked.get("AdditionalInferenceSpecificationsToAdd", ()),
        ],
    }
    return {key: value for key, value in merged.items() if value not in ({}, [])}
