"""Hashes of assets and archives equal the official engine's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rehearsal.engine.assets import AssetError, hash_assets
from rehearsal.engine.values import Archive, Asset, Secret


def test_text_and_files_hash_to_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("é")
    digest = hashlib.sha256("é".encode()).hexdigest()

    hashed = hash_assets({"a": Asset(text="é"), "b": [Secret(Asset(path="f"))]}, str(tmp_path))

    assert hashed["a"].hash == digest
    assert hashed["b"][0].value.hash == digest


def test_a_folder_hashes_to_its_tar_stream(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f.txt").write_text("data\n")

    folder = hash_assets(Archive(path="d"), str(tmp_path))
    tree = hash_assets(
        Archive(assets={"a.txt": Asset(text="hi"), "d": Archive(path="d")}), str(tmp_path)
    )

    assert folder.hash == "6eea4f9ed15c6b1d0da392b9c3a2e524a7804cfdfb6452014a9893aaca75eae5"
    assert tree.hash == "35b3ca7c80d41ee9826c6f0d8c0d9412311ed1c041dbebf213ec14304f22dde8"


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("c" * 120, "31c94954916f3de3d9b0a3dd606e6e580bc0c61acd8ba039068017fd16182437"),
        ("\u00e9.txt", "136ca123dc16c20f60856683b5cd8f7ba6bf4a23efeaebf63a763f60199a881d"),
    ],
)
def test_names_that_need_an_extended_header_hash_the_same(
    tmp_path: Path, name: str, digest: str
) -> None:
    (tmp_path / name).write_text("data\n")

    assert hash_assets(Archive(path=str(tmp_path)), "/").hash == digest


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
    with pytest.raises(AssetError, match=r"https://example\.com/x"):
        hash_assets(Asset(uri="https://example.com/x"), "/")
