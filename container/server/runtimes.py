"""Which runtime answers for an artifact, why that one, and its proof.

A forest goes to the compiled kernel where the artifact holds one and the kernel is built here;
every other ONNX graph, and any where the settings say so, goes to ONNX Runtime. Whatever is chosen
answers the golden rows before it is given out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .artifact_files import GOLDEN_FILE, MANIFEST_FILE, MODEL_FILE, json_object, read_json_object
from .errors import ArtifactError, InvalidInstanceError
from .estimator_part import EstimatorInput, EstimatorPart
from .features import Schema, inputs_from_rows, schema_from_manifest
from .forest import FOREST_FILE, forest_runtime, kernel
from .instances import check_instances
from .manifest import (
    Golden,
    Manifest,
    golden_from_document,
    manifest_from_document,
)
from .model import Inputs, Runtime, file_of_artifact, prove_golden
from .settings import RuntimeChoice, Settings


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
        batches: whether one call for several requests costs less than one for each
        is_slow: whether even one row takes so long that it is predicted in a thread
        open: loads it
    """

    name: str
    reason: str
    batches: bool
    is_slow: bool = False
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
        schema=schema_from_manifest(
            manifest, settings.max_rows, with_kernel=settings.runtime is RuntimeChoice.AUTO
        ),
    )


def candidates(artifact: Artifact, settings: Settings) -> list[Candidate]:
    """Give the runtimes that can answer for an artifact here, the best first.

    Raises:
        ArtifactError: there is none
    """
    part = artifact.manifest.estimator
    if part is not None:
        return [
            Candidate(
                name="sklearn",
                reason="the manifest says that scikit-learn itself answers",
                batches=True,
                is_slow=True,
                open=lambda: _open_sklearn(artifact, part, settings),
            )
        ]
    forest, why_not = _forest(artifact, settings.runtime)
    onnx = Candidate(name="onnx", reason=why_not, batches=True, open=lambda: _open_onnx(artifact))
    if forest is None:
        return [onnx]
    reason = f"the artifact has {FOREST_FILE} and the kernel is built here"
    return [
        Candidate(name="forest", reason=reason, batches=False, open=lambda: forest),
        onnx,
    ]


def _forest(artifact: Artifact, choice: RuntimeChoice) -> tuple[Runtime | None, str]:
    """Give the forest kernel's runtime, or say why it cannot answer."""
    if FOREST_FILE not in artifact.files:
        return None, f"the artifact has no {FOREST_FILE}"
    if choice is RuntimeChoice.ONNX:
        return None, "GREENLIGHT_RUNTIME is onnx"
    if kernel() is None:
        return None, "the kernel is not built here"
    runtime = forest_runtime(artifact.manifest, artifact.files[FOREST_FILE])
    return runtime, f"{FOREST_FILE} is only there to explain"


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


def _open_sklearn(artifact: Artifact, part: EstimatorPart, settings: Settings) -> Runtime:
    from .sklearn_runtime import SklearnRuntime, load_estimator

    estimator = load_estimator(
        part, artifact.files[part.file], allows_pickle=settings.allows_pickle
    )
    takes_frame = part.input is EstimatorInput.DATAFRAME
    return SklearnRuntime(artifact.manifest, estimator, takes_frame=takes_frame)


def _open_onnx(artifact: Artifact) -> Runtime:
    from .onnx_runtime import OnnxRuntime, open_session

    return OnnxRuntime(artifact.manifest, open_session(artifact.files[MODEL_FILE]))
