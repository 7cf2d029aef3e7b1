"""Takes an artifact that greenlight packaged before: checked and proven again, kept as it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automation.artifact import GOLDEN_NAME, MANIFEST_NAME
from automation.errors import ArtifactError, EstimatorFileError, VersionDriftError
from automation.gate.inference_script import CODE_FOLDER, script_from_files
from automation.gate.model_data import ModelData
from automation.gate.server_proof import answers_of_server
from automation.gate.sklearn_form import PICKLE_NAME, PICKLE_WARNING
from automation.gate.version_drift import COMPARED, LOCKS, locked_versions, told
from automation.spec import Runtime

SCHEMA_VERSION = 2
AGAIN = "package it again from where it came"


def is_own(data: ModelData) -> bool:
    """Tell whether an archive is an artifact of greenlight's and not just any with a model."""
    return {MANIFEST_NAME, GOLDEN_NAME} <= data.files.keys()


def check_own(
    data: ModelData, model: str, root: Path, *, allow_pickle: bool
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Check an artifact against its manifest, the image and, in the server, its golden rows.

    Returns:
        its manifest, and what a person should know of it.

    Raises:
        ArtifactError: damaged, of another model or release, or it answers golden rows wrongly.
        VersionDriftError: it was proven with other versions than the image holds.
        EstimatorFileError: it holds a pickle, and that was not allowed.
    """
    manifest = _manifest(data, model)
    _check_files(data, manifest)
    warnings: tuple[str, ...] = ()
    if PICKLE_NAME in data.files:
        if not allow_pickle:
            raise EstimatorFileError(
                f"{data.name} holds {PICKLE_NAME}, a pickle, which runs code when it is read; give "
                "--allow-pickle to `greenlight package` for an artifact you made yourself"
            )
        warnings = (PICKLE_WARNING,)
    _check_versions(data, manifest, root)
    code = {path: content for path, content in data.files.items()
            if path.startswith(f"{CODE_FOLDER}/")}  # fmt: skip
    if code:
        script_from_files(code, data.name)
    # The server answers the golden rows itself before it answers anything.
    answers_of_server(root, data.files, [], allow_pickle=allow_pickle)
    return manifest, warnings


def _manifest(data: ModelData, model: str) -> Mapping[str, Any]:
    try:
        manifest = json.loads(data.files[MANIFEST_NAME])
    except ValueError as err:
        raise ArtifactError(f"{data.name} has a {MANIFEST_NAME} that is not JSON: {err}") from err
    if not isinstance(manifest, dict) or manifest.get("schema_version") != SCHEMA_VERSION:
        found = manifest.get("schema_version") if isinstance(manifest, dict) else manifest
        raise ArtifactError(
            f"{data.name} has a manifest of schema_version {found!r}; this release reads "
            f"{SCHEMA_VERSION}: {AGAIN}"
        )
    if manifest.get("model") != model:
        raise ArtifactError(
            f"{data.name} is an artifact of model {manifest.get('model')!r}, not of {model!r}; "
            "name the right one, or package this model"
        )
    wanted = {"runtime": str, "files": dict, "estimator": str, "estimator_class": str}
    wrong = [key for key, kind in wanted.items() if not isinstance(manifest.get(key), kind)]
    if wrong or manifest["runtime"] not in list(Runtime):
        raise ArtifactError(
            f"{data.name} has a manifest with {wrong[0] if wrong else 'runtime'} "
            f"{manifest.get(wrong[0] if wrong else 'runtime')!r}; {AGAIN}"
        )
    return manifest


def _check_files(data: ModelData, manifest: Mapping[str, Any]) -> None:
    found = {path: hashlib.sha256(content).hexdigest() for path, content in data.files.items()
             if path != MANIFEST_NAME}  # fmt: skip
    listed = manifest["files"]
    wrong = sorted(path for path in found.keys() | listed.keys()
                   if found.get(path) != listed.get(path))  # fmt: skip
    if wrong:
        raise ArtifactError(
            f"{data.name} was changed after it was packaged: its manifest says otherwise of "
            f"{', '.join(wrong)}; {AGAIN}"
        )


def _check_versions(data: ModelData, manifest: Mapping[str, Any], root: Path) -> None:
    runtime = Runtime(manifest["runtime"])
    locked = locked_versions(root, runtime)
    versions = manifest.get("versions")
    named: Mapping[str, Any] = versions if isinstance(versions, dict) else {}
    drift = [
        f"{name} {named[name]} where {LOCKS[runtime]} has {told(locked, name)}"
        for name in COMPARED[runtime]
        if name in named and named[name] not in locked.get(name, ())
    ]
    if drift:
        raise VersionDriftError(
            f"{data.name} was proven with {'; '.join(drift)}: {AGAIN}, so that it is proven with "
            "what serves"
        )
