"""What a model's features allow, compiled once per model, and rows turned into the model's inputs.

A `Schema` is made from the manifest and the limits when a model is loaded; decoders only read it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .manifest import Category, Feature, FeatureType, Manifest, ModelInput, TensorType
from .model import Inputs
from .plain_writer import PlainWriter, Weave

LARGEST_INT64 = 2**63 - 1
FLOATS: dict[TensorType, type[np.floating[Any]]] = {
    TensorType.FLOAT32: np.float32,
    TensorType.FLOAT64: np.float64,
}
LARGEST_OF_FLOAT64 = float(np.finfo(np.float64).max)
# From half a step above its largest number on, what is rounded to a float32 is infinite.
LARGEST_OF_FLOAT32 = math.nextafter((2 - 2**-24) * 2.0**127, 0)


@dataclass(frozen=True, kw_only=True)
class FeatureRule:
    """What a value of one feature may be.

    Args:
        largest: greatest magnitude of a number, given by the tensors it goes to
        is_whole: whether only whole numbers are taken
        categories: the only values taken; None where any will do
    """

    name: str
    type: FeatureType
    allows_missing: bool
    largest: float
    is_whole: bool
    categories: frozenset[Category] | None


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What decoders and encoders have to know of the model and the limits.

    Args:
        rules: one for each feature, in order
        positions: of the features, by name
        plain_type: set where the model takes nothing but one tensor of floats and every finite
            number is allowed in it, which is what the short ways serve
        plain_writer: writes the answers of such models that have a single output
        pack_rows: the kernel's own reading of rows of float32; None where it cannot be used
        max_rows: most instances in one request
    """

    manifest: Manifest
    feature_names: tuple[str, ...]
    rules: tuple[FeatureRule, ...]
    positions: Mapping[str, int]
    plain_type: type[np.floating[Any]] | None
    plain_writer: PlainWriter | None
    pack_rows: Callable[[Any, int], bytes | None] | None
    max_rows: int


def schema_from_manifest(manifest: Manifest, max_rows: int, *, with_kernel: bool = True) -> Schema:
    """Compile what a manifest says about the features.

    Args:
        with_kernel: whether the compiled module may be used where there is one
    """
    plain_type = _plain_type(manifest)
    is_plain = plain_type is not None and not manifest.outputs
    return Schema(
        manifest=manifest,
        feature_names=manifest.feature_names,
        rules=tuple(_rule(feature, manifest.inputs) for feature in manifest.features),
        positions={name: position for position, name in enumerate(manifest.feature_names)},
        plain_type=plain_type,
        plain_writer=PlainWriter(manifest, _weave() if with_kernel else None) if is_plain else None,
        pack_rows=_pack_rows() if with_kernel and plain_type is np.float32 else None,
        max_rows=max_rows,
    )


def _pack_rows() -> Callable[[Any, int], bytes | None] | None:
    try:
        from greenlight_kernel import pack_rows
    except ImportError:
        return None
    packing: Callable[[Any, int], bytes | None] = pack_rows
    return packing


def _weave() -> Weave | None:
    try:
        from greenlight_kernel import weave
    except ImportError:
        return None
    weaving: Weave = weave
    return weaving


def inputs_from_rows(rows: Sequence[Sequence[Any]], schema: Schema) -> Inputs:
    """Turn checked rows into what the model is fed; None is a missing value."""
    inputs = schema.manifest.inputs
    if schema.plain_type is not None:
        return {inputs[0].name: np.array(rows, dtype=schema.plain_type)}
    columns = dict(zip(schema.feature_names, zip(*rows, strict=True), strict=True))
    return {
        given.name: _tensor(given, [columns[name] for name in given.features]) for given in inputs
    }


def _rule(feature: Feature, inputs: Sequence[ModelInput]) -> FeatureRule:
    types = {given.type for given in inputs if feature.name in given.features}
    is_whole = TensorType.INT64 in types
    largest = LARGEST_OF_FLOAT32 if TensorType.FLOAT32 in types else LARGEST_OF_FLOAT64
    return FeatureRule(
        name=feature.name,
        type=feature.type,
        allows_missing=feature.allows_missing,
        largest=LARGEST_INT64 if is_whole else largest,
        is_whole=is_whole,
        categories=None if feature.categories is None else frozenset(feature.categories),
    )


def _plain_type(manifest: Manifest) -> type[np.floating[Any]] | None:
    only = manifest.inputs[0]
    is_plain = (
        len(manifest.inputs) == 1
        and only.features == manifest.feature_names
        and all(
            feature.type is FeatureType.NUMBER
            and not feature.allows_missing
            and feature.categories is None
            for feature in manifest.features
        )
    )
    return FLOATS.get(only.type) if is_plain else None


def _tensor(given: ModelInput, columns: Sequence[Sequence[Any]]) -> npt.NDArray[Any]:
    """Make a tensor of shape (rows, features) from its columns."""
    if given.type is TensorType.STRING:
        # Objects, as NumPy's own strings lose NULs at their end.
        return _objects([[given.missing if cell is None else cell for cell in c] for c in columns])
    if given.type in FLOATS:
        numbers = [[math.nan if cell is None else cell for cell in column] for column in columns]
        return np.array(numbers, dtype=FLOATS[given.type]).T.copy()
    if given.type is TensorType.INT64:
        return np.array([list(map(int, column)) for column in columns], dtype=np.int64).T.copy()
    if any(cell is None for column in columns for cell in column):
        return _objects(columns)
    return np.array(columns, dtype=np.bool_).T.copy()


def _objects(columns: Sequence[Sequence[Any]]) -> npt.NDArray[Any]:
    tensor = np.empty((len(columns[0]), len(columns)), dtype=object)
    for position, column in enumerate(columns):
        tensor[:, position] = column
    return tensor
