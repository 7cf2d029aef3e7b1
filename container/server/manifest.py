"""What `manifest.json` and `golden.json` say about a model, checked before the model is loaded.

The two files are written by `greenlight package`; this module is the server's own reading of them,
so that image and packager may be of different versions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from .errors import ArtifactError

SCHEMA_VERSION = 1
LARGEST_FILE_BYTES = 64 * 1024 * 1024


class Task(StrEnum):
    """What the estimator does, and so what an answer looks like."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The facts about a model that serving needs.

    Args:
        model: the model's name
        feature_names: names of the columns, in the model's order
        classes: names of the classes by class index; empty for a regressor
        onnx_input: name of the graph's input
        label_output: name of the output with class indexes or names, or with a regressor's values
        probability_output: name of the output with probabilities, None where the model has none
        model_sha256: digest of model.onnx in hex
    """

    model: str
    task: Task
    feature_names: tuple[str, ...]
    classes: tuple[str, ...]
    onnx_input: str
    label_output: str
    probability_output: str | None
    model_sha256: str


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Rows with the answers the trained estimator gave when the model was packaged.

    Args:
        instances: the rows
        labels: class index per row, or for a regressor the value (or values) per row
        probabilities: per row, in class order; None where the model has none
    """

    instances: list[list[float]]
    labels: list[Any]
    probabilities: list[list[float]] | None


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file of the artifact.

    Raises:
        ArtifactError: missing, too large, not JSON or not an object
    """
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ArtifactError(f"{path} is larger than {LARGEST_FILE_BYTES} bytes")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror}); the artifact must hold model.onnx, "
            "manifest.json and golden.json: package the model again with `greenlight package`"
        ) from error
    except ValueError as error:
        raise ArtifactError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ArtifactError(f"{path} holds a {type(document).__name__}; a JSON object is needed")
    return document


def manifest_from_document(document: Mapping[str, Any]) -> Manifest:
    """Check a manifest and keep what serving needs.

    Raises:
        ArtifactError: a field is missing, of the wrong type, or of a newer schema
    """
    version = _field(document, "schema_version", int)
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            f"manifest schema_version is {version}; this server reads {SCHEMA_VERSION}: "
            "serve the artifact with the image of the release that packaged it"
        )
    runtime = _field(document, "runtime", str)
    if runtime != "onnx":
        raise ArtifactError(f"manifest runtime is {runtime!r}; this server runs 'onnx'")
    task = _field(document, "task", str)
    if task not in tuple(Task):
        raise ArtifactError(f"manifest task is {task!r}; it must be one of {', '.join(Task)}")
    feature_names = _names(document, "feature_names")
    if document.get("feature_count", len(feature_names)) != len(feature_names):
        raise ArtifactError(
            f"manifest feature_count is {document['feature_count']!r}, but feature_names has "
            f"{len(feature_names)} names"
        )
    outputs = _field(document, "onnx_outputs", dict)
    is_classifier = task == Task.CLASSIFICATION
    return Manifest(
        model=_field(document, "model", str),
        task=Task(task),
        feature_names=feature_names,
        classes=_names(document, "classes") if is_classifier else (),
        onnx_input=_field(document, "onnx_input", str),
        label_output=_output(outputs, "label" if is_classifier else "value"),
        probability_output=outputs.get("probabilities") if is_classifier else None,
        model_sha256=_field(document, "model_sha256", str),
    )


def golden_from_document(document: Mapping[str, Any], manifest: Manifest) -> Golden:
    """Check the golden rows against the manifest.

    Raises:
        ArtifactError: no rows, or lists of different lengths
    """
    instances = _field(document, "instances", list)
    labels = _field(document, "labels", list)
    with_probabilities = manifest.probability_output is not None
    probabilities = _field(document, "probabilities", list) if with_probabilities else None
    counts = {len(instances), len(labels)}
    if probabilities is not None:
        counts.add(len(probabilities))
    if len(counts) != 1 or not instances:
        raise ArtifactError(
            f"golden.json has {len(instances)} instances and {len(labels)} labels; it needs at "
            "least one row, with one answer for each"
        )
    return Golden(instances=instances, labels=labels, probabilities=probabilities)


def _field(document: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = document.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        given = "missing" if value is None else f"a {type(value).__name__}"
        raise ArtifactError(f"{name} is {given} in the artifact; it must be a {kind.__name__}")
    return value


def _names(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = _field(document, name, list)
    if not values or len(set(map(str, values))) != len(values):
        raise ArtifactError(f"manifest {name} must be a list of different names, not {values!r}")
    return tuple(map(str, values))


def _output(outputs: Mapping[str, Any], role: str) -> str:
    name = outputs.get(role)
    if not isinstance(name, str):
        raise ArtifactError(
            f"manifest onnx_outputs has {sorted(outputs)}; it must name the output {role!r}"
        )
    return name
