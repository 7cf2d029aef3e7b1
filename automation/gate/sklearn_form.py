"""Writes an estimator for the scikit-learn runtime: a skops file whose bytes depend on it alone.

skops names the parts of a file after memory addresses and stamps them with the time, so that the
same estimator gives other bytes each time; here they are numbered in the order they are used.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automation.errors import ConversionError, EqualityError
from automation.gate.answers import sklearn_answers
from automation.gate.equality import random_rows
from automation.gate.estimator_file import SCHEMA_NAME, load_skops, untrusted_types
from automation.gate.feature_facts import features_of
from automation.gate.features import Rows
from automation.gate.training import TrainedModel
from automation.spec import Runtime

SKOPS_NAME = "model.skops"
PICKLE_NAME = "model.joblib"
PICKLE_WARNING = (
    "the artifact holds a pickle (model.joblib): reading it runs whatever code is in it, here and "
    "in the container; serve only what you made yourself, and prefer skops. The server reads it "
    "only where settings.environment of the spec has GREENLIGHT_ALLOW_PICKLE with the text true"
)
EARLIEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
PICKLE_PROTOCOL = 5


@dataclass(frozen=True, kw_only=True)
class SklearnFile:
    """An estimator as the artifact holds it.

    Args:
        estimator: what the file was read back as: the one that serves.
        warnings: what a person should know of the file.
    """

    name: str
    content: bytes
    estimator: Any
    warnings: tuple[str, ...] = ()


def sklearn_file(estimator: Any, *, allow_pickle: bool) -> SklearnFile:
    """Write an estimator by skops, or by joblib where skops has no safe form and it is allowed.

    Raises:
        ConversionError: skops cannot write it, or it holds types that are not scikit-learn's.
    """
    problem = None
    try:
        content = stable_skops(estimator)
        untrusted = untrusted_types(content)
        if not untrusted:
            return SklearnFile(name=SKOPS_NAME, content=content, estimator=load_skops(content))
        problem = f"it holds {', '.join(untrusted)}"
    except Exception as err:  # noqa: BLE001 - an edge: skops raises anything on what it cannot write
        problem = f"{type(err).__name__}: {err}"
    if allow_pickle:
        return _pickled(estimator)
    raise ConversionError(
        f"{type(estimator).__name__} has no skops form that is safe to read ({problem}); use "
        "estimators of scikit-learn alone, or give --allow-pickle to `greenlight package` for what "
        "you made yourself"
    )


def stable_skops(estimator: Any) -> bytes:
    """Write a skops file; the same estimator gives the same bytes, in any process."""
    from skops import io as skops_io

    with zipfile.ZipFile(io.BytesIO(skops_io.dumps(estimator))) as written:
        schema = json.loads(written.read(SCHEMA_NAME))
        numbering = _Numbering()
        renumbered = numbering.renumber(schema)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for old, new in numbering.files.items():
                archive.writestr(zipfile.ZipInfo(new, EARLIEST_ZIP_TIME), written.read(old))
            archive.writestr(
                zipfile.ZipInfo(SCHEMA_NAME, EARLIEST_ZIP_TIME), json.dumps(renumbered, indent=1)
            )
    return packed.getvalue()


def manifest_part(trained: TrainedModel, written: SklearnFile) -> dict[str, Any]:
    """Say in the manifest what runs: scikit-learn itself."""
    takes = "matrix" if trained.column_types is None else "dataframe"
    return {
        "runtime": Runtime.SKLEARN.value,
        "onnx": None,
        "sklearn": {"file": written.name, "input": takes},
    }


def prove_equal(trained: TrainedModel, written: SklearnFile) -> Rows:
    """Check that the estimator read back from its file answers every row as the one written.

    Returns:
        the rows that scikit-learn answers.

    Raises:
        EqualityError: it does not, or scikit-learn answers none of the rows.
    """
    drawn = random_rows(trained, features_of(trained))
    rows = np.concatenate([trained.training_rows, trained.live_rows, drawn])
    expected = sklearn_answers(trained, rows)
    given = sklearn_answers(replace(trained, estimator=written.estimator), rows)
    if not expected.is_answered.any():
        raise EqualityError(
            f"scikit-learn answers none of {len(rows)} rows ({expected.refusal}); nothing can be "
            "compared: is the estimator fitted on such rows?"
        )
    same = np.array_equal(expected.is_answered, given.is_answered) and all(
        _is_same(left, right)
        for left, right in (
            (expected.labels, given.labels),
            (expected.probabilities, given.probabilities),
        )
    )
    if not same:
        raise EqualityError(
            f"{type(trained.estimator).__name__} answers differently once it is read back from "
            f"{written.name}; it holds something that a file cannot keep"
        )
    return rows[expected.is_answered]


def _is_same(left: Any, right: Any) -> bool:
    """Compare answers to the bit; several outputs give a list of arrays."""
    if left is None or right is None:
        return left is right
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_is_same, left, right))
    return bool(np.array_equal(left, right))


def _pickled(estimator: Any) -> SklearnFile:
    import joblib

    packed = io.BytesIO()
    try:
        joblib.dump(estimator, packed, protocol=PICKLE_PROTOCOL)
        content = packed.getvalue()
        loaded = joblib.load(io.BytesIO(content))
    except Exception as err:
        raise ConversionError(
            f"{type(estimator).__name__} cannot be pickled ({type(err).__name__}: {err}); use "
            "classes that can be imported, not functions defined on the way"
        ) from err
    return SklearnFile(
        name=PICKLE_NAME, content=content, estimator=loaded, warnings=(PICKLE_WARNING,)
    )


class _Numbering:
    """Numbers for memory addresses, in the order a schema names them."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._ids: dict[int, int] = {}

    def renumber(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.renumber(entry) for entry in node]
        if not isinstance(node, dict):
            return node
        renumbered: dict[str, Any] = {}
        for key, value in node.items():
            if key == "__id__" and isinstance(value, int):
                renumbered[key] = self._ids.setdefault(value, len(self._ids))
            elif key == "file" and isinstance(value, str):
                suffix = value.rpartition(".")[2]
                renumbered[key] = self.files.setdefault(value, f"{len(self.files)}.{suffix}")
            else:
                renumbered[key] = self.renumber(value)
        return renumbered
