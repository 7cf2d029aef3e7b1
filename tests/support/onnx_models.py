"""Tiny fitted models in the packaged form the inference server reads; no tests here."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

FEATURE_NAMES = (
    "sepal length (cm)",
    "sepal width (cm)",
    "petal length (cm)",
    "petal width (cm)",
)
CLASSES = ("setosa", "versicolor", "virginica")


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """An estimator and the folder its artifact is written to.

    Args:
        directory: holds model.onnx, manifest.json and golden.json
        rows: rows the estimator was trained on
        estimator: the fitted estimator, to compare answers with
    """

    directory: Path
    rows: Any
    estimator: Any


def an_iris_classifier(
    directory: Path, *, trees: int = 10, labels: Sequence[Any] | None = None
) -> FittedModel:
    """Write an iris random forest.

    Args:
        directory: where the artifact goes
        trees: size of the forest
        labels: the estimator's own three classes; left out, they are 0, 1, 2 under iris's names
    """
    rows, targets = load_iris(return_X_y=True)
    if labels is not None:
        estimator = RandomForestClassifier(n_estimators=trees, random_state=42)
        estimator.fit(rows, np.array(labels)[targets])
        return _write(directory, "iris", estimator, rows, classes=[str(label) for label in labels])
    estimator = RandomForestClassifier(n_estimators=trees, random_state=42).fit(rows, targets)
    return _write(directory, "iris", estimator, rows)


def a_regressor(directory: Path) -> FittedModel:
    """Write a forest that predicts iris petal width from the other three columns and itself."""
    rows, _ = load_iris(return_X_y=True)
    estimator = RandomForestRegressor(n_estimators=5, random_state=42).fit(rows, rows[:, 3])
    return _write(directory, "petal-width", estimator, rows)


def a_classifier_failing_on_unseen_values(directory: Path) -> FittedModel:
    """Write a pipeline that one-hot-encodes whole numbers and raises on one it has not seen."""
    rows, targets = load_iris(return_X_y=True)
    rows = np.round(rows)
    encoder = ColumnTransformer(
        [("sepal length", OneHotEncoder(handle_unknown="error", sparse_output=False), [0])],
        remainder="passthrough",
    )
    estimator = make_pipeline(encoder, LogisticRegression(max_iter=1000)).fit(rows, targets)
    return _write(directory, "iris-one-hot", estimator, rows)


def packed(directory: Path) -> bytes:
    """Give an artifact's folder as S3 holds it, a gzip tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path in sorted(directory.iterdir()):
            archive.add(path, path.name)
    return buffer.getvalue()


def change_json(path: Path, **changes: object) -> None:
    """Overwrite fields of a JSON file of an artifact; a value of None removes the field.

    The manifest beside it gets the new digest, so that the content is what a test is about.
    """
    document = json.loads(path.read_text())
    document.update(changes)
    path.write_text(
        json.dumps({key: value for key, value in document.items() if value is not None})
    )
    reseal(path)


def reseal(path: Path) -> None:
    """Write the digest of a changed file of an artifact into its manifest."""
    manifest_path = path.parent / "manifest.json"
    if path == manifest_path:
        return
    manifest = json.loads(manifest_path.read_text())
    manifest["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest_path.write_text(json.dumps(manifest))


def _write(
    directory: Path, name: str, estimator: Any, rows: Any, classes: Sequence[str] = CLASSES
) -> FittedModel:
    is_classifier = hasattr(estimator, "predict_proba")
    options = {"zipmap": False} if is_classifier else None
    graph = to_onnx(estimator, rows[:1].astype(np.float32), options=options, target_opset=17)
    content = graph.SerializeToString()
    golden = rows[:: max(1, len(rows) // 10)].astype(np.float32)
    outputs = [output.name for output in graph.graph.output]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "model.onnx").write_bytes(content)
    manifest = {
        "schema_version": 2,
        "model": name,
        "estimator": "test",
        "task": "classification" if is_classifier else "regression",
        "runtime": "onnx",
        "features": [
            {"name": feature, "type": "number", "allows_missing": False, "categories": None}
            for feature in FEATURE_NAMES
        ],
        "classes": list(classes) if is_classifier else None,
        "outputs": None,
        "onnx": {
            "inputs": [
                {
                    "name": graph.graph.input[0].name,
                    "type": "float32",
                    "features": list(FEATURE_NAMES),
                }
            ],
            "label_output": outputs[0],
            "probability_output": outputs[1] if is_classifier else None,
        },
        "script": None,
        "files": {},
        "versions": {},
        "accuracy": 1.0,
    }
    answers: dict[str, Any] = {
        "instances": golden.tolist(),
        "labels": [
            estimator.classes_.tolist().index(label) if is_classifier else label
            for label in estimator.predict(golden).tolist()
        ],
    }
    if is_classifier:
        answers["probabilities"] = estimator.predict_proba(golden).tolist()
    (directory / "manifest.json").write_text(json.dumps(manifest))
    (directory / "golden.json").write_text(json.dumps(answers))
    for file in ("model.onnx", "golden.json"):
        reseal(directory / file)
    return FittedModel(directory=directory, rows=rows, estimator=estimator)
