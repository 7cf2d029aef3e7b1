"""The bytes behind an asset or an archive.

Relative paths are resolved against the provider's working folder, which is the project's, as it is
for a plugin that an engine starts.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from rehearsal.provider.entry import ProviderError
from rehearsal.provider.value import ARCHIVE, SIGNATURE_KEY, Asset, from_json

# Zip entries carry no time of their own, so that the same files make the same bytes.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def asset_bytes(asset: Asset, folder: Path) -> bytes:
    """What an asset uploads; an archive of a folder or of members becomes a zip file.

    Raises:
        ProviderError: there is nothing to read
    """
    path = asset.get("path")
    if asset.get("text") is not None:
        return str(asset.get("text")).encode()
    if path is None and asset.get("assets") is None:
        raise ProviderError(
            "the asset has neither a path nor a text; remote assets (uri) are not supported in a"
            " rehearsal: give a FileAsset, a StringAsset or a FileArchive"
        )
    if path is not None:
        target = folder / path
        if not target.exists():
            raise ProviderError(f"asset {path!r} is not a file or folder ({target})")
        if target.is_file():
            content: bytes = target.read_bytes()
            return content
    return _zip(asset, folder)


def _zip(asset: Asset, folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(_entries(asset, folder, "").items()):
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), content)
    return buffer.getvalue()


def _entries(asset: Asset, folder: Path, prefix: str) -> dict[str, bytes]:
    if asset.signature != ARCHIVE:
        return {prefix: asset_bytes(asset, folder)}
    path, members = asset.get("path"), asset.get("assets")
    entries: dict[str, bytes] = {}
    if path is not None and (folder / path).is_dir():
        base = folder / path
        for file in sorted(item for item in base.rglob("*") if item.is_file()):
            entries[f"{prefix}/{file.relative_to(base)}".lstrip("/")] = file.read_bytes()
        return entries
    if path is not None:
        return _unpacked(folder / path, prefix)
    for name, member in (members or {}).items():
        inner: Any = from_json(member) if isinstance(member, dict) else member
        if not isinstance(inner, Asset):
            raise ProviderError(f"archive member {name!r} is no asset ({SIGNATURE_KEY} missing)")
        entries.update(_entries(inner, folder, f"{prefix}/{name}".lstrip("/")))
    return entries


def _unpacked(file: Path, prefix: str) -> dict[str, bytes]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            return {f"{prefix}/{name}".lstrip("/"): archive.read(name) for name in names}
    entries: dict[str, bytes] = {}
    with tarfile.open(file) as tar:
        for member in tar.getmembers():
            content = tar.extractfile(member)
            if content is not None:
                entries[f"{prefix}/{member.name}".lstrip("/")] = content.read()
    return entries
