import hashlib
from pathlib import Path

import pytest

from components.artifact import Artifact, ArtifactError, find_artifact


def packaged(folder: Path, content: bytes) -> str:
    folder.mkdir(parents=True)
    (folder / "model.tar.gz").write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def test_folder_with_an_archive_is_taken(tmp_path: Path) -> None:
    digest = packaged(tmp_path / "build/iris", b"one")

    assert find_artifact("build/iris", None, tmp_path) == Artifact(
        path=Path("build/iris/model.tar.gz"), uri=None, digest=digest
    )


def test_only_artifact_of_a_folder_of_artifacts_is_taken(tmp_path: Path) -> None:
    digest = packaged(tmp_path / "build/iris/abc", b"one")

    artifact = find_artifact("build/iris", None, tmp_path)

    assert artifact.path == Path("build/iris/abc/model.tar.gz")
    assert artifact.digest == digest


def test_digest_picks_one_of_several(tmp_path: Path) -> None:
    packaged(tmp_path / "build/iris/abc", b"one")
    digest = packaged(tmp_path / "build/iris/def", b"two")

    artifact = find_artifact("build/iris", digest, tmp_path)

    assert artifact.path == Path("build/iris/def/model.tar.gz")


def test_several_without_a_digest_are_refused_by_name(tmp_path: Path) -> None:
    packaged(tmp_path / "build/iris/abc", b"one")
    packaged(tmp_path / "build/iris/def", b"two")

    with pytest.raises(ArtifactError, match=r"holds 2 artifacts \(abc, def\)"):
        find_artifact("build/iris", None, tmp_path)


def test_missing_archive_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"holds no model\.tar\.gz; run `greenlight package`"):
        find_artifact("build/iris", None, tmp_path)


def test_another_digest_is_refused_with_the_one_found(tmp_path: Path) -> None:
    digest = packaged(tmp_path / "build/iris", b"one")

    with pytest.raises(ArtifactError, match=f"artifactDigest is {'0' * 64}, .* holds {digest}"):
        find_artifact("build/iris", "0" * 64, tmp_path)


def test_artifact_in_s3_is_taken_as_it_is(tmp_path: Path) -> None:
    uri = "s3://bucket/models/model.tar.gz"

    assert find_artifact(uri, None, tmp_path) == Artifact(path=None, uri=uri, digest=None)


def test_s3_uri_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"model.onnx is not a \.tar\.gz"):
        find_artifact("s3://bucket/model.onnx", None, tmp_path)
