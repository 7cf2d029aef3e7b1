"""Hashes of assets and archives equal the official engine's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rehearsal.engine.assets import AssetError, hash_assets
from rehearsal.engine.errors import EngineError
from rehearsal.engine.values import Archive, Asset, Secret


def test_text_and_files_hash_to_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("é")
    digest = hashlib.sha256("é".encode()).hexdigest()

    hashed = hash_assets({"a": Asset(text="é"), "b": [Secret(Asset(path="f"))]}, str(tmp_path))

    assert hashed["a"].hash == digest
    assert hashed["b"][0].value.hash == digest


def test_a_packed_file_hashes_to_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "m.tar.gz").write_bytes(b"packed")

    hashed = hash_assets(Archive(path="m.tar.gz"), str(tmp_path))

    assert hashed.hash == hashlib.sha256(b"packed").hexdigest()


@pytest.mark.parametrize(
    "item", [Asset(path="gone"), Archive(path="gone.zip"), Archive(path="gone")]
)
def test_a_missing_file_is_named(item: Asset | Archive, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="gone"):
        hash_assets(item, str(tmp_path))


def test_a_remote_asset_is_refused() -> None:
    with pytest.raises(EngineError, match=r"https://example\.com/x"):
        hash_assets(Asset(uri="https://example.com/x"), "/")


def test_an_archive_of_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"an archive made of a folder .* is not supported"):
        hash_assets(Archive(path=str(tmp_path)), "/")
