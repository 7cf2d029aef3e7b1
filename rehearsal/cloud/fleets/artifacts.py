"""Model artifacts: downloaded from S3, extracted once per object version, read-only."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import tarfile
import threading
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from rehearsal.cloud.errors import SetupError

MAXIMUM_ARTIFACT_BYTES = 512 * 1024 * 1024


class ObjectStore(Protocol):
    """Where artifacts lie."""

    def read(self, bucket: str, key: str) -> bytes | None:
        """Return an object's bytes, or None when there is no such object."""


class ArtifactError(SetupError):
    """An artifact isn't there or can't be extracted."""


class ArtifactCache:
    """Extracted artifacts by content."""

    def __init__(self, directory: Path, store: ObjectStore) -> None:
        self._directory = directory
        self._store = store
        self._lock = threading.Lock()

    def exists(self, url: str) -> bool:
        """Tell whether the object behind an s3:// URL is there."""
        bucket, key = bucket_and_key(url)
        return self._store.read(bucket, key) is not None

    def directory_of(self, url: str | None) -> Path:
        """Return the directory of an artifact's extracted files; without a URL an empty one.

        Raises:
            ArtifactError: no such object, too large, or no safe gzip tar
        """
        if url is None:
            empty = self._directory / "none"
            empty.mkdir(parents=True, exist_ok=True)
            return empty
        data = self._store.read(*bucket_and_key(url))
        if data is None:
            raise ArtifactError(f"there is no object at {url}")
        target = self._directory / hashlib.sha256(data).hexdigest()
        with self._lock:
            if not target.exists():
                _extract(data, url, target)
        return target


def bucket_and_key(url: str) -> tuple[str, str]:
    """Split an s3:// URL."""
    parts = urlsplit(url)
    return parts.netloc, parts.path.lstrip("/")


def _extract(data: bytes, url: str, target: Path) -> None:
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            members = archive.getmembers()
            if sum(member.size for member in members) > MAXIMUM_ARTIFACT_BYTES:
                raise ArtifactError(f"{url} extracts to more than {MAXIMUM_ARTIFACT_BYTES} bytes")
            if any(member.issym() or member.islnk() for member in members):
                raise ArtifactError(f"{url} holds links, which SageMaker refuses")
            archive.extractall(partial, filter="data")
    except (tarfile.TarError, OSError, EOFError) as err:
        raise ArtifactError(f"{url} is no gzip tar: {err}") from err
    _make_read_only(partial)
    partial.rename(target)


def _make_read_only(directory: Path) -> None:
    """Take the write bits off the files; directories keep theirs so that clean-up works."""
    for folder, _, files in os.walk(directory):
        for name in files:
            path = Path(folder) / name
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
