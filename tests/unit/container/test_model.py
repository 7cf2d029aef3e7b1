"""The checks a model goes through before it serves."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from server.errors import ArtifactError
from server.model import file_of_artifact


def test_a_file_is_given_when_it_is_the_one_that_was_packaged(tmp_path: Path) -> None:
    (tmp_path / "forest.bin").write_bytes(b"trees")

    content = file_of_artifact(tmp_path, "forest.bin", hashlib.sha256(b"trees").hexdigest())

    assert content == b"trees"


def test_a_file_that_changed_after_packaging_is_refused(tmp_path: Path) -> None:
    (tmp_path / "forest.bin").write_bytes(b"other trees")

    with pytest.raises(ArtifactError, match="was changed after packaging; package the model again"):
        file_of_artifact(tmp_path, "forest.bin", "00")


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"forest\.bin cannot be read"):
        file_of_artifact(tmp_path, "forest.bin", "00")
