"""Where a request's payload lies and where its answer goes: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
