"""Reads a `model.tar.gz` of unknown origin without believing it.

Everything stays in memory: nothing is written anywhere, so no name in an archive can reach a file
of this machine. What a well-made archive has no need of is refused with the member's name: links,
devices, absolute paths, `..`, names that two systems read differently, names that occur twice.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath

from automation.errors import SourceError

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """How large an archive may be.

    Args:
        archive_bytes: of the compressed archive.
        unpacked_bytes: of all it holds, headers included: what stops an archive that unpacks to
            thousands of times its own size.
        members: files and folders in it.
    """

    archive_bytes: int = 1024 * MIB
    unpacked_bytes: int = 2048 * MIB
    members: int = 10_000


LIMITS = ArchiveLimits()
LONGEST_NAME = 255


def files_from_archive(
    content: bytes, name: str, limits: ArchiveLimits = LIMITS
) -> dict[str, bytes]:
    """Read every file of a gzip-compressed tar.

    Args:
        name: what the archive is called in errors.

    Returns:
        contents by path inside the archive, `/` between its parts, without a leading `./`.

    Raises:
        SourceError: no gzip-compressed tar, above a limit, or with a member that is not plain.
    """
    refuse_above(len(content), limits.archive_bytes, name)
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as unpacked:
            stream = _Bounded(unpacked, limits.unpacked_bytes, name)
            # As a stream: a tar that may seek could be made to read the same bytes for ever.
            with tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as tar:
                for count, member in enumerate(tar, start=1):
                    if count > limits.members:
                        raise SourceError(f"{name} has more than {limits.members} members")
                    path = _path_of(member, name)
                    if path in seen:
                        raise SourceError(f"{name} holds {path!r} twice; which one counts is open")
                    if member.isdir():
                        continue
                    seen.add(path)
                    files[path] = _content_of(tar, member)
            # To the end, where gzip keeps its checksum.
            while stream.read(MIB):
                pass
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, UnicodeError) as err:
        raise SourceError(
            f"{name} is not a readable gzip-compressed tar ({type(err).__name__}: {err}); "
            "make one with `tar -czf model.tar.gz FILES`"
        ) from err
    return files


def refuse_above(found_bytes: int, allowed_bytes: int, name: str) -> None:
    """Refuse what is larger than allowed.

    Raises:
        SourceError: it is.
    """
    if found_bytes > allowed_bytes:
        raise SourceError(f"{name} has {found_bytes} bytes; at most {allowed_bytes} are taken")


def _path_of(member: tarfile.TarInfo, name: str) -> str:
    """Return a member's path, if it is a plain file or folder below the archive's root."""
    raw = member.name
    path = str(PurePosixPath(raw))
    problem = None
    if member.issym() or member.islnk():
        problem = f"is a link to {member.linkname!r}"
    elif member.issparse() or not (member.isreg() or member.isdir()):
        problem = "is neither a plain file nor a folder"
    elif raw.startswith("/") or ".." in PurePosixPath(raw).parts:
        problem = "leads out of the archive"
    elif "\\" in raw or ":" in raw or not raw.isprintable() or len(raw) > LONGEST_NAME:
        problem = "has a name that not every system reads alike"
    if problem is not None:
        raise SourceError(
            f"{name} holds {raw!r}, which {problem}; make the archive of plain files alone"
        )
    return path


def _content_of(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    content = b"" if file is None else file.read()
    if len(content) != member.size:
        raise EOFError(f"{member.name!r} ends before its {member.size} bytes")
    return content


class _Bounded(io.RawIOBase):
    """A stream that refuses to go on after so many bytes."""

    def __init__(self, stream: gzip.GzipFile, allowed_bytes: int, name: str) -> None:
        self._stream = stream
        self._left_bytes = allowed_bytes
        self._allowed_bytes = allowed_bytes
        self._name = name

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes."""
        if size < 0 or size > self._left_bytes:
            # One byte more than is left tells an archive that ends here from one that goes on.
            size = self._left_bytes + 1
        found = self._stream.read(size)
        self._left_bytes -= len(found)
        if self._left_bytes < 0:
            raise SourceError(
                f"{self._name} unpacks to more than {self._allowed_bytes} bytes; no more are taken"
            )
        return found
