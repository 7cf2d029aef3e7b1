"""The files of the model directory that every artifact has, and reading JSON from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .errors import ArtifactError

LARGEST_FILE_BYTES = 64 * 1024 * 1024
"""Of a JSON file; models may be larger."""

MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
GOLDEN_FILE = "golden.json"


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file of the artifact.

    Raises:
        ArtifactError: missing, too large, not JSON or not an object
    """
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ArtifactError(f"{path} is larger than {LARGEST_FILE_BYTES} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror}); the artifact must hold "
            f"{MANIFEST_FILE}, {GOLDEN_FILE} and the model: package the model again with "
            "`greenlight package`"
        ) from error
    return json_object(content, str(path))


def json_object(content: bytes, name: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ArtifactError: not JSON, or not an object
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{name} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ArtifactError(f"{name} holds a {type(document).__name__}; a JSON object is needed")
    return document
