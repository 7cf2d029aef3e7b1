"""A job's objects in S3: inputs listed and read, outputs and capture manifests written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.clock import datetime_from_epoch
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.role_objects import RoleObjects
from rehearsal.cloud.s3_url import bucket_and_key
from rehearsal.cloud.transform.errors import Fault, TransformError
from rehearsal.cloud.transform.inputs import (
    Input,
    inputs_of_manifest,
    inputs_of_prefix,
    output_uri,
)

JSON = "application/json"
BYTES = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class Storage:
    """S3 as one job sees it.

    Args:
        asked: CreateTransformJobRequest
        role_arn: the model's role, whose permissions count
        created_at: rehearsal time that dates what is captured
        capture_id: names the capture manifests
    """

    objects: RoleObjects
    asked: Mapping[str, Any]
    role_arn: str
    created_at: float
    capture_id: str

    def inputs(self) -> list[Input]:
        """Return the objects to transform, none when there are none or they can't be listed.

        Raises:
            TransformError: the manifest is none
        """
        source = self.asked["TransformInput"]["DataSource"]["S3DataSource"]
        bucket, key = bucket_and_key(source["S3Uri"])
        if source["S3DataType"] == "ManifestFile":
            try:
                return inputs_of_manifest(self.objects.read(self.role_arn, bucket, key))
            except SetupError:
                return []
        keys = self.objects.keys(self.role_arn, bucket, key)
        return inputs_of_prefix(bucket, key, keys)

    def read(self, item: Input) -> bytes:
        """Return an input object.

        Raises:
            TransformError: it isn't there or may not be read
        """
        try:
            return self.objects.read(self.role_arn, item.bucket, item.key)
        except SetupError as err:
            raise TransformError(f"Unable to read the object: {err}") from err

    def store(self, outputs: Mapping[Input, bytes]) -> None:
        """Write every output, and what says where captured data lies.

        Raises:
            TransformError: an output can't be written
        """
        output = self.asked["TransformOutput"]
        for item, data in outputs.items():
            uri = output_uri(output["S3OutputPath"], item)
            self._write(uri, data, output.get("Accept", BYTES), output.get("KmsKeyId"))
        capture = self.asked.get("DataCaptureConfig")
        if capture is not None and outputs:
            self._capture(capture, list(outputs))

    def _capture(self, capture: Mapping[str, Any], items: list[Input]) -> None:
        hour = f"{datetime_from_epoch(self.created_at):%Y/%m/%d/%H}"
        first = items[0]
        prefix = f"s3://{first.bucket}/{first.key.removesuffix(first.relative)}"
        output_path = self.asked["TransformOutput"]["S3OutputPath"].rstrip("/") + "/"
        manifests = {
            "input": [{"prefix": prefix}, *(item.relative for item in items)],
            "output": [{"prefix": output_path}, *(f"{item.relative}.out" for item in items)],
        }
        folder = capture["DestinationS3Uri"].rstrip("/")
        for name, manifest in manifests.items():
            uri = f"{folder}/{name}/{hour}/{self.capture_id}.json"
            self._write(uri, json.dumps(manifest).encode(), JSON, capture.get("KmsKeyId"))

    def _write(self, uri: str, data: bytes, content_type: str, kms_key_id: str | None) -> None:
        try:
            self.objects.write(
                self.role_arn,
                *bucket_and_key(uri),
                data,
                content_type=content_type,
                kms_key_id=kms_key_id,
            )
        except SetupError as err:
            raise TransformError(f"Unable to write {uri}: {err}", fault=Fault.CLIENT) from err
