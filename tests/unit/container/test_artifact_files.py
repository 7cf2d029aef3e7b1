"""JSON files of the model directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.artifact_files import json_object, read_json_object
from server.errors import ArtifactError


def test_a_missing_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"No such file.*package the model again"):
        read_json_object(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "golden.json is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "holds a list; a JSON object"),
    ],
)
def test_what_is_no_json_object_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        json_object(content, "golden.json")


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"a": 1}')

    assert read_json_object(tmp_path / "manifest.json") == {"a": 1}
