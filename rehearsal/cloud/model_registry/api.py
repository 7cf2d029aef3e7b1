"""The Model Registry's operations: names to functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud import operation as operations
from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.hosting.tags import tag_list, tag_page
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.model_registry.groups import ModelRegistry
from rehearsal.cloud.model_registry.version import GROUP, VERSION

RECORDED = {
    "model_package_group_name": "ModelPackageGroupName",
    "model_package_name": "ModelPackageName",
    "model_package_arn": "ModelPackageArn",
    "model_approval_status": "ModelApprovalStatus",
}


@dataclass
class ModelRegistryApi:
    """Answers `X-Amz-Target: SageMaker.<Operation>` for model packages and their groups."""

    engine: Engine
    registry: ModelRegistry

    def __post_init__(self) -> None:
        self.operations: operations.Operations = {
            "CreateModelPackageGroup": self.registry.create_group,
            "DescribeModelPackageGroup": self.registry.describe_group,
            "ListModelPackageGroups": self.registry.list_groups,
            "DeleteModelPackageGroup": self.registry.delete_group,
            "CreateModelPackage": self.registry.create,
            "DescribeModelPackage": self.registry.describe,
            "ListModelPackages": self.registry.list_versions,
            "UpdateModelPackage": self.registry.update,
            "DeleteModelPackage": self.registry.delete,
            "AddTags": self._add_tags,
            "ListTags": self._list_tags,
            "DeleteTags": self._delete_tags,
        }

    def handles(self, operation: str, request: Request) -> bool:
        """Tell whether an operation is ours; of tags those of groups and versions are."""
        return operations.handles(self.operations, (GROUP, VERSION), operation, request)

    def __call__(self, operation: str, request: Request) -> Response:
        """Answer one request; a refusal is the caller's to turn into bytes."""
        return operations.answer(self.operations, self.engine, operation, request, RECORDED)

    def _add_tags(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        arn = self.registry.tagged_arn(asked["ResourceArn"])
        self.registry.catalog.put_tags(arn, asked["Tags"])
        return {"Tags": tag_list(self.registry.catalog.tags[arn])}

    def _list_tags(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        arn = self.registry.tagged_arn(asked["ResourceArn"])
        return tag_page(self.registry.catalog.tags.get(arn, {}), asked)

    def _delete_tags(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        tags = self.registry.catalog.tags.get(self.registry.tagged_arn(asked["ResourceArn"]), {})
        for key in asked["TagKeys"]:
            tags.pop(key, None)
        return {}
