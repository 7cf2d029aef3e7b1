"""Artifacts that scikit-learn itself runs, and inference scripts in artifacts; no tests here."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skops import io as skops_io

from tests.support.onnx_models import CLASSES, FEATURE_NAMES, FittedModel

NUMBERS = [
    {"name": name, "type": "number", "allows_missing": False, "categories": None}
    for name in FEATURE_NAMES
]
COLORS = pd.DataFrame(
    {
        "length": [1.0, 2.0, 8.0, 9.0] * 5,
        "color": ["red", None, "blue", "blue"] * 5,
        "new": [True, False, True, False] * 5,
    }
)


def a_neighbors_classifier(directory: Path, *, pickled: bool = False) -> FittedModel:
    """Write an iris classifier that answers by its nearest rows, read from skops or a pickle."""
    rows, targets = load_iris(return_X_y=True)
    estimator = KNeighborsClassifier(n_neighbors=3).fit(rows, targets)
    golden = {
        "instances": rows[::15].tolist(),
        "labels": targets[::15].tolist(),
        "probabilities": estimator.predict_proba(rows[::15]).tolist(),
    }
    write_estimator(
        directory, estimator, golden, features=NUMBERS, classes=CLASSES, pickled=pickled
    )
    return FittedModel(directory=directory, rows=rows, estimator=estimator)


def a_classifier_of_frames(directory: Path) -> FittedModel:
    """Write a pipeline over a DataFrame of a number, a text that may be missing and a boolean."""
    encoder = ColumnTransformer(
        [("color", OneHotEncoder(handle_unknown="ignore"), ["color"])], remainder="passthrough"
    )
    targets = np.array(["small", "small", "large", "large"] * 5)
    estimator = make_pipeline(encoder, KNeighborsClassifier(n_neighbors=1)).fit(COLORS, targets)
    classes = estimator.classes_.tolist()
    rows = [
        [length, None if isinstance(color, float) else color, new]
        for length, color, new in COLORS[:4].itertuples(index=False)
    ]
    golden = {
        "instances": rows,
        "labels": [classes.index(label) for label in estimator.predict(COLORS[:4])],
        "probabilities": estimator.predict_proba(COLORS[:4]).tolist(),
    }
    features = [
        {"name": name, "type": kind, "allows_missing": kind == "string", "categories": None}
        for name, kind in (("length", "number"), ("color", "string"), ("new", "boolean"))
    ]
    write_estimator(directory, estimator, golden, features=features, classes=classes, frame=True)
    return FittedModel(directory=directory, rows=rows, estimator=estimator)


def write_estimator(
    directory: Path,
    estimator: Any,
    golden: Mapping[str, Any],
    *,
    features: Sequence[Mapping[str, Any]],
    classes: Sequence[str] | None,
    outputs: Sequence[Mapping[str, Any]] | None = None,
    frame: bool = False,
    pickled: bool = False,
) -> None:
    """Write an artifact of runtime sklearn, with the installed version in its manifest."""
    directory.mkdir(parents=True, exist_ok=True)
    name = "model.joblib" if pickled else "model.skops"
    packed = io.BytesIO()
    joblib.dump(estimator, packed)
    (directory / name).write_bytes(packed.getvalue() if pickled else skops_io.dumps(estimator))
    (directory / "golden.json").write_text(json.dumps(golden))
    manifest = {
        "schema_version": 2,
        "model": "neighbors",
        "estimator": "test",
        "task": "regression" if classes is None and outputs is None else "classification",
        "runtime": "sklearn",
        "features": list(features),
        "classes": None if classes is None else list(classes),
        "outputs": None if outputs is None else list(outputs),
        "onnx": None,
        "sklearn": {"file": name, "input": "dataframe" if frame else "matrix"},
        "script": None,
        "files": {},
        "versions": {"scikit-learn": sklearn.__version__},
        "accuracy": 1.0,
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))
    list_files(directory)


def add_script(directory: Path, source: str, **neighbors: str) -> None:
    """Put an inference script into an artifact, and modules beside it by name."""
    code = directory / "code"
    code.mkdir(exist_ok=True)
    (code / "inference.py").write_text(source)
    for name, text in neighbors.items():
        (code / f"{name}.py").write_text(text)
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["script"] = "code/inference.py"
    (directory / "manifest.json").write_text(json.dumps(manifest))
    list_files(directory)


def list_files(directory: Path) -> None:
    """Write the digest of every file of an artifact into its manifest."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = {
        str(file.relative_to(directory)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(directory.rglob("*"))
        if file.is_file() and file != path and "__pycache__" not in file.parts
    }
    path.write_text(json.dumps(manifest))
