"""Manifests as values, for tests of what depends on nothing else of a model; no tests here."""

from __future__ import annotations

from collections.abc import Sequence

from server.manifest import (
    Feature,
    Manifest,
    ModelInput,
    Output,
    RuntimeName,
    Task,
    TensorType,
)


def a_manifest(
    features: Sequence[Feature],
    tensor: TensorType | None = TensorType.FLOAT32,
    classes: Sequence[str] = (),
    *,
    outputs: Sequence[Output] = (),
    inputs: Sequence[ModelInput] = (),
) -> Manifest:
    """Give the manifest of an ONNX model.

    Args:
        tensor: type of the single input "X" that holds all features, unless `inputs` is given
        classes: names of the classes; empty for a regressor, unless an output has some
    """
    names = tuple(feature.name for feature in features)
    single = [] if tensor is None else [ModelInput(name="X", type=tensor, features=names)]
    is_classifier = bool(classes) or any(output.classes for output in outputs)
    probabilities = [f"probabilities{i}" for i in range(max(1, len(outputs)))]
    return Manifest(
        model="iris",
        task=Task.CLASSIFICATION if is_classifier else Task.REGRESSION,
        runtime=RuntimeName.ONNX,
        features=tuple(features),
        classes=tuple(classes),
        outputs=tuple(outputs),
        inputs=tuple(inputs or single),
        label_output="label",
        probability_outputs=tuple(probabilities) if is_classifier else (),
        script=None,
        files={},
    )
