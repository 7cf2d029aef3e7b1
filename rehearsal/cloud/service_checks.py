"""What SageMaker finds out about other services before it says yes: role, image, model data, keys.

The texts are SageMaker's own, from field reports: philschmid/llm-sagemaker-sample#2 (model data),
easy-amazon-sagemaker-deployments#4 and amazon-sagemaker-examples#2534 (image, repository),
sagemaker-python-sdk#4700 (not in ECR), amazon-sagemaker-feedback#180 (manifest),
sagemaker-python-sdk#2002 (BatchGetImage), amazon-sagemaker-examples#4461 (topic). Those of alarms
and KMS keys are assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.fleets.definition import MULTI_MODEL
from rehearsal.cloud.fleets.images import Image, ImageReference, ImageStore, reference_from_uri
from rehearsal.cloud.hosting import messages
from rehearsal.cloud.identity.access import Access
from rehearsal.cloud.registry import ACCEPTED_MEDIA_TYPES
from rehearsal.cloud.s3_url import bucket_and_key

NOT_IN_ECR = 'Using non-ECR image "{image}" without Vpc repository access mode is not supported.'
REPOSITORY_MISSING = (
    "Cannot find repository: {repository} in registry ID: {account} Please check if your ECR "
    "repository exists and role {role} has proper pull permissions for SageMaker: "
    "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer"
)
IMAGE_NOT_FOUND = "Requested image {image} not found."
MANIFEST_UNSUPPORTED = (
    "Unsupported manifest media type {media_type} for image {image}. Ensure that valid manifest "
    "media type is used for specified image."
)
# As terraform-provider-aws sagemaker/endpoint.go quotes it, which waits for the role then.
EXECUTION_ROLE_INVALID = (
    'The execution role ARN "{role}" is invalid. Please ensure that the role exists and that its '
    'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
    '"sagemaker.amazonaws.com"'
)
PULL_REFUSED = "The role '{role}' does not have BatchGetImage permission for the image: '{image}'."
# Seen in aws/sagemaker-tensorflow-serving-container#156, sagemaker-pytorch-training-toolkit#140.
LABELS_MISSING = "Your Ecr Image {image} does not contain required {labels} Docker label(s)."
MULTI_MODEL_LABEL = "com.amazonaws.sagemaker.capabilities.multi-models"
PORT_LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
MODEL_DATA_REFUSED = (
    'Could not access model data at {url}. Please ensure that the role "{role}" exists and that '
    'its trust relationship policy allows the action "sts:AssumeRole" for the service principal '
    '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that '
    "the object is located in {region}. If your Model uses multiple models or uncompressed "
    'models, please ensure that the role has "s3:ListBucket" permission.'
)
TOPIC_REFUSED = (
    "The provided role '{role}' is invalid. Please ensure the role exists, that its trust "
    'relationship policy allows the action "sts:AssumeRole" for the service principal '
    '"sagemaker.amazonaws.com", and has "sns:Publish" permissions for topic "{topic}"'
)
ALARM_REFUSED = (
    "Role {role} cannot describe CloudWatch alarm {alarm}. Ensure that the role has "
    "cloudwatch:DescribeAlarms permission on every alarm of AutoRollbackConfiguration."
)
KEY_REFUSED = "KMS key {key} does not exist or is not enabled."


@dataclass(frozen=True, kw_only=True)
class ServiceChecks:
    """Each method returns SageMaker's words for what is wrong, or None."""

    access: Access
    images: ImageStore
    registry: Any

    def image(self, uri: str) -> Image | None:
        """Return the image behind a URI, or None."""
        return self.images.resolve(uri)

    def role_problem(self, role_arn: str) -> str | None:
        """Say why SageMaker can't assume a role."""
        if self.access.trust_problem(role_arn) is None:
            return None
        return messages.ROLE_REFUSED.format(role=role_arn)

    # ---- CreateModel

    def image_problem(self, role_arn: str, container: Mapping[str, Any]) -> str | None:
        """Say why CreateModel refuses a container's image."""
        uri = container.get("Image")
        if uri is None:
            return None
        reference = reference_from_uri(uri)
        if reference is None:
            mode = container.get("ImageConfig", {}).get("RepositoryAccessMode")
            if mode == "Vpc":
                return None
            return NOT_IN_ECR.format(image=uri)
        repository = self.registry.repositories.get(reference.repository)
        if repository is None:
            return REPOSITORY_MISSING.format(
                repository=reference.repository, account=reference.account, role=role_arn
            )
        if not self._may_pull(role_arn, reference):
            return messages.IMAGE_REFUSED.format(role=role_arn, image=uri)
        # With a local Docker engine this look is what makes its tag count as pushed.
        self.images.resolve(uri)
        stored = next((i for i in repository.images if _is(i, reference)), None)
        if stored is None:
            return IMAGE_NOT_FOUND.format(image=uri)
        if stored.image_manifest_media_type not in ACCEPTED_MEDIA_TYPES:
            return MANIFEST_UNSUPPORTED.format(
                media_type=stored.image_manifest_media_type, image=uri
            )
        return None

    def label_problem(self, container: Mapping[str, Any], *, in_pipeline: bool) -> str | None:
        """Say which labels an image lacks for what its model wants of it."""
        wanted = [MULTI_MODEL_LABEL] if container.get("Mode") == MULTI_MODEL else []
        wanted += [PORT_LABEL] if in_pipeline else []
        image = self.images.resolve(container.get("Image", ""))
        if image is None or not wanted:
            return None
        labels = dict(image.plan.labels)
        missing = [f"{name}=true" for name in wanted if labels.get(name, "").lower() != "true"]
        if not missing:
            return None
        return LABELS_MISSING.format(image=container["Image"], labels=", ".join(missing))

    def data_problem(self, role_arn: str, url: str, *, is_prefix: bool) -> str | None:
        """Say why CreateModel refuses a container's model data.

        Whether a missing object is missing or forbidden S3 tells only who may list its bucket.
        """
        bucket, key = bucket_and_key(url)
        refused = MODEL_DATA_REFUSED.format(url=url, role=role_arn, region=self.access.region)
        if is_prefix:
            listed = self.access.may_list(role_arn, bucket, key)
            return None if listed and self.access.may_read(role_arn, bucket, f"{key}*") else refused
        if not self.access.may_read(role_arn, bucket, key):
            return refused
        if self.access.has_object(bucket, key):
            return None
        may_know = self.access.may_list(role_arn, bucket, key)
        return messages.MODEL_DATA_MISSING.format(url=url) if may_know else refused

    # ---- CreateEndpointConfig, CreateEndpoint, UpdateEndpoint

    def key_problem(self, key_id: str) -> str | None:
        """Say why a KMS key can't encrypt anything."""
        key = self.access.key(key_id)
        if key is not None and key.key_state == "Enabled":
            return None
        return KEY_REFUSED.format(key=key_id)

    def alarm_problem(self, role_arn: str, alarm_names: Iterable[str]) -> str | None:
        """Say which alarm of a rollback the role may not look at."""
        for name in alarm_names:
            if not self.access.may_describe_alarm(role_arn, name):
                return ALARM_REFUSED.format(role=role_arn, alarm=name)
        return None

    def topic_problem(self, role_arn: str, topic_arns: Iterable[str]) -> str | None:
        """Say which topic of an asynchronous endpoint the role can't publish to."""
        for topic in topic_arns:
            if not self.access.may_publish(role_arn, topic):
                return TOPIC_REFUSED.format(role=role_arn, topic=topic)
        return None

    # ---- an endpoint's fleet and an instance's launch: whatever changed since CreateModel

    def execution_role_problem(self, role_arn: str) -> str | None:
        """Say why SageMaker can't assume a role now, as a FailureReason."""
        if self.access.trust_problem(role_arn) is None:
            return None
        return EXECUTION_ROLE_INVALID.format(role=role_arn)

    def pull_problem(self, role_arn: str, uri: str) -> str | None:
        """Say why an instance can't pull an image, as a FailureReason."""
        trust = self.execution_role_problem(role_arn)
        if trust is not None:
            return trust
        reference = reference_from_uri(uri)
        if reference is None or self._may_pull(role_arn, reference):
            return None
        return PULL_REFUSED.format(role=role_arn, image=uri)

    def may_download(self, role_arn: str, url: str) -> bool:
        """Tell whether an instance may read and decrypt an object."""
        bucket, key = bucket_and_key(url)
        if not key or key.endswith("/"):
            # Stands for every object below the prefix.
            key = f"{key}*"
        return self.access.may_read(role_arn, bucket, key) and self.access.may_decrypt(
            role_arn, bucket, key
        )

    def _may_pull(self, role_arn: str, reference: ImageReference) -> bool:
        return self.access.may_pull(
            role_arn,
            reference.repository,
            account_id=reference.account,
            region=reference.region,
        )


def _is(stored: Any, reference: ImageReference) -> bool:
    if reference.digest is not None:
        return bool(stored.get_image_digest() == reference.digest)
    return reference.tag in stored.image_tags
