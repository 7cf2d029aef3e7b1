"""What the manifest says of an estimator that scikit-learn itself runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .errors import ArtifactError
from .fields import choice, field

SKOPS_SUFFIX = ".skops"
PICKLE_SUFFIX = ".joblib"


class EstimatorInput(StrEnum):
    """What the estimator was fitted on, and so what it is asked with."""

    MATRIX = "matrix"
    DATAFRAME = "dataframe"


@dataclass(frozen=True, kw_only=True)
class EstimatorPart:
    """An estimator in the artifact.

    Args:
        file: its name in the artifact; the suffix says how it is read
        input: what it takes
        sklearn_version: of the scikit-learn that it was proven with
    """

    file: str
    input: EstimatorInput
    sklearn_version: str


def estimator_part(document: Mapping[str, Any]) -> EstimatorPart:
    """Read the part of a manifest of runtime sklearn.

    Raises:
        ArtifactError: a field is missing or wrong, or the file is not listed
    """
    where = "manifest sklearn"
    part = field(document, "sklearn", dict)
    file = field(part, "file", str, where)
    if not file.endswith((SKOPS_SUFFIX, PICKLE_SUFFIX)):
        raise ArtifactError(
            f"{where} has the file {file!r}; this server reads {SKOPS_SUFFIX} and {PICKLE_SUFFIX}"
        )
    if file not in field(document, "files", dict):
        raise ArtifactError(f"manifest files does not list {file!r}; package the model again")
    versions = field(document, "versions", dict)
    return EstimatorPart(
        file=file,
        input=choice(part, "input", EstimatorInput, where),
        sklearn_version=field(versions, "scikit-learn", str, "manifest versions"),
    )
