"""The bytes behind assets and archives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from rehearsal.provider.asset import asset_bytes
from rehearsal.provider.entry import ProviderError
from rehearsal.provider.value import ARCHIVE, ASSET, SIGNATURE_KEY, Asset


def an_asset(signature: str = ASSET, **members: object) -> Asset:
    return Asset(signature=signature, members=tuple(members.items()))


def names_in(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.namelist()


def test_a_text_is_its_utf8_bytes(tmp_path: Path) -> None:
    assert asset_bytes(an_asset(text="é"), tmp_path) == "é".encode()


def test_an_empty_text_is_no_bytes(tmp_path: Path) -> None:
    assert asset_bytes(an_asset(text=""), tmp_path) == b""


def test_a_relative_path_is_read_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\x00\x01")

    assert asset_bytes(an_asset(path="a.bin"), tmp_path) == b"\x00\x01"


def test_a_file_archive_of_a_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"packed")

    assert asset_bytes(an_asset(ARCHIVE, path="a.tar.gz"), tmp_path) == b"packed"


def test_an_archive_of_a_folder_is_the_same_zip_each_time(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "f.txt").write_text("f")
    (tmp_path / "d" / "a.txt").write_text("a")

    first = asset_bytes(an_asset(ARCHIVE, path="d"), tmp_path)

    assert names_in(first) == ["a.txt", "e/f.txt"]
    assert asset_bytes(an_asset(ARCHIVE, path="d"), tmp_path) == first


def test_an_archive_of_members_holds_them_by_name(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f.txt").write_text("f")
    members = {
        "a.txt": {SIGNATURE_KEY: ASSET, "text": "hi"},
        "folder": {SIGNATURE_KEY: ARCHIVE, "path": "d"},
    }

    assert names_in(asset_bytes(an_asset(ARCHIVE, assets=members), tmp_path)) == [
        "a.txt",
        "folder/f.txt",
    ]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"asset 'none.bin' is not a file or folder"):
        asset_bytes(an_asset(path="none.bin"), tmp_path)


def test_a_remote_asset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="remote assets"):
        asset_bytes(an_asset(uri="https://example.com/a"), tmp_path)
