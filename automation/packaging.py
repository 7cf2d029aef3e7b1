"""The packaging gate: from an estimator to an artifact that was proven to answer as it does.

Nothing leaves this machine before the gate is passed: the model is trained or read, converted to
ONNX, compared with scikit-learn row by row, and only then written, under the digest of its content.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automation import artifact as artifacts
from automation import conversion, training
from automation.artifact import Artifact
from automation.conversion import Answers, Graph
from automation.errors import EqualityError, VersionDriftError
from automation.spec import ModelSpec
from automation.training import TrainedModel

SCHEMA_VERSION = 2
GOLDEN_ROWS_PER_CLASS = 4
GOLDEN_ROWS_OF_REGRESSOR = 12
SERVER_LOCK = Path("container") / "requirements.lock"
LONGEST_REFUSAL = 80
VERSIONED = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class Package:
    """A model that passed the gate.

    Args:
        accuracy: share of the live rows that scikit-learn answers and that it answers right; for a
            regressor the coefficient of determination.
        checked_rows: how many rows were compared between scikit-learn and ONNX Runtime.
        warnings: what the gate cannot refuse but a person should know.
    """

    model: str
    estimator: str
    artifact: Artifact
    accuracy: float
    checked_rows: int
    warnings: tuple[str, ...]


def package(
    spec: ModelSpec,
    root: Path,
    *,
    estimator: str | None = None,
    estimator_file: Path | None = None,
    allow_pickle: bool = False,
) -> Package:
    """Take a model through the gate and keep its artifact in `build/models/<model>/`.

    Args:
        estimator: what the training script trains; left out, the spec's own.
        estimator_file: a fitted estimator to take instead of the one the script trains.
        allow_pickle: whether the file may be a pickle.

    Raises:
        PackagingError: one of its subclasses says what the gate refused and how to mend it.
    """
    check_server_version(root)
    trained = training.train(spec, root, estimator)
    if estimator_file is not None:
        trained = training.with_estimator_from_file(
            trained, estimator_file, allow_pickle=allow_pickle
        )
    return package_trained(spec.model, trained, root)


def package_trained(model: str, trained: TrainedModel, root: Path) -> Package:
    """Convert, prove and keep an estimator that is already fitted.

    Raises:
        ConversionError: the estimator has no ONNX form.
        EqualityError: the ONNX form answers differently.
    """
    graph = conversion.convert(trained)
    live = conversion.sklearn_answers(trained, trained.live_rows)
    accuracy = score(trained, live)
    files = {
        artifacts.GRAPH_NAME: graph.content,
        artifacts.GOLDEN_NAME: artifacts.json_bytes(golden_for(trained)),
    }
    manifest = manifest_for(model, trained, graph, accuracy, files)
    files[artifacts.MANIFEST_NAME] = artifacts.json_bytes(manifest)
    return Package(
        model=model,
        estimator=trained.name,
        artifact=artifacts.store(root, model, artifacts.archive_bytes(files)),
        accuracy=accuracy,
        checked_rows=graph.checked_rows,
        warnings=_warnings(live),
    )


def check_server_version(root: Path) -> None:
    """Check that the image runs the ONNX Runtime the gate proves equality with.

    Raises:
        VersionDriftError: the server's lock names another version, or none.
    """
    installed = importlib.metadata.version("onnxruntime")
    text = (root / SERVER_LOCK).read_text()
    served = re.search(r"^onnxruntime==([^\s;\\]+)", text, flags=re.MULTILINE)
    if served is None or served.group(1) != installed:
        named = "none" if served is None else served.group(1)
        raise VersionDriftError(
            f"onnxruntime {installed} is installed here and {SERVER_LOCK} has {named}: what is "
            "proven here would not be what serves; run `make setup`, or resolve the server's lock "
            "again"
        )


def manifest_for(
    model: str,
    trained: TrainedModel,
    graph: Graph,
    accuracy: float,
    files: Mapping[str, bytes],
) -> dict[str, Any]:
    """Say what the artifact is; holds no time and no path, so that it is the same everywhere."""
    names = list(trained.feature_names)
    # The patch release of Python says nothing about the model and would change its digest.
    python = ".".join(platform.python_version_tuple()[:2])
    return {
        "schema_version": SCHEMA_VERSION,
        "model": model,
        "estimator": trained.name,
        "estimator_class": _class_name(trained.estimator),
        "task": "classification" if trained.class_names else "regression",
        "runtime": "onnx",
        "features": [
            {"name": name, "type": "number", "allows_missing": False, "categories": None}
            for name in names
        ],
        "classes": list(trained.class_names) if trained.class_names else None,
        "outputs": None,
        "onnx": {
            "inputs": [
                {"name": conversion.INPUT_NAME, "type": graph.float_type, "features": names}
            ],
            "label_output": graph.label_output,
            "probability_output": graph.probability_output,
        },
        "script": None,
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
        "versions": {"python": python}
        | {name: importlib.metadata.version(name) for name in VERSIONED},
        "accuracy": round(accuracy, 6),
    }


def golden_for(trained: TrainedModel) -> dict[str, Any]:
    """Choose a few training rows of every class, with the answers scikit-learn gives to them.

    Raises:
        EqualityError: scikit-learn answers none of them.
    """
    rows = trained.training_rows[_golden_indexes(trained)]
    answers = conversion.sklearn_answers(trained, rows)
    if not answers.is_answered.any():
        raise EqualityError(
            f"scikit-learn answers none of the {len(rows)} golden rows ({answers.refusal}); "
            "the estimator is not fitted on the rows the training script returns"
        )
    probabilities = answers.probabilities
    return {
        "instances": rows[answers.is_answered].tolist(),
        "labels": answers.labels.tolist(),
        "probabilities": None if probabilities is None else probabilities.tolist(),
    }


def score(trained: TrainedModel, answers: Answers) -> float:
    """Accuracy, or for a regressor R2, over the live rows that scikit-learn answers; else 0."""
    truth = trained.live_labels[answers.is_answered]
    if not len(truth):
        return 0.0
    if trained.class_names:
        names = trained.estimator.classes_
        return float(np.mean(names[answers.labels] == truth))
    spread = float(((truth - truth.mean()) ** 2).sum())
    missed = float(((truth - answers.labels) ** 2).sum())
    return 1.0 - missed / spread if spread else 0.0


def _golden_indexes(trained: TrainedModel) -> list[int]:
    if not trained.class_names:
        return list(range(min(GOLDEN_ROWS_OF_REGRESSOR, len(trained.training_rows))))
    chosen: list[int] = []
    for label in trained.estimator.classes_.tolist():
        of_class = np.flatnonzero(trained.training_labels == label)
        chosen.extend(int(index) for index in of_class[:GOLDEN_ROWS_PER_CLASS])
    return sorted(chosen)


def _class_name(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    if steps is None:
        return type(estimator).__name__
    return " > ".join(type(step).__name__ for _, step in steps)


def _warnings(live: Answers) -> tuple[str, ...]:
    if live.is_answered.all():
        return ()
    count = int((~live.is_answered).sum())
    reason = str(live.refusal)[:LONGEST_REFUSAL]
    return (
        f"scikit-learn itself fails on {count} of {len(live.is_answered)} live rows ({reason}); "
        "the endpoint will answer such rows with an error",
    )
