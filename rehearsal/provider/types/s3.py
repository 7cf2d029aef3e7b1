"""S3 buckets, their settings, and objects.

Source: hashicorp/terraform-provider-aws internal/service/s3/{bucket,bucket_versioning,
bucket_server_side_encryption_configuration,bucket_public_access_block}.go; pulumi/pulumi-aws
provider/resources.go (autonaming: 63 characters, lower case).
"""

from __future__ import annotations

from botocore.model import Shape

from rehearsal.provider.aws import Aws, AwsError
from rehearsal.provider.convert import Renames, members_from_values, values_from_members
from rehearsal.provider.entry import Autoname, Change, ResourceType, Rule, Unfinished
from rehearsal.provider.enumeration import shape_named
from rehearsal.provider.schema import SchemaSource, read_schema
from rehearsal.provider.tags import SAGEMAKER, tag_list, tag_map
from rehearsal.provider.value import Values

PACKAGE = "pulumi_aws.s3"
PROPAGATION_SECONDS = 120
GONE = ("NoSuchBucket", "404")
DELETE_BATCH = 1000

BUCKET_SCHEMA = SchemaSource(package=PACKAGE, resource="Bucket", arguments="BucketArgs")
ENCRYPTION_SCHEMA = SchemaSource(
    package=PACKAGE,
    resource="BucketServerSideEncryptionConfiguration",
    arguments="BucketServerSideEncryptionConfigurationInitArgs",
)
ENCRYPTION_RENAMES: Renames = {
    "rules": "Rules",
    "kmsMasterKeyId": "KMSMasterKeyID",
    "sseAlgorithm": "SSEAlgorithm",
}
SWITCHES: Renames = {
    "blockPublicAcls": "BlockPublicAcls",
    "blockPublicPolicy": "BlockPublicPolicy",
    "ignorePublicAcls": "IgnorePublicAcls",
    "restrictPublicBuckets": "RestrictPublicBuckets",
}
SEPARATE = "declare the separate resource aws.s3.{} instead"


class BucketOperations:
    """Bucket by CreateBucket; its settings are resources of their own."""

    def create(self, aws: Aws, values: Values) -> str:
        name: str = values["bucket"]
        location = None if aws.region == "us-east-1" else {"LocationConstraint": aws.region}
        aws.call("s3", "CreateBucket", Bucket=name, CreateBucketConfiguration=location)
        try:
            self._put_tags(aws, name, values.get("tags"))
        except AwsError as err:
            raise Unfinished(name, f"setting S3 Bucket ({name}) tags: {err}") from err
        return name

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            aws.call("s3", "HeadBucket", Bucket=identifier)
        except AwsError as err:
            if err.code in GONE:
                return None
            raise
        tags = self._tags(aws, identifier)
        return {
            "bucket": identifier,
            "arn": f"arn:aws:s3:::{identifier}",
            "bucketDomainName": f"{identifier}.s3.amazonaws.com",
            "bucketRegion": aws.region,
            "bucketRegionalDomainName": f"{identifier}.s3.{aws.region}.amazonaws.com",
            "tags": tags,
            "tagsAll": tags,
        }

    def update(self, aws: Aws, change: Change) -> None:
        if change.touches("tags"):
            self._put_tags(aws, change.identifier, change.new.get("tags"))

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        try:
            if known.get("forceDestroy"):
                empty_bucket(aws, identifier, prefix=None)
            aws.call("s3", "DeleteBucket", Bucket=identifier)
        except AwsError as err:
            if err.code not in GONE:
                raise

    def _put_tags(self, aws: Aws, bucket: str, tags: dict[str, str] | None) -> None:
        if tags:
            aws.call("s3", "PutBucketTagging", Bucket=bucket, Tagging={"TagSet": tag_list(tags)})
        elif self._tags(aws, bucket):
            aws.call("s3", "DeleteBucketTagging", Bucket=bucket)

    def _tags(self, aws: Aws, bucket: str) -> dict[str, str]:
        try:
            answer = aws.call("s3", "GetBucketTagging", Bucket=bucket)
        except AwsError as err:
            if err.code == "NoSuchTagSet":
                return {}
            raise
        tags: dict[str, str] = tag_map(answer["TagSet"], SAGEMAKER)
        return tags


def empty_bucket(aws: Aws, bucket: str, prefix: str | None) -> None:
    """Delete every object version and delete marker, or those of one key."""
    filters = {} if prefix is None else {"Prefix": prefix}
    for member in ("Versions", "DeleteMarkers"):
        found = aws.pages("s3", "ListObjectVersions", member, Bucket=bucket, **filters)
        keys = [
            {"Key": item["Key"], "VersionId": item["VersionId"]}
            for item in found
            if prefix is None or item["Key"] == prefix
        ]
        for start in range(0, len(keys), DELETE_BATCH):
            batch = {"Objects": keys[start : start + DELETE_BATCH], "Quiet": True}
            aws.call("s3", "DeleteObjects", Bucket=bucket, Delete=batch)


class VersioningOperations:
    """Bucket versioning; deleting it suspends, as S3 has no way back to never versioned."""

    def create(self, aws: Aws, values: Values) -> str:
        bucket: str = values["bucket"]
        if values["versioningConfiguration"].get("status") != "Disabled":
            self._put(aws, bucket, values)
        return bucket

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            answer = aws.call("s3", "GetBucketVersioning", Bucket=identifier)
        except AwsError as err:
            if err.code in GONE:
                return None
            raise
        configuration = {"status": answer.get("Status", "Disabled")}
        if "MFADelete" in answer:
            configuration["mfaDelete"] = answer["MFADelete"]
        return {"bucket": identifier, "versioningConfiguration": configuration}

    def update(self, aws: Aws, change: Change) -> None:
        self._put(aws, change.identifier, change.new)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        if known.get("versioningConfiguration", {}).get("status") != "Enabled":
            return
        suspended = {"versioningConfiguration": {"status": "Suspended"}}
        try:
            self._put(aws, identifier, suspended)
        except AwsError as err:
            if err.code not in GONE:
                raise

    def _put(self, aws: Aws, bucket: str, values: Values) -> None:
        configuration = values["versioningConfiguration"]
        members = {"Status": configuration["status"]}
        put_to_bucket(aws, "PutBucketVersioning", bucket, VersioningConfiguration=members)


def put_to_bucket(aws: Aws, operation: str, bucket: str, **members: object) -> None:
    """A bucket setting; a bucket just made may not be known everywhere yet."""
    aws.retry(
        PROPAGATION_SECONDS,
        lambda: aws.call("s3", operation, Bucket=bucket, **members),
        lambda err: err.code == "NoSuchBucket",
    )


class EncryptionOperations:
    """Default encryption of a bucket."""

    def create(self, aws: Aws, values: Values) -> str:
        self._put(aws, values["bucket"], values)
        return str(values["bucket"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            answer = aws.call("s3", "GetBucketEncryption", Bucket=identifier)
        except AwsError as err:
            if err.code in (*GONE, "ServerSideEncryptionConfigurationNotFoundError"):
                return None
            raise
        wanted = read_schema(ENCRYPTION_SCHEMA).inputs
        found = values_from_members(
            answer["ServerSideEncryptionConfiguration"], wanted, ENCRYPTION_RENAMES
        )
        return {**found, "bucket": identifier}

    def update(self, aws: Aws, change: Change) -> None:
        self._put(aws, change.identifier, change.new)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        try:
            aws.call("s3", "DeleteBucketEncryption", Bucket=identifier)
        except AwsError as err:
            if err.code not in GONE:
                raise

    def _put(self, aws: Aws, bucket: str, values: Values) -> None:
        shape: Shape = shape_named("s3", "ServerSideEncryptionConfiguration")
        members = members_from_values({"rules": values["rules"]}, shape, ENCRYPTION_RENAMES)
        put_to_bucket(aws, "PutBucketEncryption", bucket, ServerSideEncryptionConfiguration=members)


class PublicAccessBlockOperations:
    """The four switches that keep a bucket private."""

    def create(self, aws: Aws, values: Values) -> str:
        self._put(aws, values["bucket"], values)
        return str(values["bucket"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            answer = aws.call("s3", "GetPublicAccessBlock", Bucket=identifier)
        except AwsError as err:
            if err.code in (*GONE, "NoSuchPublicAccessBlockConfiguration"):
                return None
            raise
        found = answer["PublicAccessBlockConfiguration"]
        switches = {name: found.get(member, False) for name, member in SWITCHES.items()}
        return {"bucket": identifier, **switches}

    def update(self, aws: Aws, change: Change) -> None:
        self._put(aws, change.identifier, change.new)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        if known.get("skipDestroy"):
            return
        try:
            aws.call("s3", "DeletePublicAccessBlock", Bucket=identifier)
        except AwsError as err:
            if err.code not in (*GONE, "NoSuchPublicAccessBlockConfiguration"):
                raise

    def _put(self, aws: Aws, bucket: str, values: Values) -> None:
        members = {member: values.get(name, False) for name, member in SWITCHES.items()}
        put_to_bucket(aws, "PutPublicAccessBlock", bucket, PublicAccessBlockConfiguration=members)


BUCKET = ResourceType(
    token="aws:s3/bucket:Bucket",
    title="S3 Bucket",
    source="terraform-provider-aws internal/service/s3/bucket.go",
    schema=BUCKET_SCHEMA,
    operations=BucketOperations(),
    autoname=Autoname(property="bucket", maximum_length=63, lower_case=True),
    replaces=frozenset({"bucket", "bucketPrefix", "bucketNamespace", "objectLockEnabled"}),
    defaults={"forceDestroy": False},
    state_only=frozenset({"forceDestroy"}),
    computed=frozenset({"bucketNamespace"}),
    rules={"bucket": Rule(minimum=3, maximum=63, pattern=r"[a-z0-9][a-z0-9.-]*[a-z0-9]")},
    unsupported={
        "accelerationStatus": SEPARATE.format("BucketAccelerateConfiguration"),
        "acl": SEPARATE.format("BucketAcl"),
        "bucketNamespace": "give the bucket a name",
        "bucketPrefix": "give the bucket a name, or none for an automatic one",
        "corsRules": SEPARATE.format("BucketCorsConfiguration"),
        "grants": SEPARATE.format("BucketAcl"),
        "lifecycleRules": SEPARATE.format("BucketLifecycleConfiguration"),
        "logging": SEPARATE.format("BucketLogging"),
        "objectLockConfiguration": SEPARATE.format("BucketObjectLockConfiguration"),
        "objectLockEnabled": "no object here is locked",
        "policy": SEPARATE.format("BucketPolicy"),
        "replicationConfiguration": SEPARATE.format("BucketReplicationConfig"),
        "requestPayer": SEPARATE.format("BucketRequestPaymentConfiguration"),
        "serverSideEncryptionConfiguration": SEPARATE.format(
            "BucketServerSideEncryptionConfiguration"
        ),
        "versioning": SEPARATE.format("BucketVersioning"),
        "website": SEPARATE.format("BucketWebsiteConfiguration"),
    },
)
VERSIONING = ResourceType(
    token="aws:s3/bucketVersioning:BucketVersioning",
    title="S3 Bucket Versioning",
    source="terraform-provider-aws internal/service/s3/bucket_versioning.go",
    schema=SchemaSource(
        package=PACKAGE, resource="BucketVersioning", arguments="BucketVersioningInitArgs"
    ),
    operations=VersioningOperations(),
    replaces=frozenset({"bucket", "expectedBucketOwner"}),
    computed=frozenset({"versioningConfiguration.mfaDelete"}),
    rules={
        "versioningConfiguration.status": Rule(choices=("Enabled", "Suspended", "Disabled")),
    },
    unsupported={
        "expectedBucketOwner": "there is one account",
        "mfa": "there is no MFA device",
        "versioningConfiguration.mfaDelete": "there is no MFA device",
    },
    taggable=False,
)
ENCRYPTION = ResourceType(
    token=(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    ),
    title="S3 Bucket Server-side Encryption Configuration",
    source=(
        "terraform-provider-aws internal/service/s3/bucket_server_side_encryption_configuration.go"
    ),
    schema=ENCRYPTION_SCHEMA,
    operations=EncryptionOperations(),
    replaces=frozenset({"bucket", "expectedBucketOwner"}),
    rules={
        "rules.applyServerSideEncryptionByDefault.sseAlgorithm": Rule(
            shape=("s3", "ServerSideEncryption")
        ),
    },
    unsupported={"expectedBucketOwner": "there is one account"},
    taggable=False,
)
PUBLIC_ACCESS_BLOCK = ResourceType(
    token="aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    title="S3 Bucket Public Access Block",
    source="terraform-provider-aws internal/service/s3/bucket_public_access_block.go",
    schema=SchemaSource(
        package=PACKAGE,
        resource="BucketPublicAccessBlock",
        arguments="BucketPublicAccessBlockArgs",
    ),
    operations=PublicAccessBlockOperations(),
    replaces=frozenset({"bucket"}),
    state_only=frozenset({"skipDestroy"}),
    taggable=False,
)

TYPES = (BUCKET, VERSIONING, ENCRYPTION, PUBLIC_ACCESS_BLOCK)
