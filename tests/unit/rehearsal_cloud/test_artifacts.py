"""Model data: layout, sharing, refusal of what SageMaker refuses."""

from __future__ import annotations

import io
import stat
import tarfile
import time
from pathlib import Path

import pytest

from rehearsal.cloud.fleets.artifacts import (
    ArtifactCache,
    ArtifactError,
    check_object_names,
    linked_copy,
)
from rehearsal.cloud.fleets.definition import DataForm, ModelData
from tests.support.cloud import gzip_tar


class Shelf:
    """Objects of bucket `b` in a dictionary."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects

    def read(self, bucket: str, key: str) -> bytes | None:
        return self.objects.get(key) if bucket == "b" else None

    def keys(self, bucket: str, prefix: str) -> list[str] | None:
        return [key for key in self.objects if key.startswith(prefix)] if bucket == "b" else None


def archive(key: str) -> ModelData:
    return ModelData(url=f"s3://b/{key}")


def test_an_artifact_is_extracted_once_and_read_only(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path, Shelf(a=gzip_tar({"model.onnx": b"1", "sub/x": b"2"})))

    first = cache.directory_of(archive("a"))
    second = cache.directory_of(archive("a"))

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
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        opened.addfile(member)
    cache = ArtifactCache(tmp_path, Shelf(a=buffer.getvalue()))

    with pytest.raises(ArtifactError, match="holds links"):
        cache.directory_of(archive("a"))


@pytest.mark.parametrize(
    ("key", "words"),
    [("none", "there is no object at"), ("text", "is no gzip tar"), ("out", "is no gzip tar")],
)
def test_what_is_not_an_artifact_is_refused(tmp_path: Path, key: str, words: str) -> None:
    cache = ArtifactCache(tmp_path, Shelf(text=b"hello", out=gzip_tar({"../../escape": b"1"})))

    with pytest.raises(ArtifactError, match=words):
        cache.directory_of(archive(key))
    assert not (tmp_path.parent / "escape").exists()


@pytest.mark.source("API S3ModelDataSource: the key's remainder is the path")
def test_the_objects_below_a_prefix_become_files(tmp_path: Path) -> None:
    shelf = Shelf(**{"m/config.json": b"{}", "m/weights/1.bin": b"1", "other": b"x"})
    cache = ArtifactCache(tmp_path, shelf)

    directory = cache.directory_of(ModelData(url="s3://b/m/", form=DataForm.PREFIX))

    found = {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}
    assert found == {"config.json", "weights/1.bin"}
    assert not (directory / "config.json").stat().st_mode & stat.S_IWUSR


@pytest.mark.source("API S3ModelDataSource: the key's last part is the file name")
def test_a_single_uncompressed_object_is_one_file(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path, Shelf(**{"m/model.bin": b"weights"}))

    directory = cache.directory_of(ModelData(url="s3://b/m/model.bin", form=DataForm.OBJECT))

    assert [path.name for path in directory.iterdir()] == ["model.bin"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([""], "which is no file name"),
        (["folder/"], "which is no file name"),
        (["a/../b"], "which is no file name"),
        (["a/./b"], "which is no file name"),
        (["a\0b"], "with NUL"),
        (["a" * 256], "over 255 bytes"),
        (["a", "a/b"], "both an object and a prefix"),
    ],
)
@pytest.mark.source("DG large-model-inference-uncompressed: names SageMaker refuses")
def test_object_names_that_make_no_files_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(ArtifactError, match=words):
        check_object_names(names)


@pytest.mark.parametrize("url", ["s3://b/empty/", "s3://b/m"])
def test_a_prefix_needs_a_slash_and_objects(tmp_path: Path, url: str) -> None:
    cache = ArtifactCache(tmp_path, Shelf(**{"m/a": b"1"}))

    with pytest.raises(ArtifactError, match=r"no object below|end with a slash"):
        cache.directory_of(ModelData(url=url, form=DataForm.PREFIX))


@pytest.mark.source("botocore ProductionVariant.ModelDataDownloadTimeoutInSeconds")
def test_a_download_after_its_deadline_is_refused(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path, Shelf(a=gzip_tar({"x": b"1"}), **{"m/a": b"1"}))
    passed = time.monotonic() - 1

    for data in (archive("a"), ModelData(url="s3://b/m/", form=DataForm.PREFIX)):
        with pytest.raises(ArtifactError, match="longer than ModelDataDownloadTimeoutInSeconds"):
            cache.directory_of(data, deadline=passed)


def test_a_linked_copy_has_the_files_and_replaces_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "from" / "sub").mkdir(parents=True)
    (tmp_path / "from" / "sub" / "x").write_text("1")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "old").write_text("2")

    linked_copy(tmp_path / "from", tmp_path / "to")

    assert (tmp_path / "to" / "sub" / "x").samefile(tmp_path / "from" / "sub" / "x")
    assert not (tmp_path / "to" / "old").exists()
