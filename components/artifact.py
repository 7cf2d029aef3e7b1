"""Finds the artifact a stack deploys and says what it is, without uploading anything.

ArtifactError    the artifact is missing, ambiguous, or not the one the settings name
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

ARCHIVE_NAME = "model.tar.gz"
_CHUNK_BYTES = 1 << 20


class ArtifactError(ValueError):
    """The artifact named by the settings can't be deployed."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A packaged model: a local archive to upload, or one that is in S3 already.

    Args:
        path: the archive, relative to the project; nothing when it is in S3.
        uri: the archive's S3 URI; nothing when it is local.
        digest: SHA-256 of the archive in hexadecimal; nothing when it is in S3 and the settings
            don't say.
    """

    path: Path | None
    uri: str | None
    digest: str | None


def find_artifact(location: str, digest: str | None, project_directory: Path) -> Artifact:
    """The artifact a setting names.

    Args:
        location: an `s3://` URI, a folder that holds `model.tar.gz`, or a folder of such folders
            (one per packaged artifact) of which the digest picks one.
        digest: the SHA-256 the archive must have; left out, any is taken.
        project_directory: what relative locations start at.
    Raises:
        ArtifactError: there is no such archive, there are several, or its digest is another.
    """
    if location.startswith("s3://"):
        if not location.endswith(".tar.gz"):
            raise ArtifactError(
                f"artifact {location} is not a .tar.gz; give the URI of a model.tar.gz"
            )
        return Artifact(path=None, uri=location, digest=digest)
    folder = project_directory / location
    archives = _archives_in(folder)
    if not archives:
        raise ArtifactError(
            f"artifact {location} holds no {ARCHIVE_NAME}; run `greenlight package` and give its "
            "folder"
        )
    found = {archive: file_digest(archive) for archive in archives}
    matching = [archive for archive in archives if digest is None or found[archive] == digest]
    if not matching:
        raise ArtifactError(
            f"artifactDigest is {digest}, and {location} holds "
            f"{', '.join(sorted(found.values()))}; "
            "give the digest of the artifact to deploy, or package the model again"
        )
    if len(matching) > 1:
        raise ArtifactError(
            f"artifact {location} holds {len(matching)} artifacts "
            f"({', '.join(sorted(archive.parent.name for archive in matching))}); "
            "give the folder of one, or its artifactDigest"
        )
    archive = matching[0]
    return Artifact(path=archive.relative_to(project_directory), uri=None, digest=found[archive])


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _archives_in(folder: Path) -> list[Path]:
    if (folder / ARCHIVE_NAME).is_file():
        return [folder / ARCHIVE_NAME]
    return sorted(folder.glob(f"*/{ARCHIVE_NAME}"))
