"""Images of the local Docker engine, known to ECR by the tags they have there.

There is no registry to push to: a tag in the engine counts as pushed from the first look on,
when its repository exists in ECR. What was pushed stays what it is until the tag moves on.

Source: Docker Registry HTTP API V2, image manifest version 2 schema 2, read 2026.
"""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker.errors import BuildError, ImageNotFound
from moto.core.exceptions import ServiceException

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.docker_engine import ENGINE_ERRORS
from rehearsal.cloud.fleets.dockerfile import NO_ARGUMENTS, ImagePlan
from rehearsal.cloud.fleets.images import (
    CONFIG_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Image,
    ImageReference,
    check_target,
    reference_from_uri,
)

BUILD_OUTPUT_LINES = 15


class DockerImages:
    """Images by URI: ECR (moto's) has the digest, the engine the image itself."""

    def __init__(self, client: Any, registry: Any) -> None:
        self._client = client
        self._registry = registry
        self._lock = threading.Lock()
        self._pushed: dict[tuple[str, str], str] = {}
        # A tag of the engine counts as pushed, so who asks ECR for it must find it there.
        self._batch_get_image = registry.batch_get_image
        registry.batch_get_image = self._batch_get_pushed

    def add(
        self,
        uri: str,
        context: Path,
        *,
        dockerfile: Path | None = None,
        arguments: Mapping[str, str] = NO_ARGUMENTS,
        target: str | None = None,
    ) -> str:
        """Build a context, tag it with the URI, and return its digest in ECR.

        Raises:
            SetupError: no ECR URI, no such repository, or a build that fails
        """
        reference = check_target(uri, self._registry)
        self._build(uri, context, dockerfile, arguments, target)
        with self._lock:
            digest = self._push(reference, self._client.images.get(uri))
        if digest is None:
            raise SetupError(
                f"tag {reference.tag!r} of repository {reference.repository!r} is immutable and "
                "taken by another image; push under another tag"
            )
        return digest

    def resolve(self, uri: str) -> Image | None:
        """Return the image a URI means now, or None when ECR or the engine lacks it.

        An image outside ECR is found by its own name: it is what a model with
        RepositoryAccessMode `Vpc` names.
        """
        reference = reference_from_uri(uri)
        if reference is None:
            found = self._find(uri)
            return None if found is None else _image(found, found.id)
        repository = self._registry.repositories.get(reference.repository)
        if repository is None:
            return None
        if reference.digest is None:
            self._notice_push(uri, reference)
        for stored in repository.images:
            digest = stored.get_image_digest()
            if digest == reference.digest or (
                reference.digest is None and reference.tag in stored.image_tags
            ):
                local = self._find(_config_digest(stored.image_manifest))
                return None if local is None else _image(local, digest)
        return None

    def _notice_push(self, uri: str, reference: ImageReference) -> None:
        local = self._find(uri)
        if local is None or reference.tag is None:
            return
        with self._lock:
            if self._pushed.get((reference.repository, reference.tag)) != local.id:
                self._push(reference, local)

    def _batch_get_pushed(
        self,
        repository_name: str,
        registry_id: str | None = None,
        image_ids: list[dict[str, str]] | None = None,
    ) -> Any:
        repository = self._registry.repositories.get(repository_name)
        for image_id in (image_ids or ()) if repository is not None else ():
            if "imageTag" in image_id:
                self.resolve(f"{repository.uri}:{image_id['imageTag']}")
        return self._batch_get_image(repository_name, registry_id, image_ids)

    def _push(self, reference: ImageReference, local: Any) -> str | None:
        """Put the image's manifest under its tag; None when the tag may not move."""
        assert reference.tag is not None
        manifest = manifest_from_image(local.attrs)
        stored = self._registry.repositories[reference.repository].images
        known = [s for s in stored if s.image_manifest == manifest]
        if not any(reference.tag in s.image_tags for s in known):
            try:
                self._registry.put_image(
                    reference.repository, manifest, reference.tag, MANIFEST_TYPE
                )
            except ServiceException:
                return None
        self._pushed[(reference.repository, reference.tag)] = local.id
        found = next(s for s in stored if s.image_manifest == manifest)
        return str(found.get_image_digest())

    def _find(self, name: str) -> Any:
        try:
            return self._client.images.get(name)
        except ImageNotFound:
            return None

    def _build(
        self,
        uri: str,
        context: Path,
        dockerfile: Path | None,
        arguments: Mapping[str, str],
        target: str | None,
    ) -> None:
        try:
            self._client.images.build(
                path=str(context),
                dockerfile=None if dockerfile is None else str(dockerfile),
                tag=uri,
                buildargs=dict(arguments),
                target=target,
                rm=True,
                forcerm=True,
            )
        except BuildError as err:
            said = [entry["stream"].rstrip() for entry in err.build_log if entry.get("stream")]
            tail = "\n".join([*said[-BUILD_OUTPUT_LINES:], str(err)])
            raise SetupError(
                f"docker build of {str(context)!r} failed; mend it, or tag an image of your own "
                f"with {shlex.quote(uri)} and use it as it is:\n{tail}"
            ) from err
        except (*ENGINE_ERRORS, TypeError, OSError) as err:
            raise SetupError(f"docker build of {str(context)!r} can't run: {err}") from err


def manifest_from_image(attributes: Mapping[str, Any]) -> str:
    """Return the manifest of an engine's image: its config is the image's id. Pure.

    A push would compress the layers, and only then are their digests known; these are those
    of the layers as they are.
    """
    layers = attributes.get("RootFS", {}).get("Layers") or []
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "size": 0, "digest": attributes["Id"]},
        "layers": [
            # Only the sum is known; ECR tells no other.
            {
                "mediaType": LAYER_TYPE,
                "size": attributes["Size"] if number == 0 else 0,
                "digest": layer,
            }
            for number, layer in enumerate(layers)
        ],
    }
    return json.dumps(manifest, separators=(",", ":"))


def plan_from_config(config: Mapping[str, Any]) -> ImagePlan:
    """Return what an engine says of an image, as a Dockerfile would have. Pure."""
    pairs = (entry.partition("=") for entry in config.get("Env") or ())
    return ImagePlan(
        environment=tuple((name, value) for name, _, value in pairs),
        labels=tuple((config.get("Labels") or {}).items()),
        working_directory=config.get("WorkingDir") or "/",
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
    )


def _config_digest(manifest: str) -> str:
    return str(json.loads(manifest).get("config", {}).get("digest", ""))


def _image(local: Any, digest: str) -> Image:
    return Image(
        digest=digest,
        root=Path("/"),
        plan=plan_from_config(local.attrs.get("Config") or {}),
        engine_id=local.id,
    )
