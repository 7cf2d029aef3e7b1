"""Brings an estimator together with the rows that prove it, wherever the two come from."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from automation.artifact import GOLDEN_NAME, GRAPH_NAME, MANIFEST_NAME
from automation.errors import SourceError
from automation.gate import sample_rows, training
from automation.gate.estimator_file import estimator_from_files
from automation.gate.forest import FOREST_NAME
from automation.gate.inference_script import (
    CODE_FOLDER,
    SCRIPT_PATH,
    InferenceScript,
    script_from_files,
    script_from_project,
)
from automation.gate.model_data import ModelData
from automation.gate.training import TrainedModel
from automation.gate.version_drift import LOCKS, locked_versions
from automation.spec import ModelSpec, Runtime

# What the gate writes itself.
RESERVED_NAMES = {MANIFEST_NAME, GOLDEN_NAME, GRAPH_NAME, FOREST_NAME}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A model as it came, ready for the gate.

    Args:
        script: the inference script that goes into the artifact.
        is_script_ours: whether the script is the project's, which the gate may run as it runs the
            training script; one that came in an archive is not run here.
        files: what a script's model_fn may want to read, by path in the artifact.
        source: where the estimator was read, and the digest of what was read there; None for one
            that was trained here.
        notes: what a person should know of it.
    """

    trained: TrainedModel
    script: InferenceScript | None = None
    is_script_ours: bool = False
    files: Mapping[str, bytes] = field(default_factory=dict)
    source: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()


def trained_here(spec: ModelSpec, root: Path, estimator: str | None) -> Origin:
    """Run the training script.

    Raises:
        TrainingError: there is none, or it fails.
        ScriptError: the inference script cannot be served.
    """
    trained = training.train(spec, root, estimator)
    return Origin(trained=trained, script=_script_of_project(spec, root), is_script_ours=True)


def from_data(
    data: ModelData, spec: ModelSpec, root: Path, *, rows: Path | None, allow_pickle: bool
) -> Origin:
    """Read the estimator in a source's data and give it rows.

    Args:
        rows: a CSV file; left out, the spec's own, else those of the training script.

    Raises:
        SourceError: there are no rows, or they do not fit.
        EstimatorFileError: there is no estimator, or it does not fit the training script's rows.
        VersionDriftError: it was fitted by another scikit-learn.
        ScriptError: the inference script cannot be served, or its files would be in the way.
    """
    table = spec.rows if rows is None else rows
    if table is None and spec.script is None:
        raise SourceError(
            f"{data.name} comes without rows, and without rows nothing can be proven; give a CSV "
            "file with the feature names as header: `rows:` in "
            f"models/{spec.model}.yaml, or --rows"
        )
    path, estimator = estimator_from_files(data.files, data.name, allow_pickle=allow_pickle)
    if table is not None:
        place = table if table.is_absolute() else root / table
        trained = sample_rows.trained_from_rows(estimator, data.label, place, spec.class_names)
    else:
        trained = sample_rows.with_estimator(training.train(spec, root), estimator, data.label)
    script, notes = _script_of(data, spec, root)
    files = _files_for(script, data)
    digest = hashlib.sha256(data.files[path]).hexdigest()
    return Origin(
        trained=trained,
        script=script,
        is_script_ours=spec.inference_script is not None,
        files=files,
        source={"name": data.label, "file": path, "sha256": digest},
        notes=data.notes + notes + sample_rows.coverage_notes(trained),
    )


def import_warnings(
    script: InferenceScript | None, root: Path, runtime: Runtime
) -> tuple[str, ...]:
    """Name what a script imports that the image of its runtime does not hold."""
    if script is None:
        return ()
    held = locked_versions(root, runtime)
    known = importlib.metadata.packages_distributions()
    missing = [
        name
        for name in script.imports
        if not any(distribution.lower() in held for distribution in known.get(name, []))
    ]
    if not missing:
        return ()
    return (
        f"{SCRIPT_PATH} imports {', '.join(missing)}, which {LOCKS[runtime]} does not hold; it "
        "serves only in an image of yours that does (setting imageUri)",
    )


def _files_for(script: InferenceScript | None, data: ModelData) -> dict[str, bytes]:
    """Give a script that loads its model itself all that came beside the model."""
    if script is None or "model_fn" not in script.functions:
        return {}
    files = {path: content for path, content in data.files.items() if not _is_code(path)}
    taken = sorted(RESERVED_NAMES & files.keys())
    if taken:
        raise SourceError(
            f"{data.name} holds {', '.join(taken)}, and the artifact has files of its own of that "
            "name; call them something else in the archive and in model_fn"
        )
    return files


def _is_code(path: str) -> bool:
    return path.startswith(f"{CODE_FOLDER}/")


def _script_of_project(spec: ModelSpec, root: Path) -> InferenceScript | None:
    if spec.inference_script is None:
        return None
    return script_from_project(root, spec.inference_script)


def _script_of(
    data: ModelData, spec: ModelSpec, root: Path
) -> tuple[InferenceScript | None, tuple[str, ...]]:
    """Choose the script: the spec's own, else one that lies in the archive."""
    code = {path: content for path, content in data.files.items() if _is_code(path)}
    own = _script_of_project(spec, root)
    if own is not None:
        note = f"{CODE_FOLDER}/ of {data.name} is left out: {spec.inference_script} serves instead"
        return own, (note,) if code else ()
    if SCRIPT_PATH in code:
        note = f"{SCRIPT_PATH} of {data.name} serves with the model; it was checked, not run"
        return script_from_files(code, data.name), (note,)
    if code:
        return None, (f"{CODE_FOLDER}/ of {data.name} holds no inference.py and is left out",)
    return None, ()
