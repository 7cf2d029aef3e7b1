"""The artifact as bytes: one deterministic archive per packaged model, kept by content.

The same graph, manifest and golden rows give the same archive on any machine: fixed order, times,
owners and modes, and a gzip header without a name or a time.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automation.errors import ArtifactError
from components.artifact import ARCHIVE_NAME, file_digest

BUILD_FOLDER = Path("build") / "models"
MANIFEST_NAME = "manifest.json"
GOLDEN_NAME = "golden.json"
GRAPH_NAME = "model.onnx"
SHORT_DIGEST_LENGTH = 16
COMPRESSION_LEVEL = 9
LARGEST_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A packaged model on this machine.

    Args:
        directory: holds model.tar.gz and manifest.json.
        digest: SHA-256 of model.tar.gz in hexadecimal.
    """

    directory: Path
    digest: str
    manifest: Mapping[str, Any]

    @property
    def archive(self) -> Path:
        """Where the archive is."""
        return self.directory / ARCHIVE_NAME

    @property
    def short_digest(self) -> str:
        """The first characters of the digest, as in the folder's name."""
        return self.digest[:SHORT_DIGEST_LENGTH]


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """Write JSON in the one form artifacts hold it in."""
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


def archive_bytes(files: Mapping[str, bytes]) -> bytes:
    """Make a gzip-compressed tar whose bytes depend on names and contents alone."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", COMPRESSION_LEVEL, packed, mtime=0) as stream:
        stream.write(tar.getvalue())
    return packed.getvalue()


def store(root: Path, model: str, archive: bytes) -> Artifact:
    """Keep an archive under its digest; an archive that is there already is left alone.

    Raises:
        ArtifactError: what is there is damaged, or the archive holds no manifest of this model.
    """
    digest = hashlib.sha256(archive).hexdigest()
    directory = artifact_directory(root, model, digest)
    manifest = manifest_of(archive, model)
    if not (directory / ARCHIVE_NAME).exists():
        directory.mkdir(parents=True, exist_ok=True)
        _write_whole(directory / MANIFEST_NAME, json_bytes(manifest))
        _write_whole(directory / ARCHIVE_NAME, archive)
    return read(root, directory, digest)


def read(root: Path, directory: Path, digest: str | None = None) -> Artifact:
    """Read a packaged model's folder.

    Args:
        directory: as `greenlight package` made it, absolute or relative to the project.
        digest: the SHA-256 its archive must have; left out, any is taken.

    Raises:
        ArtifactError: there is no archive, or it is not the one named.
    """
    folder = root / directory
    archive = folder / ARCHIVE_NAME
    if not archive.is_file():
        raise ArtifactError(
            f"{directory} holds no {ARCHIVE_NAME}; give a folder that `greenlight package` made"
        )
    found = file_digest(archive)
    if digest is not None and found != digest:
        raise ArtifactError(
            f"{archive} has the digest {found}, {digest} was expected: it was changed after "
            "packaging; delete its folder and package the model again"
        )
    return Artifact(
        directory=folder, digest=found, manifest=manifest_of(archive.read_bytes(), None)
    )


def fetch(bucket: str, key: str, digest: str, region: str | None) -> bytes:
    """Get an archive that was uploaded before.

    Raises:
        ArtifactError: it is not there, cannot be read, or has another digest.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    uri = f"s3://{bucket}/{key}"
    try:
        answer = boto3.Session(region_name=region).client("s3").get_object(Bucket=bucket, Key=key)
        archive = answer["Body"].read()
    except (BotoCoreError, ClientError) as err:
        raise ArtifactError(
            f"{uri} cannot be read ({err}); package the model again and deploy it with "
            "`greenlight up`"
        ) from err
    found = hashlib.sha256(archive).hexdigest()
    if found != digest:
        raise ArtifactError(
            f"{uri} has the digest {found}, {digest} was expected; it was changed in S3"
        )
    return archive


def artifact_directory(root: Path, model: str, digest: str) -> Path:
    """Where an artifact of that content is kept."""
    return root / BUILD_FOLDER / model / digest[:SHORT_DIGEST_LENGTH]


def manifest_of(archive: bytes, model: str | None) -> dict[str, Any]:
    """Read the manifest inside an archive.

    Args:
        model: the model it has to be of; None takes any.

    Raises:
        ArtifactError: not a gzip-compressed tar, no manifest in it, or of another model.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            member = tar.extractfile(MANIFEST_NAME)
            if member is None:
                raise KeyError(MANIFEST_NAME)
            manifest = json.loads(member.read(LARGEST_MANIFEST_BYTES))
    except (tarfile.TarError, OSError, EOFError, KeyError, ValueError) as err:
        raise ArtifactError(
            f"the archive holds no readable {MANIFEST_NAME} ({err}); package the model again"
        ) from err
    if not isinstance(manifest, dict) or (model is not None and manifest.get("model") != model):
        raise ArtifactError(
            f"the archive is of another model than {model!r}; give one that "
            f"`greenlight package {model}` made"
        )
    return manifest


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that is either complete or not there, also when we are killed."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).chmod(0o644)
    Path(name).replace(path)
