"""The transform jobs' operations: names to functions, validated input to output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud import operation as operations
from rehearsal.cloud.hosting.tags import merged_tags, tag_list, tag_page
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.transform.job import TRANSFORM_JOB
from rehearsal.cloud.transform.jobs import TransformJobs

RECORDED = {"transform_job_name": "TransformJobName", "model_name": "ModelName"}


@dataclass
class TransformApi:
    """Answers `X-Amz-Target: SageMaker.<Operation>` for transform jobs."""

    jobs: TransformJobs

    def __post_init__(self) -> None:
        self.operations: operations.Operations = {
            "CreateTransformJob": self.jobs.create,
            "DescribeTransformJob": self.jobs.describe,
            "ListTransformJobs": self.jobs.list_jobs,
            "StopTransformJob": self.jobs.stop_job,
            "AddTags": self._add_tags,
            "ListTags": self._list_tags,
            "DeleteTags": self._delete_tags,
        }
        self._tags = self.jobs.engine.catalog.tags

    def handles(self, operation: str, request: Request) -> bool:
        """Tell whether an operation is ours; of tags those of jobs are."""
        return operations.handles(self.operations, (TRANSFORM_JOB,), operation, request)

    def __call__(self, operation: str, request: Request) -> Response:
        """Answer one request; a refusal is the caller's to turn into bytes."""
        return operations.answer(self.operations, self.jobs.engine, operation, request, RECORDED)

    def _add_tags(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        arn = self._arn(asked)
        self._tags[arn] = merged_tags(self._tags.get(arn, {}), asked["Tags"])
        return {"Tags": tag_list(self._tags[arn])}

    def _list_tags(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return tag_page(self._tags.get(self._arn(asked), {}), asked)

    def _delete_tags(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        tags = self._tags.get(self._arn(asked), {})
        for key in asked["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _arn(self, asked: Mapping[str, Any]) -> str:
        return self.jobs.get(asked["ResourceArn"].rpartition("/")[2]).arn
