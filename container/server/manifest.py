"""What `manifest.json` and `golden.json` say about a model, checked before the model is loaded.

The two files are written by `greenlight package`; this module is the server's own reading of them,
so that image and packager may be of different versions. Keys it does not know are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from .artifact_files import GOLDEN_FILE, MODEL_FILE
from .errors import ArtifactError
from .estimator_part import EstimatorPart, estimator_part
from .feature_part import Category, Feature, FeatureType, features_part
from .fields import choice, field, names
from .graph_part import (
    ModelInput,
    TensorType,
    frame_inputs,
    graph_inputs,
    probability_names,
)

__all__ = [
    "Category",
    "Feature",
    "FeatureType",
    "Golden",
    "Manifest",
    "ModelInput",
    "Output",
    "RuntimeName",
    "Task",
    "TensorType",
    "golden_from_document",
    "manifest_from_document",
]

SCHEMA_VERSION = 2


class Task(StrEnum):
    """What the estimator does, and so what an answer looks like."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class RuntimeName(StrEnum):
    """What answers: the ONNX graph, or scikit-learn itself."""

    ONNX = "onnx"
    SKLEARN = "sklearn"


@dataclass(frozen=True, kw_only=True)
class Output:
    """One of several outputs of a multi-output estimator; `classes` is empty for a value."""

    name: str
    classes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The facts about a model that serving needs.

    Args:
        model: the model's name
        features: the columns, in the order of the client's rows
        classes: names of the classes by class index; empty for regressors and several outputs
        outputs: the outputs of a multi-output estimator; empty for all others
        inputs: what the model is fed; for the scikit-learn runtime one float64 tensor "X" if all
            features are numbers, else one tensor per feature
        label_output: name of the graph's output with class indexes or names, or with values; ""
            for the scikit-learn runtime
        probability_outputs: names of the graph's outputs with probabilities, none where the model
            has none, one for each of several outputs
        script: the inference script in the artifact, None where there is none
        files: SHA-256 in hex of every other file of the artifact, by name
        labels: what the estimator's `predict` gives for each class, for each output; empty where
            the manifest does not tell
        estimator: what scikit-learn runs; None for the ONNX runtime
    """

    model: str
    task: Task
    runtime: RuntimeName
    features: tuple[Feature, ...]
    classes: tuple[str, ...]
    outputs: tuple[Output, ...]
    inputs: tuple[ModelInput, ...]
    label_output: str
    probability_outputs: tuple[str, ...]
    script: str | None
    files: Mapping[str, str]
    labels: tuple[tuple[Any, ...], ...] = ()
    estimator: EstimatorPart | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(feature.name for feature in self.features)


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Rows with the answers the trained estimator gave when the model was packaged.

    Args:
        instances: the rows, null for a missing value
        labels: per row the class index or the value; a list of them where there are several outputs
        probabilities: per row, in class order; with several outputs a list of that, one for each
            output; None where the model has none
    """

    instances: list[list[Any]]
    labels: list[Any]
    probabilities: list[Any] | None


def manifest_from_document(document: Mapping[str, Any]) -> Manifest:
    """Check a manifest and keep what serving needs.

    Raises:
        ArtifactError: a field is missing, of the wrong type, or of another schema
    """
    version = field(document, "schema_version", int)
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            f"manifest schema_version is {version}; this server reads {SCHEMA_VERSION}: "
            "serve the artifact with the image of the release that packaged it"
        )
    task = choice(document, "task", Task)
    runtime = choice(document, "runtime", RuntimeName)
    features = features_part(document)
    outputs = _outputs(document, task)
    classes: tuple[str, ...] = ()
    if task is Task.CLASSIFICATION and not outputs:
        classes = names(document, "classes")
    is_graph = runtime is RuntimeName.ONNX
    graph = field(document, "onnx", dict) if is_graph else {}
    return Manifest(
        model=field(document, "model", str),
        task=task,
        runtime=runtime,
        features=features,
        classes=classes,
        outputs=outputs,
        inputs=graph_inputs(graph, features) if is_graph else frame_inputs(features),
        label_output=field(graph, "label_output", str) if is_graph else "",
        probability_outputs=probability_names(graph, len(outputs)),
        script=field(document, "script", str) if document.get("script") is not None else None,
        files=_files(document, runtime),
        labels=_labels(document, classes, outputs),
        estimator=None if is_graph else estimator_part(document),
    )


def golden_from_document(document: Mapping[str, Any], manifest: Manifest) -> Golden:
    """Check the golden rows against the manifest.

    Raises:
        ArtifactError: no rows, or lists of different lengths
    """
    instances = field(document, "instances", list)
    labels = field(document, "labels", list)
    probabilities: list[Any] | None = None
    if manifest.probability_outputs or document.get("probabilities") is not None:
        probabilities = field(document, "probabilities", list)
    counts = {len(instances), len(labels)}
    if probabilities is not None:
        if manifest.outputs and len(probabilities) != len(manifest.outputs):
            raise ArtifactError(
                f"golden.json has probabilities of {len(probabilities)} outputs; the manifest has "
                f"{len(manifest.outputs)}"
            )
        parts = probabilities if manifest.outputs else [probabilities]
        counts.update(len(part) if isinstance(part, list) else -1 for part in parts)
    if len(counts) != 1 or not instances:
        raise ArtifactError(
            f"golden.json has {len(instances)} instances and {len(labels)} labels; it needs at "
            "least one row, with one answer for each"
        )
    return Golden(instances=instances, labels=labels, probabilities=probabilities)


def _outputs(document: Mapping[str, Any], task: Task) -> tuple[Output, ...]:
    if document.get("outputs") is None:
        return ()
    outputs = []
    for position, entry in enumerate(field(document, "outputs", list)):
        where = f"manifest outputs[{position}]"
        if not isinstance(entry, dict):
            raise ArtifactError(f"{where} is a {type(entry).__name__}; it must be an object")
        classes = names(entry, "classes", where) if task is Task.CLASSIFICATION else ()
        outputs.append(Output(name=field(entry, "name", str, where), classes=classes))
    if len({output.name for output in outputs}) != len(outputs) or not outputs:
        raise ArtifactError(f"manifest outputs must have different names, not {outputs!r}")
    return tuple(outputs)


def _labels(
    document: Mapping[str, Any], classes: tuple[str, ...], outputs: tuple[Output, ...]
) -> tuple[tuple[Any, ...], ...]:
    """Read the estimator's own labels: a list for one output, a list of lists for several."""
    if document.get("labels") is None:
        return ()
    given = field(document, "labels", list)
    lists = given if outputs else [given]
    counts = [len(output.classes) for output in outputs] or [len(classes)]
    found = [len(of) if isinstance(of, list) else -1 for of in lists]
    if found != counts:
        raise ArtifactError(
            f"manifest labels are {given!r}; one is needed for each class, {counts} in all"
        )
    return tuple(tuple(of) for of in lists)


def _files(document: Mapping[str, Any], runtime: RuntimeName) -> dict[str, str]:
    files: dict[str, str] = field(document, "files", dict)
    for name, digest in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not isinstance(digest, str):
            raise ArtifactError(
                f"manifest files has {name!r}: {digest!r}; it must be a path in the artifact and "
                "its sha256"
            )
    needed = [GOLDEN_FILE] + [MODEL_FILE] * (runtime is RuntimeName.ONNX)
    left_out = [name for name in needed if name not in files]
    if left_out:
        raise ArtifactError(f"manifest files lists {sorted(files)}; it must list {left_out[0]}")
    return files
