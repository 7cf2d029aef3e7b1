"""A model's data on disk is read as it lies there; what AWS says is tested against its wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from automation.artifact import archive_bytes
from automation.errors import SourceError
from automation.gate.model_data import read_source
from automation.source import Source, SourceKind


def local(value: str, kind: SourceKind = SourceKind.ARTIFACT) -> Source:
    return Source(kind=kind, value=value)


def test_an_archive_gives_its_files(tmp_path: Path) -> None:
    archive = archive_bytes({"model.skops": b"x"})
    (tmp_path / "model.tar.gz").write_bytes(archive)

    data = read_source(local("model.tar.gz"), tmp_path)

    assert data.is_archive
    assert data.content == archive
    assert data.files == {"model.skops": b"x"}


def test_a_file_is_called_by_its_name_alone_so_that_no_path_gets_into_an_artifact(
    tmp_path: Path,
) -> None:
    (tmp_path / "forest.skops").write_bytes(b"x")

    data = read_source(local(str(tmp_path / "forest.skops"), SourceKind.ESTIMATOR_FILE), tmp_path)

    assert (data.label, data.is_archive) == ("forest.skops", False)
    assert data.files == {"forest.skops": b"x"}
    assert data.name == str(tmp_path / "forest.skops")


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no\.skops does not exist"):
        read_source(local("no.skops", SourceKind.ESTIMATOR_FILE), tmp_path)
    with (tmp_path / "big.tar.gz").open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(SourceError, match=r"big\.tar\.gz has 1073741825 bytes; at most 1073741824"):
        read_source(local("big.tar.gz"), tmp_path)
