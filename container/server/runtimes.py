"""Which runtime answers for an artifact, why that one, and its proof.

A forest goes to the compiled kernel where the artifact holds one and the kernel is built here;
every other ONNX graph, and any where the settings say so, goes to ONNX Runtime. Whatever is chosen
answers the golden rows before it is given out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .artifact_files import GOLDEN_FILE, MANIFEST_FILE, MODEL_FILE, json_object, read_json_object
from .errors import ArtifactError, InvalidInstanceError
from .features import Schema, inputs_from_rows, schema_from_manifest
from .instances import check_instances
from .manifest import (
    Golden,
    Manifest,
    RuntimeName,
    golden_from_document,
    manifest_from_document,
)
from .model import Inputs, Runtime, file_of_artifact, prove_golden
from .settings import RuntimeChoice, Settings

FOREST_FILE = "forest.bin"
KERNEL = "greenlight_kernel"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """What is packaged for a model, read and checked against its digests.

    Args:
        files: content of every file the manifest lists, by name
        golden: the recorded rows and answers
        schema: what decoders know of the model and the limits
    """

    directory: Path
    manifest: Manifest
    files: dict[str, bytes]
    golden: Golden
    schema: Schema


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A runtime that can answer for an artifact here.

    Args:
        name: its word in logs and metrics
        reason: why it may answer, and why better ones may not
        open: loads it
    """

    name: str
    reason: str
    open: Callable[[], Runtime]


def read_artifact(directory: Path, settings: Settings) -> Artifact:
    """Read an unpacked artifact and check every file against its digest.

    Raises:
        ArtifactError: a file is missing, damaged or contradicts another
    """
    manifest = manifest_from_document(read_json_object(directory / MANIFEST_FILE))
    files = {
        name: file_of_artifact(directory, name, digest) for name, digest in manifest.files.items()
    }
    return Artifact(
        directory=directory,
        manifest=manifest,
        files=files,
        golden=golden_from_document(json_object(files[GOLDEN_FILE], GOLDEN_FILE), manifest),
        schema=schema_from_manifest(manifest, settings.max_rows),
    )


def candidates(artifact: Artifact, choice: RuntimeChoice) -> list[Candidate]:
    """Give the runtimes that can answer for an artifact here, the best first.

    Raises:
        ArtifactError: there is none
    """
    if artifact.manifest.runtime is not RuntimeName.ONNX:
        raise ArtifactError(
            f"manifest runtime is {artifact.manifest.runtime.value!r}; this server runs 'onnx'"
        )
    why_not = why_not_the_kernel(artifact, choice)
    return [
        Candidate(name="onnx", reason=why_not, open=lambda: _open_onnx(artifact)),
    ]


def why_not_the_kernel(artifact: Artifact, choice: RuntimeChoice) -> str:
    """Say why the forest kernel does not answer for an artifact; empty where it can."""
    if FOREST_FILE not in artifact.files:
        return f"the artifact has no {FOREST_FILE}"
    if choice is RuntimeChoice.ONNX:
        return "GREENLIGHT_RUNTIME is onnx"
    if importlib.util.find_spec(KERNEL) is None:
        return f"{KERNEL} is not built here"
    return ""


def open_proven(candidate: Candidate, artifact: Artifact) -> Runtime:
    """Load a runtime and prove it on the golden rows.

    Raises:
        ArtifactError: it cannot be loaded
        GoldenMismatchError: its answers are not the recorded ones
    """
    runtime = candidate.open()
    inputs = golden_inputs(artifact.golden, artifact.schema)
    prove_golden(runtime, artifact.manifest, artifact.golden, inputs)
    return runtime


def golden_inputs(golden: Golden, schema: Schema) -> Inputs:
    """Give the golden rows as the model takes them; they obey the rule that clients' rows obey.

    Raises:
        ArtifactError: they do not fit the model
    """
    try:
        rows = check_instances(
            golden.instances,
            field="golden.json",
            schema=replace(schema, max_rows=len(golden.instances)),
        )
    except InvalidInstanceError as error:
        raise ArtifactError(f"golden.json does not fit the manifest: {error}") from error
    return inputs_from_rows(rows, schema)


def _open_onnx(artifact: Artifact) -> Runtime:
    from .onnx_runtime import OnnxRuntime, open_session

    return OnnxRuntime(artifact.manifest, open_session(artifact.files[MODEL_FILE]))
