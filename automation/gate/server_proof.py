"""Runs the server's own commands on the files of an artifact: what is proven is what will serve.

The server is another program (nothing of it is imported here): its command loads the model, checks
every digest, answers the golden rows and then whatever rows it is given.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from automation.errors import ArtifactError

SERVER_FOLDER = "container"
LONGEST_PROOF_SECONDS = 300
# What people set for a server of their own must not change what is proven here.
ALLOW_PICKLE_VARIABLE = "GREENLIGHT_ALLOW_PICKLE"
SERVER_VARIABLES = ("GREENLIGHT_", "SAGEMAKER_")


def answers_of_server(
    root: Path, files: Mapping[str, bytes], bodies: Iterable[bytes], *, allow_pickle: bool = False
) -> list[dict[str, Any]]:
    """Load an artifact in the server, which proves its golden rows, and ask it the bodies.

    Args:
        root: the project, whose `container` folder holds the server.
        files: the artifact's, by path; they are put into a temporary folder.
        bodies: JSON request bodies, one line each.
        allow_pickle: whether the server may read an estimator that is a pickle.

    Returns:
        per body what each runtime answers, `{"onnx": {...}}`, or `{"error": {...}}`.

    Raises:
        ArtifactError: the server refuses the artifact, or ends without an answer.
    """
    ended = _ended(root, "prove", files, b"".join(body + b"\n" for body in bodies), allow_pickle)
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    if ended.returncode != 0 and not answers:
        raise ArtifactError(f"the server refuses the artifact: {_cause(ended.stderr)}")
    return answers


def load_in_server(root: Path, files: Mapping[str, bytes], *, allow_pickle: bool = False) -> None:
    """Load an artifact as a server does before it goes in service: this runs its script.

    Raises:
        ArtifactError: the server refuses it: the script fails, or it answers golden rows wrongly.
    """
    ended = _ended(root, "load", files, b"", allow_pickle)
    if ended.returncode != 0:
        raise ArtifactError(f"the server refuses the artifact: {_cause(ended.stderr)}")


def _ended(
    root: Path, command: str, files: Mapping[str, bytes], given: bytes, allow_pickle: bool
) -> subprocess.CompletedProcess[bytes]:
    with tempfile.TemporaryDirectory(prefix="greenlight-proof-") as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            return subprocess.run(
                [sys.executable, "-B", "-m", "server", command, folder],
                cwd=root / SERVER_FOLDER,
                env=_environment(allow_pickle),
                input=given,
                capture_output=True,
                timeout=LONGEST_PROOF_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as err:
            raise ArtifactError(
                f"the server did not answer within {LONGEST_PROOF_SECONDS} seconds; is the model "
                "too large for this machine?"
            ) from err


def _environment(allow_pickle: bool) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(SERVER_VARIABLES)}
    return kept | {ALLOW_PICKLE_VARIABLE: "true"} if allow_pickle else kept


def _cause(log: bytes) -> str:
    """Return what the last line of the server's log says went wrong."""
    lines = log.decode(errors="replace").strip().splitlines()
    if not lines:
        return "it said nothing"
    try:
        return str(json.loads(lines[-1]).get("cause", lines[-1]))
    except (ValueError, AttributeError):
        return lines[-1]
