"""What the models of a stage share: bucket, registry, server image, role, alert topic, key.

A base stack makes it; a per-model stack reads the same values from the base stack's exports.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker

from components import names
from components.build_context import BUILD_CONTEXT, TAG_LENGTH, context_digest
from components.execution_role import execution_policy, trust_policy
from components.settings import FoundationSettings

FOUNDATION_TYPE = "greenlight:components:Foundation"

SKLEARN_REQUIREMENTS = "requirements-sklearn.lock"
# Images of earlier swaps that a revert may still need.
_KEPT_IMAGES = 30


@dataclass(frozen=True, kw_only=True)
class FoundationOutputs:
    """What a model needs of the Foundation, wherever it comes from.

    Args:
        sklearn_image_uri: the image for models that scikit-learn itself answers; nothing where the
            Foundation was not asked for one.
        kms_key_arn: the key that encrypts artifacts; nothing means AES256.
    """

    bucket_name: pulumi.Output[str]
    bucket_arn: pulumi.Output[str]
    repository_url: pulumi.Output[str]
    image_uri: pulumi.Output[str]
    sklearn_image_uri: pulumi.Output[str | None]
    role_arn: pulumi.Output[str]
    alert_topic_arn: pulumi.Output[str]
    kms_key_arn: pulumi.Output[str | None]


# What a Foundation may lack; a base stack of an earlier release does not even export the second.
_OPTIONAL = ("kms_key_arn", "sklearn_image_uri")

_EXPORTS = {
    "bucket_name": "bucketName",
    "bucket_arn": "bucketArn",
    "repository_url": "repositoryUrl",
    "image_uri": "imageUri",
    "sklearn_image_uri": "sklearnImageUri",
    "role_arn": "roleArn",
    "alert_topic_arn": "alertTopicArn",
    "kms_key_arn": "kmsKeyArn",
}


def foundation_exports(foundation: FoundationOutputs) -> dict[str, pulumi.Output[object]]:
    """The Foundation's values under the names that stacks export them by."""
    return {_EXPORTS[field.name]: getattr(foundation, field.name) for field in fields(foundation)}


def foundation_from_stack(base_stack: str, settings: FoundationSettings) -> FoundationOutputs:
    """The Foundation of a base stack, an image or role of this stack's own settings going first.

    Args:
        base_stack: the base stack's full name, such as `organization/greenlight/dev`.
    """
    reference = pulumi.StackReference(base_stack)
    values = {
        name: reference.get_output(export)
        if name in _OPTIONAL
        else reference.require_output(export)
        for name, export in _EXPORTS.items()
    }
    if settings.image_uri is not None:
        given = pulumi.Output.from_input(settings.image_uri)
        values |= {"image_uri": given, "sklearn_image_uri": given}
    if settings.role_arn is not None:
        values["role_arn"] = pulumi.Output.from_input(settings.role_arn)
    return FoundationOutputs(**values)


@dataclass(frozen=True, kw_only=True)
class FoundationArgs:
    """What the Foundation is told.

    Args:
        settings: the stage's shared settings.
        project_directory: where the build context lies.
        tags: the tags of every resource.
    """

    settings: FoundationSettings
    project_directory: Path
    tags: Mapping[str, str]


class Foundation(pulumi.ComponentResource):
    """Everything the models of one stage share.

    Attributes:
        outputs: the values that models and per-model stacks build on.
    """

    outputs: FoundationOutputs

    def __init__(
        self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(FOUNDATION_TYPE, name, None, opts)
        self._stem = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        key_arn = self._key_arn()
        bucket = self._bucket(key_arn)
        repository = self._repository()
        image_uri, sklearn_image_uri = self._image_uris(repository)
        topic = aws.sns.Topic(self._child_name(names.ALERT_TOPIC), tags=args.tags, opts=self._child)
        self.outputs = FoundationOutputs(
            bucket_name=bucket.bucket,
            bucket_arn=bucket.arn,
            repository_url=repository.repository_url,
            image_uri=image_uri,
            sklearn_image_uri=sklearn_image_uri,
            role_arn=self._role_arn(bucket, repository, key_arn),
            alert_topic_arn=topic.arn,
            kms_key_arn=key_arn,
        )
        self.register_outputs(foundation_exports(self.outputs))

    def _child_name(self, suffix: str) -> str:
        return names.child_name(self._stem, suffix)

    def _key_arn(self) -> pulumi.Output[str | None]:
        if not self._args.settings.customer_managed_key:
            return pulumi.Output.from_input(None)
        key = aws.kms.Key(
            self._child_name(names.KEY),
            description=f"artifacts of {self._stem}",
            enable_key_rotation=True,
            tags=self._args.tags,
            opts=self._child,
        )
        return key.arn.apply(lambda arn: arn)

    def _bucket(self, key_arn: pulumi.Output[str | None]) -> aws.s3.Bucket:
        bucket = aws.s3.Bucket(
            self._child_name(names.BUCKET),
            force_destroy=self._args.settings.force_destroy,
            tags=self._args.tags,
            opts=self._child,
        )
        aws.s3.BucketVersioning(
            self._child_name(names.BUCKET_VERSIONING),
            bucket=bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=self._child,
        )
        has_key = self._args.settings.customer_managed_key
        aws.s3.BucketServerSideEncryptionConfiguration(
            self._child_name(names.BUCKET_ENCRYPTION),
            bucket=bucket.bucket,
            rules=[
                {
                    "apply_server_side_encryption_by_default": (
                        {"sse_algorithm": "aws:kms", "kms_master_key_id": key_arn}
                        if has_key
                        else {"sse_algorithm": "AES256"}
                    ),
                    "bucket_key_enabled": has_key,
                }
            ],
            opts=self._child,
        )
        aws.s3.BucketPublicAccessBlock(
            self._child_name(names.BUCKET_PUBLIC_ACCESS_BLOCK),
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )
        return bucket

    def _repository(self) -> aws.ecr.Repository:
        repository = aws.ecr.Repository(
            self._child_name(names.REPOSITORY),
            force_delete=self._args.settings.force_destroy,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            tags=self._args.tags,
            opts=self._child,
        )
        aws.ecr.LifecyclePolicy(
            self._child_name(names.REPOSITORY_LIFECYCLE),
            repository=repository.name,
            policy=lifecycle_policy(),
            opts=self._child,
        )
        return repository

    def _image_uris(
        self, repository: aws.ecr.Repository
    ) -> tuple[pulumi.Output[str], pulumi.Output[str | None]]:
        given = self._args.settings.image_uri
        if given is not None:
            return pulumi.Output.from_input(given), pulumi.Output.from_input(given)
        token = aws.ecr.get_authorization_token_output(
            registry_id=repository.registry_id, opts=pulumi.InvokeOptions(parent=self)
        )
        registry = docker.RegistryArgs(
            server=repository.repository_url,
            username=token.user_name,
            password=pulumi.Output.secret(token.password),
        )
        tag = context_digest(self._args.project_directory / BUILD_CONTEXT)[:TAG_LENGTH]
        image_uri = self._built(names.IMAGE, repository, registry, tag)
        if not self._args.settings.sklearn_image:
            return image_uri, pulumi.Output.from_input(None)
        uri = self._built(
            names.SKLEARN_IMAGE, repository, registry, f"{tag}-sklearn", SKLEARN_REQUIREMENTS
        )
        return image_uri, uri.apply(lambda uri: uri)

    def _built(
        self,
        suffix: str,
        repository: aws.ecr.Repository,
        registry: docker.RegistryArgs,
        tag: str,
        requirements: str | None = None,
    ) -> pulumi.Output[str]:
        """An image of the build context, under a tag that tells its build arguments, too.

        Args:
            requirements: what the image holds, a lock of the context; left out, its own choice.
        """
        image = docker.Image(
            self._child_name(suffix),
            image_name=pulumi.Output.concat(repository.repository_url, ":", tag),
            # Relative, so that the same source shows no change on another machine.
            build=docker.DockerBuildArgs(
                context=BUILD_CONTEXT,
                dockerfile=f"{BUILD_CONTEXT}/Dockerfile",
                platform="linux/amd64",
                args=None if requirements is None else {"REQUIREMENTS": requirements},
            ),
            registry=registry,
            skip_push=False,
            build_on_preview=False,
            opts=self._child,
        )
        # By tag, not by Docker's digest: tags are immutable and a preview knows them.
        return image.image_name

    def _role_arn(
        self,
        bucket: aws.s3.Bucket,
        repository: aws.ecr.Repository,
        key_arn: pulumi.Output[str | None],
    ) -> pulumi.Output[str]:
        given = self._args.settings.role_arn
        if given is not None:
            return pulumi.Output.from_input(given)
        role = aws.iam.Role(
            self._child_name(names.ROLE),
            assume_role_policy=trust_policy(),
            tags=self._args.tags,
            opts=self._child,
        )
        invoke = pulumi.InvokeOptions(parent=self)
        policy = pulumi.Output.all(
            bucket_arn=bucket.arn,
            repository_arn=repository.arn,
            kms_key_arn=key_arn,
            partition=aws.get_partition_output(opts=invoke).partition,
            region=aws.get_region_output(opts=invoke).region,
            account_id=aws.get_caller_identity_output(opts=invoke).account_id,
        ).apply(lambda values: execution_policy(**values))
        role_policy = aws.iam.RolePolicy(
            self._child_name(names.ROLE_POLICY), role=role.name, policy=policy, opts=self._child
        )
        # Whoever uses the role waits for its rights.
        return pulumi.Output.all(role.arn, role_policy.id).apply(lambda values: str(values[0]))


def lifecycle_policy() -> str:
    """The registry's policy: untagged images go after a day, old tagged ones beyond a number."""
    return json.dumps(
        {
            "rules": [
                {
                    "rulePriority": 1,
                    "description": "remove what no tag names",
                    "selection": {
                        "tagStatus": "untagged",
                        "countType": "sinceImagePushed",
                        "countUnit": "days",
                        "countNumber": 1,
                    },
                    "action": {"type": "expire"},
                },
                {
                    "rulePriority": 2,
                    "description": "keep what a revert may need",
                    "selection": {
                        "tagStatus": "any",
                        "countType": "imageCountMoreThan",
                        "countNumber": _KEPT_IMAGES,
                    },
                    "action": {"type": "expire"},
                },
            ]
        }
    )
