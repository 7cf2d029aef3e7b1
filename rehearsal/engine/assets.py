"""Hashes of assets and archives, equal to the official engine's, so that a change of engine shows
no diff.

Source: observed with the official CLI.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from rehearsal.engine.errors import EngineError, not_supported
from rehearsal.engine.values import Archive, Asset, Secret

_PACKED = (".tar", ".tgz", ".tar.gz", ".zip", ".jar")


class AssetError(EngineError):
    """An asset or archive whose content can't be read."""


def hash_assets(value: Any, folder: str) -> Any:
    """Return the value with the hash of every asset and archive filled in; relative paths start at
    the folder.

    Raises:
        AssetError: a file can't be read.
        EngineError: an asset or archive of a kind this engine does not do.
    """
    if isinstance(value, Asset | Archive):
        if value.hash:
            return value
        return replace(value, hash=hashlib.sha256(_content(value, folder)).hexdigest())
    if isinstance(value, Secret):
        return Secret(hash_assets(value.value, folder))
    if isinstance(value, dict):
        return {key: hash_assets(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [hash_assets(item, folder) for item in value]
    return value


def _content(item: Asset | Archive, folder: str) -> bytes:
    if isinstance(item, Asset) and item.text is not None:
        return item.text.encode()
    if not item.path:
        raise not_supported(f"an asset or archive given by the uri {item.uri!r}")
    path = Path(folder, item.path)
    if isinstance(item, Archive) and path.is_dir():
        raise not_supported(f"an archive made of a folder ({str(path)!r})")
    if isinstance(item, Archive) and not path.name.endswith(_PACKED):
        raise AssetError(f"archive {str(path)!r} is none of {', '.join(_PACKED)}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise AssetError(f"failed to read asset {str(path)!r}: {error.strerror}") from error
