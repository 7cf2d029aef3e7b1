"""Model data: downloaded from S3, laid out once per content, shared by all instances.

Nothing here may write into a directory once it has been handed out.

Source: SageMaker Developer Guide, "Deploying uncompressed models"; SageMaker API Reference,
S3ModelDataSource; read 2026.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.definition import DataForm, ModelData
from rehearsal.cloud.s3_url import bucket_and_key

MAXIMUM_ARTIFACT_BYTES = 512 * 1024 * 1024
MAXIMUM_OBJECTS = 10_000
MAXIMUM_NAME_BYTES = 255
NO_DEADLINE = float("inf")


class ObjectStore(Protocol):
    """Where artifacts lie."""

    def read(self, bucket: str, key: str) -> bytes | None:
        """Return an object's bytes, or None when there is no such object."""

    def keys(self, bucket: str, prefix: str) -> list[str] | None:
        """Return the keys with a prefix, or None when there is no such bucket."""


class ArtifactError(SetupError):
    """An artifact isn't there or can't be laid out as files."""


class ArtifactCache:
    """Model data as directories, by content."""

    def __init__(self, directory: Path, store: ObjectStore) -> None:
        self._directory = directory
        self._store = store
        self._lock = threading.Lock()

    def directory_of(self, data: ModelData | None, *, deadline: float = NO_DEADLINE) -> Path:
        """Return the directory with the data's files; an empty one without data.

        Args:
            deadline: moment of `time.monotonic` by which it must lie there

        Raises:
            ArtifactError: nothing there, too large, too late, or what SageMaker refuses
        """
        if data is None:
            empty = self._directory / "none"
            empty.mkdir(parents=True, exist_ok=True)
            return empty
        if data.form is DataForm.ARCHIVE:
            archive = self._read(data.url)
            return self._laid_out(
                hashlib.sha256(archive).hexdigest(),
                lambda into: _extract(archive, data.url, into, deadline),
            )
        files = self._files(data, deadline)
        digest = _digest_of_files(files)
        return self._laid_out(digest, lambda into: _write_files(files, into, deadline))

    def _read(self, url: str) -> bytes:
        found = self._store.read(*bucket_and_key(url))
        if found is None:
            raise ArtifactError(f"there is no object at {url}")
        return found

    def _files(self, data: ModelData, deadline: float) -> dict[str, bytes]:
        """Return an uncompressed model's files by their path below the model directory."""
        if data.form is DataForm.OBJECT:
            name = data.url.rsplit("/", 1)[-1]
            check_object_names([name])
            return {name: self._read(data.url)}
        bucket, prefix = bucket_and_key(data.url)
        if not prefix.endswith("/"):
            raise ArtifactError(f"the prefix {data.url} doesn't end with a slash")
        keys = self._store.keys(bucket, prefix) or []
        if not keys:
            raise ArtifactError(f"there is no object below {data.url}")
        names = [key.removeprefix(prefix) for key in keys]
        check_object_names(names)
        files: dict[str, bytes] = {}
        total = 0
        for name, key in zip(names, keys, strict=True):
            _check_time(deadline)
            files[name] = self._read(f"s3://{bucket}/{key}")
            total += len(files[name])
            if total > MAXIMUM_ARTIFACT_BYTES:
                raise ArtifactError(f"{data.url} holds more than {MAXIMUM_ARTIFACT_BYTES} bytes")
        return files

    def _laid_out(self, digest: str, lay_out: Callable[[Path], None]) -> Path:
        target = self._directory / digest
        with self._lock:
            if not target.exists():
                partial = target.with_suffix(".partial")
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
                lay_out(partial)
                _make_read_only(partial)
                partial.rename(target)
        return target


def check_object_names(names: list[str]) -> None:
    """Refuse names below a prefix that make no files and directories.

    Raises:
        ArtifactError: naming the first bad one
    """
    if len(names) > MAXIMUM_OBJECTS:
        raise ArtifactError(f"{len(names)} objects are more than the rehearsal's {MAXIMUM_OBJECTS}")
    directories: set[str] = set()
    for name in names:
        parts = name.split("/")
        for part in parts:
            if part in ("", ".", ".."):
                raise ArtifactError(
                    f"the object name {name!r} has a part {part!r}, which is no file name; the S3 "
                    "console's empty folder objects have one, too"
                )
            if "\0" in part or len(part.encode()) > MAXIMUM_NAME_BYTES:
                raise ArtifactError(
                    f"the object name {name!r} has a part with NUL or over {MAXIMUM_NAME_BYTES} "
                    "bytes"
                )
        directories.update("/".join(parts[:count]) for count in range(1, len(parts)))
    both = sorted(directories & set(names))
    if both:
        raise ArtifactError(f"{both[0]!r} is both an object and a prefix of other objects")


def linked_copy(source: Path, target: Path) -> None:
    """Lay out a directory's files a second time without their bytes; the target is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Not every file system has links.
        shutil.copy2(source, target)


def _digest_of_files(files: Mapping[str, bytes]) -> str:
    content = hashlib.sha256(b"files")
    for name, data in sorted(files.items()):
        content.update(f"{name}\0{len(data)}\0".encode())
        content.update(data)
    return content.hexdigest()


def _write_files(files: Mapping[str, bytes], into: Path, deadline: float) -> None:
    for name, data in files.items():
        _check_time(deadline)
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _extract(data: bytes, url: str, into: Path, deadline: float) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            members = archive.getmembers()
            if sum(member.size for member in members) > MAXIMUM_ARTIFACT_BYTES:
                raise ArtifactError(f"{url} extracts to more than {MAXIMUM_ARTIFACT_BYTES} bytes")
            if any(member.issym() or member.islnk() for member in members):
                raise ArtifactError(f"{url} holds links, which SageMaker refuses")
            for member in members:
                _check_time(deadline)
                archive.extract(member, into, filter="data")
    except (tarfile.TarError, OSError, EOFError) as err:
        raise ArtifactError(f"{url} is no gzip tar: {err}") from err


def _check_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise ArtifactError("the download took longer than ModelDataDownloadTimeoutInSeconds")


def _make_read_only(directory: Path) -> None:
    """Take the write bits off the files; directories keep theirs so that clean-up works."""
    for folder, _, files in os.walk(directory):
        for name in files:
            path = Path(folder) / name
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
