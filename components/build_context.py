"""The digest of a Docker build context: the same files give the same image tag on every machine.

Docker's own digest of a built image changes with the builder and the time of the build, so a tag
made from it would show a change where the source has none.
"""

import hashlib
import os
from pathlib import Path

# The server's, in the project's folder.
BUILD_CONTEXT = "container"
TAG_LENGTH = 16

# Left behind by tools that ran in the folder; none of them reaches the image.
_IGNORED_FOLDERS = frozenset(
    {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".venv"}
)
_IGNORED_SUFFIXES = (".pyc", ".pyo", ".swp", "~")
_IGNORED_FILES = frozenset({".DS_Store"})


def context_digest(directory: Path) -> str:
    """SHA-256 in hexadecimal over the paths, contents and executable bits, caches left out.

    Raises:
        FileNotFoundError: the directory does not exist or holds no file.
    """
    paths = sorted(
        (
            path
            for path in directory.rglob("*")
            if path.is_file() and not _is_ignored(path, directory)
        ),
        key=lambda path: path.relative_to(directory).as_posix(),
    )
    if not paths:
        raise FileNotFoundError(
            f"build context {directory} holds no files; run from the project's folder or set "
            "imageUri"
        )
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        is_executable = os.access(path, os.X_OK)
        head = f"{path.relative_to(directory).as_posix()}\0{is_executable:d}\0{len(content)}\0"
        digest.update(head.encode())
        digest.update(content)
    return digest.hexdigest()


def _is_ignored(path: Path, directory: Path) -> bool:
    parts = path.relative_to(directory).parts
    return (
        any(part in _IGNORED_FOLDERS for part in parts)
        or path.name in _IGNORED_FILES
        or path.name.endswith(_IGNORED_SUFFIXES)
    )
