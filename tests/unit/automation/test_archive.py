"""An archive of unknown origin is read into memory, or refused with the member that is wrong."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.archive import ArchiveLimits, files_from_archive
from automation.errors import SourceError


def a_member(name: str, **fields: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(member, key, value)
    return member


def an_archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_files_are_read_by_their_path_without_a_leading_dot() -> None:
    archive = an_archive(
        (a_member(".", type=tarfile.DIRTYPE), b""),
        (a_member("./model.skops"), b"abc"),
        (a_member("code", type=tarfile.DIRTYPE), b""),
        (a_member("code/inference.py"), b""),
    )

    assert files_from_archive(archive, "it") == {"model.skops": b"abc", "code/inference.py": b""}


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        (a_member("../evil.py"), "'../evil.py', which leads out of the archive"),
        (a_member("a/../../evil.py"), "which leads out of the archive"),
        (a_member("/etc/passwd"), "'/etc/passwd', which leads out of the archive"),
        (
            a_member("model.skops", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            "'model.skops', which is a link to '/etc/passwd'",
        ),
        (a_member("model.skops", type=tarfile.LNKTYPE, linkname="x"), "which is a link to 'x'"),
        (a_member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3), "neither a plain file"),
        (a_member("pipe", type=tarfile.FIFOTYPE), "which is neither a plain file nor a folder"),
        (a_member("a\\b"), "has a name that not every system reads alike"),
        (a_member("c:evil"), "has a name that not every system reads alike"),
        (a_member("a\nb"), "has a name that not every system reads alike"),
        (a_member("a" * 300), "has a name that not every system reads alike"),
    ],
    ids=[
        "parent", "parent-inside", "absolute", "symlink", "hard-link", "device", "pipe",
        "backslash", "drive", "newline", "long",
    ],
)  # fmt: skip
def test_a_member_that_is_no_plain_file_below_the_root_is_refused_by_name(
    member: tarfile.TarInfo, problem: str
) -> None:
    with pytest.raises(SourceError) as refusal:
        files_from_archive(an_archive((member, b"")), "s3://bucket/model.tar.gz")

    assert str(refusal.value).startswith("s3://bucket/model.tar.gz holds ")
    assert problem in str(refusal.value)


def test_a_path_that_occurs_twice_is_refused() -> None:
    archive = an_archive((a_member("model.skops"), b"a"), (a_member("./model.skops"), b"b"))

    with pytest.raises(SourceError, match=r"holds 'model\.skops' twice"):
        files_from_archive(archive, "it")


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (ArchiveLimits(archive_bytes=10), "bytes; at most 10 are taken"),
        (ArchiveLimits(unpacked_bytes=1 << 20), "unpacks to more than 1048576 bytes"),
        (ArchiveLimits(members=1), "has more than 1 members"),
    ],
)
def test_an_archive_above_a_limit_is_refused(limits: ArchiveLimits, problem: str) -> None:
    archive = an_archive((a_member("zeros"), bytes(4 << 20)), (a_member("b"), b""))

    with pytest.raises(SourceError, match=problem):
        files_from_archive(archive, "it", limits)


def test_a_header_that_promises_gigabytes_takes_no_memory_for_them() -> None:
    member = a_member("big", size=1 << 40)
    archive = gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))

    with pytest.raises(SourceError, match="is not a readable gzip-compressed tar"):
        files_from_archive(archive, "it")


@pytest.mark.parametrize(
    "damage",
    [
        lambda archive: b"",
        lambda archive: b"no archive",
        lambda archive: gzip.compress(b"no tar"),
        lambda archive: archive[: len(archive) // 2],
        lambda archive: archive[:-8] + bytes(8),
    ],
    ids=["empty", "text", "gzip-alone", "cut", "checksum"],
)
def test_what_is_no_whole_archive_is_refused(damage: Callable[[bytes], bytes]) -> None:
    archive = an_archive((a_member("a"), bytes(range(256)) * 64))

    with pytest.raises(SourceError, match="is not a readable gzip-compressed tar"):
        files_from_archive(damage(archive), "it")


@given(
    position=st.floats(0, 1, exclude_max=True),
    replacement=st.binary(min_size=1, max_size=24),
    level=st.sampled_from(["tar", "gzip"]),
)
def test_a_damaged_archive_is_read_or_refused_and_nothing_else(
    position: float, replacement: bytes, level: str
) -> None:
    content = gzip.decompress(an_archive((a_member("a/b"), b"xyz"), (a_member("c"), bytes(700))))
    if level == "gzip":
        content = gzip.compress(content, mtime=0)
    start = int(position * len(content))
    damaged = content[:start] + replacement + content[start + len(replacement) :]
    if level == "tar":
        damaged = gzip.compress(damaged)

    try:
        files = files_from_archive(damaged, "it", ArchiveLimits(unpacked_bytes=1 << 20))
    except SourceError:
        return

    assert all(not path.startswith("/") and ".." not in path.split("/") for path in files)
