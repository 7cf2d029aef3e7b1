"""An artifact's bytes depend on its content alone, and what is kept is never something else."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from automation.artifact import archive_bytes, json_bytes, manifest_of, read, store
from automation.errors import ArtifactError


def an_archive(model: str = "iris", **files: bytes) -> bytes:
    return archive_bytes({"manifest.json": json_bytes({"model": model})} | files)


def test_the_order_files_are_given_in_does_not_matter() -> None:
    forward = archive_bytes({"a": b"1", "b": b"2"})
    backward = archive_bytes({"b": b"2", "a": b"1"})

    assert forward == backward


def test_an_archive_holds_no_time_owner_or_name_of_this_machine() -> None:
    archive = an_archive()

    assert archive[4:8] == b"\0\0\0\0"
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
            assert member.mode == 0o644


def test_an_archive_is_kept_under_its_digest(tmp_path: Path) -> None:
    archive = an_archive()

    kept = store(tmp_path, "iris", archive)

    digest = hashlib.sha256(archive).hexdigest()
    assert kept.digest == digest
    assert kept.directory == tmp_path / "build" / "models" / "iris" / digest[:16]
    assert kept.archive.read_bytes() == archive
    assert (kept.directory / "manifest.json").read_bytes() == json_bytes({"model": "iris"})
    assert sorted(path.name for path in kept.directory.iterdir()) == [
        "manifest.json",
        "model.tar.gz",
    ]


def test_keeping_the_same_archive_again_touches_nothing(tmp_path: Path) -> None:
    before = store(tmp_path, "iris", an_archive()).archive.stat()

    after = store(tmp_path, "iris", an_archive()).archive.stat()

    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_archive_that_was_changed_is_refused_and_left_alone(tmp_path: Path) -> None:
    kept = store(tmp_path, "iris", an_archive())
    changed = an_archive(extra=b"x")
    kept.archive.write_bytes(changed)

    with pytest.raises(ArtifactError, match="was changed after packaging"):
        store(tmp_path, "iris", an_archive())

    assert kept.archive.read_bytes() == changed


def test_a_folder_without_an_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"nowhere holds no model\.tar\.gz"):
        read(tmp_path, Path("nowhere"))


def test_an_archive_of_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="of another model than 'wine'"):
        store(tmp_path, "wine", an_archive("iris"))


@pytest.mark.parametrize(
    "archive",
    [b"", b"no archive", gzip.compress(b"no tar"), archive_bytes({"model.onnx": b""})],
    ids=["empty", "text", "gzip", "no-manifest"],
)
def test_what_is_no_artifact_is_refused(archive: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"no readable manifest\.json"):
        manifest_of(archive, None)
