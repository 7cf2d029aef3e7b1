"""The packaging gate: from an estimator to an artifact that was proven to answer as it does.

Nothing leaves this machine before the gate is passed: the model is trained or read, converted to
ONNX, compared with scikit-learn row by row, and only then written, under the digest of its content.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from automation import artifact as artifacts
from automation.artifact import Artifact
from automation.errors import SourceError, UsageError
from automation.gate import conversion, own_artifact, sklearn_form
from automation.gate.answers import Answers, score, sklearn_answers
from automation.gate.conversion import Graph
from automation.gate.description import graph_description, model_description
from automation.gate.forest import FOREST_NAME, forest_bytes
from automation.gate.golden import golden_for
from automation.gate.inference_script import SCRIPT_PATH
from automation.gate.model_data import ModelData, read_source
from automation.gate.nested_estimators import unwrapped
from automation.gate.origin import Origin, from_data, import_warnings, trained_here
from automation.gate.server_proof import load_in_server
from automation.gate.serving_proof import PROJECT, prove_served
from automation.gate.training import TrainedModel
from automation.gate.version_drift import check_image
from automation.source import Source
from automation.spec import ModelSpec, Runtime

LONGEST_REFUSAL = 80
VERSIONED = {
    Runtime.ONNX: ("scikit-learn", "skl2onnx", "onnx", "onnxruntime"),
    Runtime.SKLEARN: ("scikit-learn", "numpy", "scipy", "joblib", "skops", "pandas"),
}


@dataclass(frozen=True, kw_only=True)
class Package:
    """A model that passed the gate.

    Args:
        estimator: what the training script calls it; of a model from elsewhere its class.
        accuracy: share of the live rows that scikit-learn answers and that it answers right; for a
            regressor the coefficient of determination; None where nobody knows the truth.
        checked_rows: how many rows were compared between scikit-learn and what serves.
        warnings: what the gate cannot refuse but a person should know.
        source: where the model came from; None where it was trained here.
    """

    model: str
    estimator: str
    artifact: Artifact
    accuracy: float | None
    checked_rows: int
    warnings: tuple[str, ...]
    source: str | None = None


def package(
    spec: ModelSpec,
    root: Path,
    *,
    estimator: str | None = None,
    source: Source | None = None,
    rows: Path | None = None,
    runtime: Runtime | None = None,
    allow_pickle: bool = False,
    region: str | None = None,
) -> Package:
    """Take a model through the gate and keep its artifact in `build/models/<model>/`.

    Args:
        estimator: what the training script trains; left out, the spec's own.
        source: where the estimator comes from instead; left out, the spec's own.
        rows: a CSV file that proves an estimator from a source; left out, the spec's own.
        runtime: what answers in the container; left out, the spec's own.
        allow_pickle: whether joblib and pickle files, which run code, are read and written.
        region: of AWS, for a source there; left out, the environment's.

    Raises:
        UsageError: what was given excludes each other, or the script trains no such estimator.
        PackagingError: one of its subclasses says what the gate refused and how to mend it.
    """
    place = spec.source if source is None else source
    chosen = spec.runtime if runtime is None else runtime
    if place is None:
        if rows is not None:
            raise UsageError(
                f"--rows {rows} proves a model from elsewhere, and {spec.model} is trained here, "
                "with rows of its own; leave it out, or say where the model comes from with --from"
            )
        check_image(root, chosen)
        origin = trained_here(spec, root, estimator)
        return package_origin(spec.model, origin, root, chosen, allow_pickle=allow_pickle)
    if estimator is not None:
        raise UsageError(
            f"--estimator {estimator} names what the training script trains, and the model comes "
            f"from {place}; give one of the two"
        )
    data = read_source(place, root, region)
    if own_artifact.is_own(data):
        kept = _kept(data, spec, root, runtime, allow_pickle=allow_pickle)
        if rows is None:
            return kept
        note = f"an artifact is kept as it is, proven on rows of its own: --rows {rows} is not read"
        return replace(kept, warnings=(*kept.warnings, note))
    check_image(root, chosen)
    origin = from_data(data, spec, root, rows=rows, allow_pickle=allow_pickle)
    return package_origin(spec.model, origin, root, chosen, allow_pickle=allow_pickle)


def package_trained(
    model: str, trained: TrainedModel, root: Path, runtime: Runtime = Runtime.ONNX
) -> Package:
    """Convert, prove and keep an estimator that is already fitted.

    Raises:
        ConversionError: the estimator has no form for the runtime.
        EqualityError: that form answers differently.
    """
    return package_origin(model, Origin(trained=trained), root, runtime)


def package_origin(
    model: str, origin: Origin, root: Path, runtime: Runtime, *, allow_pickle: bool = False
) -> Package:
    """Convert, prove and keep a model, with what came along with it.

    Raises:
        ConversionError: the estimator has no form for the runtime.
        EqualityError: that form answers differently.
    """
    trained = origin.trained
    live = sklearn_answers(trained, trained.live_rows)
    accuracy = score(trained, live) if trained.has_labels else None
    missing = import_warnings(origin.script, root, runtime)
    notes = origin.notes + missing
    files = {**origin.files, artifacts.GOLDEN_NAME: artifacts.json_bytes(golden_for(trained))}
    form: dict[str, Any]
    if runtime is Runtime.ONNX:
        graph = conversion.convert(trained)
        files |= graph_files(trained, graph)
        assert graph.rows is not None  # those on which it was proven
        form, rows = onnx_form(graph), graph.rows
    else:
        written = sklearn_form.sklearn_file(trained.estimator, allow_pickle=allow_pickle)
        rows = sklearn_form.prove_equal(trained, written)
        files[written.name] = written.content
        form, notes = sklearn_form.manifest_part(trained, written), notes + written.warnings
    if origin.script is not None:
        files |= origin.script.files
    manifest = manifest_for(model, origin, form, accuracy, files)
    files[artifacts.MANIFEST_NAME] = artifacts.json_bytes(manifest)
    prove_served(trained, rows, files, allow_pickle=allow_pickle)
    if origin.script is not None and origin.is_script_ours and not missing:
        load_in_server(PROJECT, files, allow_pickle=allow_pickle)
    return Package(
        model=model,
        estimator=_told_estimator(manifest),
        artifact=artifacts.store(root, model, artifacts.archive_bytes(files)),
        accuracy=accuracy,
        checked_rows=len(rows),
        warnings=notes + _warnings(live),
        source=_told_source(origin),
    )


def _kept(
    data: ModelData, spec: ModelSpec, root: Path, runtime: Runtime | None, *, allow_pickle: bool
) -> Package:
    """Keep an artifact that was packaged before, once it is proven again."""
    manifest, notes = own_artifact.check_own(data, spec.model, root, allow_pickle=allow_pickle)
    if runtime is not None and manifest["runtime"] != runtime:
        raise SourceError(
            f"{data.name} is an artifact of runtime {manifest['runtime']}, which cannot be made "
            f"one of {runtime}; leave --runtime out, or package the model from where it came"
        )
    if spec.inference_script is not None:
        notes += (
            f"an artifact is kept as it is: {spec.inference_script} of the spec is not put into "
            f"it, it serves with {'no script' if manifest.get('script') is None else 'its own'}",
        )
    golden = json.loads(data.files[artifacts.GOLDEN_NAME])
    return Package(
        model=spec.model,
        estimator=_told_estimator(manifest),
        artifact=artifacts.store(root, spec.model, data.content),
        accuracy=manifest.get("accuracy"),
        checked_rows=len(golden["instances"]),
        warnings=data.notes + notes,
        source=data.name,
    )


def _told_estimator(manifest: Mapping[str, Any]) -> str:
    """Say what was packaged: what comes from elsewhere has only its class for a name."""
    named = "estimator" if manifest.get("source") is None else "estimator_class"
    return str(manifest[named])


def _told_source(origin: Origin) -> str | None:
    if origin.source is None:
        return None
    name, file = origin.source["name"], origin.source["file"]
    return name if name.endswith(file) else f"{file} of {name}"


def graph_files(trained: TrainedModel, graph: Graph) -> dict[str, bytes]:
    """Give the files a graph comes as: itself and, for trees, what the compiled kernel reads."""
    compiled = forest_bytes(unwrapped(trained.estimator))
    return {artifacts.GRAPH_NAME: graph.content} | (
        {} if compiled is None else {FOREST_NAME: compiled}
    )


def onnx_form(graph: Graph) -> dict[str, Any]:
    """Say in the manifest what runs: an ONNX graph."""
    return {
        "runtime": Runtime.ONNX.value,
        "onnx": graph_description(graph),
    }


def manifest_for(
    model: str,
    origin: Origin,
    form: Mapping[str, Any],
    accuracy: float | None,
    files: Mapping[str, bytes],
) -> dict[str, Any]:
    """Say what the artifact is; holds no time and no path, so that it is the same everywhere.

    Args:
        form: what runs and how it is fed, with the versions that decide its answers.
    """
    trained = origin.trained
    # The patch release of Python says nothing about the model and would change its digest.
    python = ".".join(platform.python_version_tuple()[:2])
    versions = VERSIONED[Runtime(form["runtime"])]
    return {
        "schema_version": own_artifact.SCHEMA_VERSION,
        "model": model,
        "estimator": trained.name,
        "estimator_class": _class_name(trained.estimator),
        **model_description(trained),
        "script": None if origin.script is None else SCRIPT_PATH,
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
        "versions": {"python": python}
        | {name: importlib.metadata.version(name) for name in versions},
        "accuracy": None if accuracy is None else round(accuracy, 6),
        "source": origin.source,
        **form,
    }


def _class_name(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    if steps is None:
        return type(estimator).__name__
    return " > ".join(type(step).__name__ for _, step in steps)


def _warnings(live: Answers) -> tuple[str, ...]:
    if live.is_answered.all():
        return ()
    count = int((~live.is_answered).sum())
    reason = str(live.refusal)[:LONGEST_REFUSAL]
    return (
        f"scikit-learn itself fails on {count} of {len(live.is_answered)} live rows ({reason}); "
        "the endpoint will answer such rows with an error",
    )
