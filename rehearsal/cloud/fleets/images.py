"""Images the rehearsal knows: a build context laid out as its Dockerfile says, under a digest."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.dockerfile import (
    NO_ARGUMENTS,
    Copy,
    ImagePlan,
    plan_from_dockerfile,
)

MAXIMUM_CONTEXT_BYTES = 256 * 1024 * 1024
SKIPPED_NAMES = frozenset({".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache"})
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
ECR_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
PYTHONS = frozenset({"python", "python3"})


@dataclass(frozen=True, kw_only=True)
class ImageReference:
    """The parts of an ECR image URI."""

    account: str
    region: str
    repository: str
    tag: str | None
    digest: str | None


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that can be started.

    Args:
        digest: ECR's
        root: holds what its COPY instructions put there, for a process
        engine_id: what the local Docker engine calls it, for a container
    """

    digest: str
    root: Path
    plan: ImagePlan
    engine_id: str = ""


def reference_from_uri(uri: str) -> ImageReference | None:
    """Return the parts of an ECR URI, or None when it isn't one."""
    match = ECR_URI.fullmatch(uri)
    if match is None:
        return None
    tag = match["tag"] if match["tag"] or match["digest"] else "latest"
    return ImageReference(
        account=match["account"],
        region=match["region"],
        repository=match["repository"],
        tag=tag,
        digest=match["digest"],
    )


class ImageStore(Protocol):
    """The images of one rehearsal, by URI."""

    def add(
        self,
        uri: str,
        context: Path,
        *,
        dockerfile: Path | None = None,
        arguments: Mapping[str, str] = NO_ARGUMENTS,
        target: str | None = None,
    ) -> str:
        """Make an image of a build context known under a URI; return its digest.

        Args:
            dockerfile: left out, the context's own
            arguments: as `docker build --build-arg`
            target: the stage to stop at; left out, the last

        Raises:
            SetupError: no ECR URI, no such repository, or a context that can't be built
        """

    def resolve(self, uri: str) -> Image | None:
        """Return the image a URI means now, or None when ECR or the rehearsal lacks it."""


class LaidOutImages:
    """Images for processes, by digest; ECR (moto's) says which tag means which digest."""

    def __init__(self, directory: Path, registry: Any) -> None:
        self._directory = directory
        self._registry = registry
        self._lock = threading.Lock()
        self._images: dict[str, Image] = {}

    def add(
        self,
        uri: str,
        context: Path,
        *,
        dockerfile: Path | None = None,
        arguments: Mapping[str, str] = NO_ARGUMENTS,
        target: str | None = None,
    ) -> str:
        reference = check_target(uri, self._registry)
        path = context / "Dockerfile" if dockerfile is None else dockerfile
        if not path.is_file():
            given = "" if dockerfile is None else f" at {str(dockerfile)!r}"
            raise SetupError(f"context {str(context)!r} holds no Dockerfile{given}")
        text = path.read_text(encoding="utf-8")
        plan = plan_from_dockerfile(text, arguments=arguments, target=target)
        # The plan says what else than the context's files makes the image.
        manifest = manifest_from_context(context, repr(plan))
        digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
        with self._lock:
            if digest not in self._images:
                root = lay_out(context, plan, self._directory / digest.removeprefix("sha256:"))
                self._images[digest] = Image(digest=digest, root=root, plan=plan)
            self._tag(reference.repository, reference.tag, manifest, digest)
        return digest

    def resolve(self, uri: str) -> Image | None:
        reference = reference_from_uri(uri)
        if reference is None:
            return None
        repository = self._registry.repositories.get(reference.repository)
        for stored in repository.images if repository is not None else ():
            digest = stored.get_image_digest()
            if reference.digest is not None:
                if digest == reference.digest:
                    return self._images.get(digest)
            elif reference.tag in stored.image_tags:
                return self._images.get(digest)
        return None

    def _tag(self, repository: str, tag: str | None, manifest: str, digest: str) -> None:
        for stored in self._registry.repositories[repository].images:
            if stored.get_image_digest() == digest and tag in stored.image_tags:
                return
        self._registry.put_image(repository, manifest, tag, MANIFEST_TYPE, digest)


def check_target(uri: str, registry: Any) -> ImageReference:
    """Return what an image is to be tagged with.

    Raises:
        SetupError: no ECR URI with a tag, or no such repository
    """
    reference = reference_from_uri(uri)
    if reference is None or reference.tag is None:
        raise SetupError(
            f"image_uri {uri!r} is not <account>.dkr.ecr.<region>.amazonaws.com/<repo>:<tag>"
        )
    if reference.repository not in registry.repositories:
        raise SetupError(
            f"repository {reference.repository!r} of image_uri {uri!r} does not exist in ECR; "
            f"create it first: aws ecr create-repository --repository-name {reference.repository}"
        )
    return reference


def manifest_from_context(context: Path, instructions: str) -> str:
    """Return an image manifest whose digests come from files and instructions alone."""
    content = hashlib.sha256(instructions.encode())
    total = 0
    for path in context_files(context):
        data = path.read_bytes()
        total += len(data)
        if total > MAXIMUM_CONTEXT_BYTES:
            raise SetupError(
                f"context {str(context)!r} holds more than {MAXIMUM_CONTEXT_BYTES} bytes; "
                "point image_uri at a smaller folder"
            )
        content.update(f"{path.relative_to(context)}\0{len(data)}\0".encode())
        content.update(data)
    digest = f"sha256:{content.hexdigest()}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "size": total, "digest": digest},
        "layers": [{"mediaType": LAYER_TYPE, "size": total, "digest": digest}],
    }
    return json.dumps(manifest, separators=(",", ":"))


def context_files(context: Path) -> Iterator[Path]:
    """Yield the files of a build context in a fixed order, without caches."""
    for directory, names, files in os.walk(context):
        names[:] = sorted(name for name in names if name not in SKIPPED_NAMES)
        for name in sorted(files):
            yield Path(directory) / name


def lay_out(context: Path, plan: ImagePlan, root: Path) -> Path:
    """Copy what the Dockerfile copies to where the image would hold it, below `root`."""
    if root.exists():
        shutil.rmtree(root)
    root.mkdir(parents=True)
    within(root, plan.working_directory).mkdir(parents=True, exist_ok=True)
    for copy in plan.copies:
        _copy_one(context, copy, root)
    return root


def _copy_one(context: Path, copy: Copy, root: Path) -> None:
    destination = within(root, copy.destination)
    for source in copy.sources:
        found = (
            sorted(context.glob(source.lstrip("./") or "*"))
            if source not in (".", "./")
            else [context]
        )
        if not found:
            raise SetupError(f"COPY {source} finds nothing in context {str(context)!r}")
        for path in found:
            if path.is_dir():
                ignore = shutil.ignore_patterns(*SKIPPED_NAMES)
                shutil.copytree(path, destination, dirs_exist_ok=True, ignore=ignore)
            else:
                into = copy.destination.endswith("/") or len(found) + len(copy.sources) > 2
                target = destination / path.name if into else destination
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)


def within(root: Path, path: str) -> Path:
    """Return where an absolute path of the image lies below `root`."""
    return root / path.strip("/") if path.strip("/") else root


def command_line(image: Image, arguments: Sequence[str]) -> list[str]:
    """Return ENTRYPOINT plus SageMaker's arguments, which take CMD's place."""
    command = [_on_this_machine(image, part) for part in image.plan.entrypoint]
    if command and Path(command[0]).name in PYTHONS:
        command[0] = sys.executable
    return [*command, *arguments]


def process_environment(image: Image) -> dict[str, str]:
    """Return the image's ENV with its paths moved below the root, and a PATH with our Python."""
    environment = {
        name: ":".join(_on_this_machine(image, part) for part in value.split(":"))
        for name, value in image.plan.environment
    }
    search = [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    own = environment.get("PATH")
    named = [part for part in own.split(":") if part] if own is not None else []
    environment["PATH"] = ":".join([*named, *search])
    environment.setdefault("LANG", "C.UTF-8")
    return environment


def _on_this_machine(image: Image, text: str) -> str:
    """Return the text as a path below the root when the image holds such a path."""
    if text.startswith("/") and text != "/" and within(image.root, text).exists():
        return str(within(image.root, text))
    return text
