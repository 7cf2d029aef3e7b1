"""Where a request's payload lies and where its answer goes: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, kw_only=True)
class Locations:
    """The objects a request may end in, as S3 URIs; known before its work begins.

    Args:
        failure: None when the endpoint config has no S3FailurePath
    """

    output: str
    failure: str | None


def locations(
    output_config: Mapping[str, Any], *, name: str, filename: str | None, extension: str | None
) -> Locations:
    """Return where a request's answer and its failure go.

    Args:
        output_config: AsyncInferenceConfig.OutputConfig, with S3OutputPath
        name: what the objects are called without a Filename
        extension: S3OutputPathExtension, put between S3OutputPath and the file name; the
            failure's path takes none (assumed)
    """
    folder = output_config["S3OutputPath"].rstrip("/")
    if extension is not None:
        folder = f"{folder}/{extension.strip('/')}"
    failure_path = output_config.get("S3FailurePath")
    stem, dot, suffix = (filename if filename is not None else f"{name}.out").partition(".")
    return Locations(
        output=f"{folder}/{stem}{dot}{suffix}",
        failure=None
        if failure_path is None
        else f"{failure_path.rstrip('/')}/{stem}-error{dot}{suffix}",
    )


def bucket_and_key(url: str) -> tuple[str, str]:
    """Split an s3:// URI or an https:// URL of S3, path style or virtual hosted."""
    parts = urlsplit(url)
    path = parts.path.lstrip("/")
    if parts.scheme == "s3":
        return parts.netloc, path
    first = parts.netloc.partition(".")[0]
    if first == "s3" or first.startswith("s3-"):
        bucket, _, key = path.partition("/")
        return bucket, unquote(key)
    return parts.netloc.partition(".s3")[0], unquote(path)
