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
from .fields import choice, field, names

SCHEMA_VERSION = 2

Category = str | int | float | bool


class Task(StrEnum):
    """What the estimator does, and so what an answer looks like."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class RuntimeName(StrEnum):
    """What answers: the ONNX graph, or scikit-learn itself."""

    ONNX = "onnx"
    SKLEARN = "sklearn"


class FeatureType(StrEnum):
    """What a client sends for a feature."""

    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"


class TensorType(StrEnum):
    """What an input of the model holds."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT64 = "int64"
    BOOL = "bool"
    STRING = "string"


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of the model's rows.

    Args:
        allows_missing: whether a row may leave the value out (null, an empty cell, NaN)
        categories: the only values the estimator takes; None where any of the type will do
    """

    name: str
    type: FeatureType
    allows_missing: bool = False
    categories: tuple[Category, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ModelInput:
    """One tensor the model is fed: shape (rows, features).

    Args:
        features: names of the columns in it, in order
        missing: what stands for a missing value in a tensor of strings, None for None itself;
            numbers have NaN
    """

    name: str
    type: TensorType
    features: tuple[str, ...]
    missing: str | None = ""


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
    features = _features(document)
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
        inputs=_graph_inputs(graph, features) if is_graph else _frame_inputs(features),
        label_output=field(graph, "label_output", str) if is_graph else "",
        probability_outputs=_probability_outputs(graph, len(outputs)),
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


def _features(document: Mapping[str, Any]) -> tuple[Feature, ...]:
    entries = field(document, "features", list)
    features = tuple(_feature(position, entry) for position, entry in enumerate(entries))
    if not features or len({feature.name for feature in features}) != len(features):
        named = [feature.name for feature in features]
        raise ArtifactError(f"manifest features must have different names, not {named!r}")
    return features


def _feature(position: int, entry: Any) -> Feature:
    where = f"manifest features[{position}]"
    if not isinstance(entry, dict):
        raise ArtifactError(f"{where} is a {type(entry).__name__}; it must be an object")
    feature = Feature(
        name=field(entry, "name", str, where),
        type=choice(entry, "type", FeatureType, where),
        allows_missing=field(entry, "allows_missing", bool, where),
        categories=_categories(entry, where),
    )
    kinds = CATEGORY_TYPES[feature.type]
    wrong = [value for value in feature.categories or () if type(value) not in kinds]
    if wrong:
        raise ArtifactError(f"{where} is a {feature.type} and has the category {wrong[0]!r}")
    return feature


CATEGORY_TYPES: dict[FeatureType, tuple[type[Any], ...]] = {
    FeatureType.NUMBER: (int, float),
    FeatureType.STRING: (str,),
    FeatureType.BOOLEAN: (bool,),
}


def _categories(entry: Mapping[str, Any], where: str) -> tuple[Category, ...] | None:
    if entry.get("categories") is None:
        return None
    values = tuple(field(entry, "categories", list, where))
    if not values:
        raise ArtifactError(f"{where} has no categories; leave them null where any value will do")
    return values


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


TENSORS_OF: dict[FeatureType, tuple[TensorType, ...]] = {
    FeatureType.NUMBER: (TensorType.FLOAT32, TensorType.FLOAT64, TensorType.INT64),
    FeatureType.BOOLEAN: (
        TensorType.BOOL,
        TensorType.FLOAT32,
        TensorType.FLOAT64,
        TensorType.INT64,
    ),
    FeatureType.STRING: (TensorType.STRING,),
}


def _graph_inputs(
    graph: Mapping[str, Any], features: tuple[Feature, ...]
) -> tuple[ModelInput, ...]:
    inputs = []
    for position, entry in enumerate(field(graph, "inputs", list)):
        where = f"manifest onnx.inputs[{position}]"
        if not isinstance(entry, dict):
            raise ArtifactError(f"{where} is a {type(entry).__name__}; it must be an object")
        inputs.append(
            ModelInput(
                name=field(entry, "name", str, where),
                type=choice(entry, "type", TensorType, where),
                features=names(entry, "features", where),
                missing=str(entry.get("missing", "")),
            )
        )
    if not inputs or len({given.name for given in inputs}) != len(inputs):
        raise ArtifactError(f"manifest onnx.inputs must have different names, not {inputs!r}")
    by_name = {feature.name: feature for feature in features}
    for given in inputs:
        for name in given.features:
            _check_fit(given, name, by_name.get(name))
    unused = by_name.keys() - {name for given in inputs for name in given.features}
    if unused:
        raise ArtifactError(f"manifest onnx.inputs leave out the features {sorted(unused)}")
    return tuple(inputs)


def _check_fit(given: ModelInput, name: str, feature: Feature | None) -> None:
    if feature is None:
        raise ArtifactError(f"manifest onnx.inputs name {name!r}, which is not among the features")
    if given.type not in TENSORS_OF[feature.type]:
        raise ArtifactError(
            f"manifest feature {name!r} is a {feature.type}, its input {given.name!r} takes "
            f"{given.type}; it must be one of {', '.join(TENSORS_OF[feature.type])}"
        )
    if feature.allows_missing and given.type in (TensorType.INT64, TensorType.BOOL):
        raise ArtifactError(
            f"manifest feature {name!r} allows missing values, its input {given.name!r} of "
            f"{given.type} has none"
        )


def _frame_inputs(features: tuple[Feature, ...]) -> tuple[ModelInput, ...]:
    if all(feature.type is FeatureType.NUMBER for feature in features):
        columns = tuple(feature.name for feature in features)
        return (ModelInput(name="X", type=TensorType.FLOAT64, features=columns),)
    types = {
        FeatureType.NUMBER: TensorType.FLOAT64,
        FeatureType.STRING: TensorType.STRING,
        FeatureType.BOOLEAN: TensorType.BOOL,
    }
    return tuple(
        ModelInput(
            name=feature.name, type=types[feature.type], features=(feature.name,), missing=None
        )
        for feature in features
    )


def _probability_outputs(graph: Mapping[str, Any], outputs: int) -> tuple[str, ...]:
    named = graph.get("probability_output")
    if named is None:
        return ()
    given = tuple(named) if isinstance(named, list) else (named,)
    if not all(isinstance(name, str) for name in given) or len(given) != max(1, outputs):
        raise ArtifactError(
            f"manifest onnx.probability_output is {named!r}; it must be a name, a list of one for "
            "each output, or null"
        )
    return given


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
