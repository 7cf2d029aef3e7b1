"""Schemas of small models, for tests of decoders and encoders; no tests here."""

from __future__ import annotations

from collections.abc import Sequence

from server.features import Schema, schema_from_manifest
from server.manifest import Feature, FeatureType, ModelInput, Output, TensorType
from tests.support.manifests import a_manifest

CLASSES = ("setosa", "ver,sicolor")
MAX_ROWS = 3
MIXED_FEATURES = (
    Feature(name="length", type=FeatureType.NUMBER, allows_missing=True),
    Feature(name="colour", type=FeatureType.STRING, categories=("blue", "red")),
    Feature(name="ripe", type=FeatureType.BOOLEAN),
    Feature(name="note", type=FeatureType.STRING, allows_missing=True),
)
MIXED_INPUTS = (
    ModelInput(name="length", type=TensorType.FLOAT64, features=("length",)),
    ModelInput(name="texts", type=TensorType.STRING, features=("colour", "note"), missing="?"),
    ModelInput(name="ripe", type=TensorType.BOOL, features=("ripe",)),
)


def a_number(name: str) -> Feature:
    """Give a feature that any number will do for."""
    return Feature(name=name, type=FeatureType.NUMBER)


def a_schema(
    *,
    names: Sequence[str] = ("length", "width"),
    tensor: TensorType = TensorType.FLOAT32,
    classes: Sequence[str] = CLASSES,
    outputs: Sequence[Output] = (),
    max_rows: int = MAX_ROWS,
    with_kernel: bool = True,
) -> Schema:
    """Give the schema of a model of numbers; a regressor's where there are no classes."""
    manifest = a_manifest([a_number(name) for name in names], tensor, classes, outputs=outputs)
    return schema_from_manifest(manifest, max_rows, with_kernel=with_kernel)


def a_mixed_schema(max_rows: int = MAX_ROWS) -> Schema:
    """Give the schema of a classifier of a number, two texts and a boolean."""
    manifest = a_manifest(MIXED_FEATURES, classes=CLASSES, inputs=MIXED_INPUTS)
    return schema_from_manifest(manifest, max_rows)
