"""Hashes of assets and archives, equal to the official engine's, so that a change of engine shows
no diff.

Source: observed with the official CLI; the tar form is that of Go's archive/tar writer.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rehearsal.engine.values import Archive, Asset, Secret

_PACKED = (".tar", ".tgz", ".tar.gz", ".zip", ".jar")
_BLOCK = 512


class AssetError(ValueError):
    """An asset or archive whose content can't be read."""


def hash_assets(value: Any, folder: str) -> Any:
    """Return the value with the hash of every asset and archive filled in; relative paths start at
    the folder."""
    if isinstance(value, Asset):
        return value if value.hash else replace(value, hash=_sha256(_read_asset(value, folder)))
    if isinstance(value, Archive):
        return value if value.hash else _hash_archive(value, folder)
    if isinstance(value, Secret):
        return Secret(hash_assets(value.value, folder))
    if isinstance(value, dict):
        return {key: hash_assets(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [hash_assets(item, folder) for item in value]
    return value


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def restore_contents(value: Any, original: Any) -> Any:
    """Return the value with every asset that is only a hash replaced by the original's of that
    hash.

    Providers are sent old assets without their contents, so what they read back has none either.
    """
    known: dict[str, Asset | Archive] = {}
    _collect(original, known)
    return _restore(value, known)


def _collect(value: Any, known: dict[str, Asset | Archive]) -> None:
    if isinstance(value, Asset | Archive):
        known[value.hash] = value
    elif isinstance(value, Secret):
        _collect(value.value, known)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, known)
    elif isinstance(value, list):
        for item in value:
            _collect(item, known)


def _restore(value: Any, known: dict[str, Asset | Archive]) -> Any:
    if isinstance(value, Asset | Archive):
        is_empty = value == type(value)(hash=value.hash)
        return known.get(value.hash, value) if is_empty else value
    if isinstance(value, Secret):
        return Secret(_restore(value.value, known))
    if isinstance(value, dict):
        return {key: _restore(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_restore(item, known) for item in value]
    return value


def _read_asset(asset: Asset, folder: str) -> bytes:
    if asset.text is not None:
        return asset.text.encode()
    return _read(_location(asset, folder))


def _location(item: Asset | Archive, folder: str) -> Path:
    text = item.path
    if text is None and item.uri is not None and item.uri.startswith("file://"):
        text = item.uri.removeprefix("file://")
    if not text:
        raise AssetError(
            f"an asset or archive is given by the uri {item.uri!r}; this engine reads text, paths "
            "and file:// "
            "URIs: download it and give its path"
        )
    return Path(folder, text)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AssetError(f"failed to read asset {str(path)!r}: {error.strerror}") from error


def _hash_archive(archive: Archive, folder: str) -> Archive:
    if archive.assets is not None:
        members = {key: hash_assets(item, folder) for key, item in archive.assets.items()}
        archive = replace(archive, assets=members)
    else:
        path = _location(archive, folder)
        if not path.is_dir():
            if not path.name.endswith(_PACKED):
                raise AssetError(
                    f"archive {str(path)!r} is neither a folder nor one of {', '.join(_PACKED)}"
                )
            return replace(archive, hash=_sha256(_read(path)))
    digest = hashlib.sha256()
    seen = set()
    for name, read in _entries(archive, folder):
        if name not in seen:
            seen.add(name)
            digest.update(_tar_entry(name, read()))
    digest.update(bytes(2 * _BLOCK))
    return replace(archive, hash=digest.hexdigest())


def _entries(archive: Archive, folder: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if archive.assets is None:
        path = _location(archive, folder)
        if not path.is_dir():
            raise AssetError(f"the nested archive {str(path)!r} is a packed file; give a folder")
        yield from _folder_entries(path, "")
        return
    for key in sorted(archive.assets, key=str.encode):
        item = archive.assets[key]
        if isinstance(item, Archive):
            for name, read in _entries(item, folder):
                yield posixpath.join(key, name), read
        else:
            yield key, partial(_read_asset, item, folder)


def _folder_entries(path: Path, prefix: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for name in sorted(os.listdir(path), key=os.fsencode):
        child = path / name
        if name == ".pulumi" or (child.is_symlink() and child.is_dir()):
            continue
        inside = posixpath.join(prefix, name)
        if child.is_dir():
            yield from _folder_entries(child, inside)
        elif child.is_file():
            yield inside, partial(_read, child)


def _tar_entry(name: str, content: bytes) -> bytes:
    header = b""
    prefix, base = "", name
    if not name.isascii() or len(name) > 100:
        split = _ustar_split(name) if name.isascii() else None
        if split is None:
            header = _pax_entry(name)
            base = "".join(c for c in name if c.isascii())[:100]
        else:
            prefix, base = split
    return header + _tar_header(base, len(content), b"0", prefix) + _padded(content)


def _ustar_split(name: str) -> tuple[str, str] | None:
    length = min(len(name) - 1 if name.endswith("/") else len(name), 156)
    index = name.rfind("/", 0, length)
    rest = len(name) - index - 1
    if index <= 0 or rest > 100 or rest == 0 or index > 155:
        return None
    return name[:index], name[index + 1 :]


def _pax_entry(name: str) -> bytes:
    payload = f" path={name}\n".encode()
    length = len(payload)
    while len(str(length)) + len(payload) != length:
        length = len(str(length)) + len(payload)
    record = str(length).encode() + payload
    folder, base = posixpath.split(name)
    title = posixpath.join(folder, "PaxHeaders.0", base)
    title = "".join(c for c in title if c.isascii())[:100]
    return _tar_header(title, len(record), b"x", "", mode=0) + _padded(record)


def _tar_header(name: str, size: int, flag: bytes, prefix: str, mode: int = 0o600) -> bytes:
    def number(value: int, width: int) -> bytes:
        return f"{value:0{width - 1}o}".encode() + b"\0"

    zero = number(0, 8)
    # Go fills the device numbers in of a file, not of an extended header.
    devices = bytes(16) if flag == b"x" else zero + zero
    fields = [
        name.encode().ljust(100, b"\0"),
        number(mode, 8) + zero + zero + number(size, 12) + number(0, 12),
        b" " * 8,
        flag + bytes(100) + b"ustar\x0000" + bytes(64) + devices,
        prefix.encode().ljust(155, b"\0") + bytes(12),
    ]
    fields[2] = f"{sum(sum(part) for part in fields):06o}".encode() + b"\0 "
    return b"".join(fields)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _BLOCK)
