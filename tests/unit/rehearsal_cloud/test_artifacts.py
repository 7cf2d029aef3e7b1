"""Artifacts: extraction, sharing, refusal of what SageMaker refuses."""

from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path

import pytest

from rehearsal.cloud.fleets.artifacts import ArtifactCache, ArtifactError
from tests.support.cloud import gzip_tar


class Shelf:
    """Objects in a dictionary."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects

    def read(self, bucket: str, key: str) -> bytes | None:
        return self.objects.get(key) if bucket == "b" else None


def test_an_artifact_is_extracted_once_and_read_only(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path, Shelf(a=gzip_tar({"model.onnx": b"1", "sub/x": b"2"})))

    first = cache.directory_of("s3://b/a")
    second = cache.directory_of("s3://b/a")

    assert first == second
    assert (first / "sub" / "x").read_bytes() == b"2"
    assert not (first / "model.onnx").stat().st_mode & stat.S_IWUSR


@pytest.mark.source("DG your-algorithms-inference-code: no ModelDataUrl, empty directory")
def test_without_a_url_the_directory_is_empty(tmp_path: Path) -> None:
    directory = ArtifactCache(tmp_path, Shelf()).directory_of(None)

    assert list(directory.iterdir()) == []


@pytest.mark.source("DG deploy-model-troubleshoot: symbolic links")
def test_a_link_in_the_archive_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    cache = ArtifactCache(tmp_path, Shelf(a=buffer.getvalue()))

    with pytest.raises(ArtifactError, match="holds links"):
        cache.directory_of("s3://b/a")


@pytest.mark.parametrize(
    ("key", "words"),
    [("none", "there is no object at"), ("text", "is no gzip tar"), ("out", "is no gzip tar")],
)
def test_what_is_not_an_artifact_is_refused(tmp_path: Path, key: str, words: str) -> None:
    cache = ArtifactCache(tmp_path, Shelf(text=b"hello", out=gzip_tar({"../../escape": b"1"})))

    with pytest.raises(ArtifactError, match=words):
        cache.directory_of(f"s3://b/{key}")
    assert not (tmp_path.parent / "escape").exists()
