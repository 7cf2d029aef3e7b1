"""What the manifest says of the graph: the tensors it is fed, and the outputs that are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .errors import ArtifactError
from .feature_part import Feature, FeatureType
from .fields import choice, field, names


class TensorType(StrEnum):
    """What an input of the model holds."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT64 = "int64"
    BOOL = "bool"
    STRING = "string"


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


def graph_inputs(graph: Mapping[str, Any], features: tuple[Feature, ...]) -> tuple[ModelInput, ...]:
    """Read the inputs of a graph, which together take every feature.

    Raises:
        ArtifactError: an input is none, or takes what is no feature or of another type
    """
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
                missing=field({"missing": "", **entry}, "missing", str, where),
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


def frame_inputs(features: tuple[Feature, ...]) -> tuple[ModelInput, ...]:
    """Give what scikit-learn is fed: one matrix of numbers, or a column for each feature."""
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


def probability_names(graph: Mapping[str, Any], outputs: int) -> tuple[str, ...]:
    """Read the names of the graph's outputs with probabilities.

    Args:
        outputs: how many outputs the estimator has, if there are several

    Raises:
        ArtifactError: not a name, nor one for each output
    """
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
