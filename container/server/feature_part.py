"""What the manifest says of the features: the columns of a client's rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .errors import ArtifactError
from .fields import choice, field

Category = str | int | float | bool


class FeatureType(StrEnum):
    """What a client sends for a feature."""

    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"


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


def features_part(document: Mapping[str, Any]) -> tuple[Feature, ...]:
    """Read the features a manifest lists.

    Raises:
        ArtifactError: a feature is not one, or two have the same name
    """
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
