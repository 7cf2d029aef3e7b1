"""Whether SageMaker takes the image a stack is going to use, asked of ECR before an update.

CreateModel refuses what Docker's newer builders push unless they are told otherwise: OCI manifests
and OCI indexes, which a provenance attestation makes of any image.

Source: aws/amazon-sagemaker-feedback#180 (OCI manifest), mlflow/mlflow#13834 (OCI index) and #14699
(only Docker's own manifests are taken), docker/buildx#1533 (how to build them); read 2026.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from automation.errors import ImageError
from automation.spec import Runtime
from automation.stack_settings import PREFIX

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ACCEPTED_MEDIA_TYPES = (
    DOCKER_MANIFEST,
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
# All there are: of a type that is not asked for, ECR gives a converted manifest or none.
ASKED_MEDIA_TYPES = (
    *ACCEPTED_MEDIA_TYPES,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
ECR_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
# One of the failures ECR may name; the others say nothing of whether an image is there.
_MISSING = "ImageNotFound"
_TIMEOUT_SECONDS = 10
_RUNTIME_EXPORTS = {Runtime.ONNX.value: "imageUri", Runtime.SKLEARN.value: "sklearnImageUri"}


@dataclass(frozen=True, kw_only=True)
class PlannedImage:
    """The image that an update is going to use.

    Args:
        is_built_here: the update may build it, should it be missing.
    """

    uri: str
    is_built_here: bool = False


@dataclass(frozen=True, kw_only=True)
class EcrReference:
    """The parts of an ECR image URI."""

    account: str
    region: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def image_id(self) -> dict[str, str]:
        """The image as ECR is asked for it; a digest decides over a tag."""
        if self.digest is not None:
            return {"imageDigest": self.digest}
        return {"imageTag": "latest" if self.tag is None else self.tag}


class Outcome(Enum):
    """What came of asking."""

    FOUND = "found"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a registry said of an image.

    Args:
        detail: the manifest's media type, or why there is none to be told.
    """

    outcome: Outcome
    detail: str


def planned_image(
    config: Mapping[str, object],
    outputs: Mapping[str, Any],
    *,
    is_base: bool,
    context_tag: Callable[[], str],
) -> PlannedImage | None:
    """Say which image an update will use, where that is known before it. Pure.

    Args:
        config: the stack's whole config, with namespaces.
        outputs: the base stack's; none before its first update.
        is_base: the stack builds its image itself, unless its settings name one.
        context_tag: the tag an image built now would get.
    """
    given = config.get(f"{PREFIX}imageUri")
    if isinstance(given, str):
        return PlannedImage(uri=given)
    runtime = str(config.get(f"{PREFIX}runtime", Runtime.ONNX.value))
    uri = outputs.get(_RUNTIME_EXPORTS[runtime])
    if given is not None or not isinstance(uri, str):
        return None
    if not is_base:
        return PlannedImage(uri=uri)
    tag = uri.rpartition(":")[2].removesuffix("-sklearn")
    return PlannedImage(uri=uri, is_built_here=True) if tag == context_tag() else None


def check(image: PlannedImage | None, ask: Callable[[EcrReference], Answer]) -> tuple[str, ...]:
    """Refuse an image that SageMaker would refuse; return what a person should know instead.

    Raises:
        ImageError: it is not in ECR, or has a manifest of a type that SageMaker does not take.
    """
    if image is None:
        return ()
    reference = reference_from(image.uri)
    if reference is None:
        return (_unchecked(image, "it is not in a private registry of ECR"),)
    answer = ask(reference)
    if answer.outcome is Outcome.UNKNOWN:
        return (_unchecked(image, answer.detail),)
    if answer.outcome is Outcome.MISSING:
        if image.is_built_here:
            return (f"image {image.uri} is missing unless this update builds it: {answer.detail}",)
        raise ImageError(
            f"image {image.uri} is not there: {answer.detail}; push it, or correct "
            f"{PREFIX}imageUri (left out, a base stack builds the image and others use that)"
        )
    if answer.detail not in ACCEPTED_MEDIA_TYPES:
        raise ImageError(_refusal(image, reference, answer.detail))
    return ()


def reference_from(uri: str) -> EcrReference | None:
    """Take an ECR URI apart; None when it is another registry's."""
    match = ECR_URI.fullmatch(uri)
    return None if match is None else EcrReference(**match.groupdict())


def ask_ecr(reference: EcrReference) -> Answer:
    """Ask ECR for the media type of an image's manifest: one call, in the image's own region."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    patience = Config(
        connect_timeout=_TIMEOUT_SECONDS,
        read_timeout=_TIMEOUT_SECONDS,
        retries={"total_max_attempts": 2},
    )
    session = boto3.Session(region_name=reference.region)
    try:
        client: Any = session.client("ecr", config=patience)
        said = client.batch_get_image(
            registryId=reference.account,
            repositoryName=reference.repository,
            imageIds=[reference.image_id],
            acceptedMediaTypes=list(ASKED_MEDIA_TYPES),
        )
    except ClientError as err:
        is_missing = err.response["Error"]["Code"] == "RepositoryNotFoundException"
        return Answer(outcome=Outcome.MISSING if is_missing else Outcome.UNKNOWN, detail=str(err))
    except BotoCoreError as err:
        return Answer(outcome=Outcome.UNKNOWN, detail=str(err))
    return answer_from(said)


def answer_from(said: Mapping[str, Any]) -> Answer:
    """Read what BatchGetImage said of one image. Pure."""
    for image in said.get("images", ()):
        media_type = image.get("imageManifestMediaType")
        if media_type is None:
            media_type = json.loads(image["imageManifest"]).get("mediaType")
        if media_type is None:
            return Answer(outcome=Outcome.UNKNOWN, detail="ECR names no media type")
        return Answer(outcome=Outcome.FOUND, detail=media_type)
    for failure in said.get("failures", ()):
        code = failure.get("failureCode")
        return Answer(
            outcome=Outcome.MISSING if code == _MISSING else Outcome.UNKNOWN,
            detail=f"ECR says {code}: {failure.get('failureReason')}",
        )
    return Answer(outcome=Outcome.UNKNOWN, detail="ECR says neither an image nor a failure")


def _unchecked(image: PlannedImage, why: str) -> str:
    return f"image {image.uri} was not checked for a manifest that SageMaker takes: {why}"


def _refusal(image: PlannedImage, reference: EcrReference, media_type: str) -> str:
    name = f"{image.uri.partition('/')[0]}/{reference.repository}"
    return (
        f"image {image.uri} has a manifest of the media type {media_type}, which SageMaker "
        f"refuses; it takes Docker's own, {', '.join(ACCEPTED_MEDIA_TYPES)}. Push it again, under "
        "a tag of its own, with\n"
        "  docker buildx build --platform linux/amd64 --provenance=false --sbom=false "
        f"--output type=registry,oci-mediatypes=false -t {name}:NEW_TAG container\n"
        f"and set {PREFIX}imageUri to {name}:NEW_TAG"
    )
