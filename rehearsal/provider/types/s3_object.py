"""S3 objects, uploaded from an asset, a text or base64.

Source: hashicorp/terraform-provider-aws internal/service/s3/object.go; pulumi/pulumi-aws
provider/resources.go (the key defaults to the logical name, `source` is an asset).
"""

from __future__ import annotations

import base64
import urllib.parse
from pathlib import Path
from typing import Any

from rehearsal.provider.asset import asset_bytes
from rehearsal.provider.aws import Aws, AwsError
from rehearsal.provider.entry import Autoname, Change, ProviderError, ResourceType
from rehearsal.provider.schema import SchemaSource
from rehearsal.provider.tags import SAGEMAKER, tag_list, tag_map
from rehearsal.provider.types.s3 import PACKAGE, PROPAGATION_SECONDS, empty_bucket
from rehearsal.provider.value import Values

GONE = ("NoSuchKey", "NoSuchBucket", "404", "NotFound")
HEADERS = {
    "cacheControl": "CacheControl",
    "contentDisposition": "ContentDisposition",
    "contentEncoding": "ContentEncoding",
    "contentLanguage": "ContentLanguage",
    "contentType": "ContentType",
    "kmsKeyId": "SSEKMSKeyId",
    "metadata": "Metadata",
    "serverSideEncryption": "ServerSideEncryption",
    "storageClass": "StorageClass",
    "websiteRedirect": "WebsiteRedirectLocation",
    "bucketKeyEnabled": "BucketKeyEnabled",
}
CONTENT = ("source", "content", "contentBase64")


class ObjectOperations:
    """An object by PutObject; any change but of tags uploads it again."""

    def create(self, aws: Aws, values: Values) -> str:
        self._upload(aws, values)
        return str(values["key"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        bucket, key = self._address(identifier, known)
        try:
            answer = aws.call("s3", "HeadObject", Bucket=bucket, Key=key)
            tagging = aws.call("s3", "GetObjectTagging", Bucket=bucket, Key=key)
        except AwsError as err:
            if err.code in GONE:
                return None
            raise
        found = {name: answer[member] for name, member in HEADERS.items() if member in answer}
        tags = tag_map(tagging["TagSet"], SAGEMAKER)
        return {
            "storageClass": "STANDARD",
            "metadata": {},
            **found,
            "bucket": bucket,
            "key": key,
            "arn": f"arn:aws:s3:::{bucket}/{key}",
            "etag": answer["ETag"].strip('"'),
            "versionId": answer.get("VersionId", ""),
            "tags": tags,
            "tagsAll": tags,
        }

    def update(self, aws: Aws, change: Change) -> None:
        if change.properties - {"tags", "forceDestroy"}:
            self._upload(aws, change.new)
        elif change.touches("tags"):
            bucket, key = change.new["bucket"], change.new["key"]
            tagging = {"TagSet": tag_list(change.new.get("tags")) or []}
            aws.call("s3", "PutObjectTagging", Bucket=bucket, Key=key, Tagging=tagging)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        bucket, key = self._address(identifier, known)
        try:
            if known.get("versionId"):
                empty_bucket(aws, bucket, prefix=key)
            else:
                aws.call("s3", "DeleteObject", Bucket=bucket, Key=key)
        except AwsError as err:
            if err.code not in GONE:
                raise

    def _upload(self, aws: Aws, values: Values) -> None:
        headers = {member: values[name] for name, member in HEADERS.items() if name in values}
        tags = urllib.parse.urlencode(values.get("tags") or {})
        body = _body(values)
        aws.retry(
            PROPAGATION_SECONDS,
            lambda: aws.call(
                "s3",
                "PutObject",
                Bucket=values["bucket"],
                Key=values["key"],
                Body=body,
                Tagging=tags if tags else None,
                **headers,
            ),
            lambda err: err.code == "NoSuchBucket",
        )

    def _address(self, identifier: str, known: Values) -> tuple[str, str]:
        if "bucket" in known and "key" in known:
            return known["bucket"], known["key"]
        # At an import the id is `bucket/key` or `s3://bucket/key`.
        bucket, _, key = identifier.removeprefix("s3://").partition("/")
        if not bucket or not key:
            raise ProviderError(
                f"id {identifier!r} does not say which object; allowed: bucket/key, s3://bucket/key"
            )
        return bucket, key


def _body(values: Values) -> bytes:
    if "source" in values:
        return asset_bytes(values["source"], Path.cwd())
    if "contentBase64" in values:
        return base64.b64decode(values["contentBase64"])
    return str(values.get("content", "")).encode()


def prepare(inputs: Values) -> Values:
    """Refuse more than one content.

    Raises:
        ProviderError: two of `source`, `content`, `contentBase64`
    """
    given = [name for name in CONTENT if name in inputs]
    if len(given) > 1:
        raise ProviderError(f"{given[0]!r} conflicts with {given[1]!r}; give one of them")
    return inputs


_UNLOCKED: dict[str, Any] = {
    name: "no object here is locked"
    for name in ("objectLockLegalHoldStatus", "objectLockMode", "objectLockRetainUntilDate")
}

TYPES = (
    ResourceType(
        token="aws:s3/bucketObjectv2:BucketObjectv2",
        title="S3 Object",
        source="terraform-provider-aws internal/service/s3/object.go",
        schema=SchemaSource(
            package=PACKAGE, resource="BucketObjectv2", arguments="BucketObjectv2Args"
        ),
        operations=ObjectOperations(),
        autoname=Autoname(property="key", maximum_length=1024, random=False),
        replaces=frozenset({"bucket", "key"}),
        defaults={"forceDestroy": False},
        state_only=frozenset({*CONTENT, "forceDestroy", "sourceHash"}),
        computed=frozenset(
            {
                "bucketKeyEnabled",
                "contentType",
                "etag",
                "kmsKeyId",
                "serverSideEncryption",
                "storageClass",
            }
        ),
        unsupported={
            "acl": "buckets here own their objects",
            "checksumAlgorithm": "use sourceHash",
            "overrideProvider": "set tags on the object",
            **_UNLOCKED,
        },
        recomputed=frozenset({"etag", "versionId"}),
        prepare=prepare,
    ),
)
