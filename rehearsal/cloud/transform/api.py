"""The transform jobs' operations: names to functions, validated input to output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.hosting.tags import merged_tags, tag_list, tag_page
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.json_protocol import json_response
from rehearsal.cloud.shapes import json_members, validated_input
from rehearsal.cloud.transform.job import TRANSFORM_JOB
from rehearsal.cloud.transform.jobs import TransformJobs

TAG_OPERATIONS = ("AddTags", "ListTags", "DeleteTags")


@dataclass
class TransformApi:
    """Answers `X-Amz-Target: SageMaker.<Operation>` for transform jobs."""

    jobs: TransformJobs

    def __post_init__(self) -> None:
        self.operations: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
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
        if operation in TAG_OPERATIONS:
            arn = str(json_members(operation, request.body).get("ResourceArn", ""))
            return arn.split(":")[-1].partition("/")[0] == TRANSFORM_JOB
        return operation in self.operations

    def __call__(self, operation: str, request: Request) -> Response:
        """Validate, run under the lock, answer; a refusal is the caller's to turn into bytes."""
        asked = validated_input("sagemaker", operation, request.body)
        engine = self.jobs.engine
        error = None
        try:
            with engine.lock:
                return json_response(self.operations[operation](asked))
        except ApiError as err:
            error = f"{err.code}: {err.message}"
            raise
        finally:
            if not operation.startswith(("Describe", "List")):
                engine.record.event(
                    "api_call",
                    operation=operation,
                    transform_job_name=asked.get("TransformJobName"),
                    model_name=asked.get("ModelName"),
                    error=error,
                )

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
