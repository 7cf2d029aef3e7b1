"""ECR's manifests: what moto gets wrong about them, and what SageMaker takes of them.

Source: Amazon ECR API Reference, PutImage; SageMaker refuses OCI manifests:
    aws/amazon-sagemaker-feedback#180, mlflow#13834, mlflow#14699; read 2026.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ecr.exceptions import (
    ImageAlreadyExistsException,
    InvalidParameterException,
    RepositoryNotFoundException,
)
from moto.ecr.models import ECRBackend, Image

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ACCEPTED_MEDIA_TYPES = frozenset(
    {
        DOCKER_MANIFEST,
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)


class ImageDigestDoesNotMatchException(ServiceException):
    """The digest a client gave is not that of its manifest."""

    code = "ImageDigestDoesNotMatchException"
    message = "The specified image digest does not match the digest of the image manifest."


class ImageTagAlreadyExistsException(ServiceException):
    """A tag that may not move has its image already."""

    code = "ImageTagAlreadyExistsException"

    def __init__(self, tag: str, repository_name: str) -> None:
        super().__init__(
            f"The image tag '{tag}' already exists in the '{repository_name}' repository and "
            "cannot be overwritten because the tag is immutable."
        )


def install_registry() -> None:
    """Let a digest be that of the manifest, a size that of the layers, and a moved tag leave its
    image behind: moto hashes the layers or a random number, gives the size of the config, and
    deletes the image a tag is taken from, so that a model pinned by digest would lose it.
    """
    setattr(Image, "_create_digest", _create_digest)  # noqa: B010
    setattr(Image, "get_image_size_in_bytes", _size_bytes)  # noqa: B010
    setattr(ECRBackend, "put_image", _put_image)  # noqa: B010


def _create_digest(self: Any) -> None:
    self._image_digest = _digest(self.image_manifest)


def _digest(manifest: str) -> str:
    return f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"


def _size_bytes(self: Any) -> int | None:
    layers = json.loads(self.image_manifest).get("layers")
    return None if layers is None else sum(layer.get("size", 0) for layer in layers)


def _put_image(
    self: Any,
    repository_name: str,
    image_manifest: str,
    image_tag: Any,
    image_manifest_mediatype: str | None = None,
    digest: str | None = None,
) -> Any:
    """PutImage: the manifest under its digest, the tag moved to it."""
    repository = self.repositories.get(repository_name)
    if repository is None:
        raise RepositoryNotFoundException(repository_name, self.account_id)
    media_type = image_manifest_mediatype or _named_media_type(image_manifest)
    own_digest = _digest(image_manifest)
    if digest is not None and digest != own_digest:
        raise ImageDigestDoesNotMatchException
    stored = next((i for i in repository.images if i.get_image_digest() == own_digest), None)
    if stored is not None and (image_tag is None or image_tag in stored.image_tags):
        raise ImageAlreadyExistsException(
            registry_id=repository.registry_id,
            image_tag=image_tag,
            digest=own_digest,
            repository_name=repository_name,
        )
    if image_tag is not None:
        try:
            self._resolve_image_tag_mutability(repository, image_tag)
        except ImageAlreadyExistsException as err:
            # moto has no other error for a tag that may not move.
            raise ImageTagAlreadyExistsException(image_tag, repository_name) from err
        for image in repository.images:
            _untag(image, image_tag)
    if stored is None:
        stored = Image(
            self.account_id, image_tag, image_manifest, repository_name, media_type, own_digest
        )
        repository.images.append(stored)
    else:
        stored.update_tag(image_tag)
    return stored


def _named_media_type(manifest: str) -> str:
    try:
        named = json.loads(manifest).get("mediaType")
    except (ValueError, AttributeError) as err:
        raise InvalidParameterException(
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: "
            "'Invalid JSON syntax'"
        ) from err
    if named is None:
        raise InvalidParameterException(
            "image manifest mediatype not provided in manifest or parameter"
        )
    return str(named)


def _untag(image: Any, tag: str) -> None:
    image.remove_tag(tag)
    if image.image_tag == tag:
        image.image_tag = None
