"""The gate: what passes is deterministic and says what it is; what fails leaves nothing behind."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from automation.driver import ROOT
from automation.errors import EqualityError
from automation.gate.packaging import package, package_trained
from automation.spec import load_spec
from tests.support.trained_models import a_trained_model

PACKAGE_MODELS = """
import sys
from pathlib import Path
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from automation.gate.packaging import package_trained
from tests.support.trained_models import a_model_of_table, a_table

def digest(trained):
    return package_trained("table", trained, Path(sys.argv[1])).artifact.digest

rows, labels = load_iris(return_X_y=True, as_frame=True)
forest = RandomForestClassifier(50, max_depth=3, random_state=0, n_jobs=4)
print(digest(a_model_of_table(forest, rows, labels.to_numpy())))
columns = ColumnTransformer([
    ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
    ("city", OneHotEncoder(handle_unknown="ignore"), ["city"]),
])
print(digest(a_model_of_table(make_pipeline(columns, LogisticRegression()), a_table(gaps=True))))
"""


def content_of(archive: Path) -> dict[str, Any]:
    with tarfile.open(archive) as tar:
        return {
            name: json.loads(tar.extractfile(name).read())  # type: ignore[union-attr]
            for name in ("manifest.json", "golden.json")
        }


def test_the_same_models_have_the_same_digests_whatever_the_process_and_its_threads(
    tmp_path: Path,
) -> None:
    def packaged_elsewhere(seed: str, threads: str) -> list[str]:
        command = [sys.executable, "-c", PACKAGE_MODELS, str(tmp_path / seed)]
        own = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        many = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        return subprocess.run(
            command, env=os.environ | own | many, capture_output=True, text=True, check=True
        ).stdout.split()

    first, second = packaged_elsewhere("1", "1"), packaged_elsewhere("2", "3")

    assert first == second
    assert [len(digest) for digest in first] == [64, 64]


def test_the_manifest_says_what_the_artifact_is(tmp_path: Path) -> None:
    packaged = package_trained("tiny", a_trained_model(), tmp_path)

    manifest = content_of(packaged.artifact.archive)["manifest.json"]
    assert manifest == packaged.artifact.manifest
    assert manifest["schema_version"] == 2
    assert manifest["task"] == "classification"
    assert manifest["features"] == [
        {"name": name, "type": "number", "allows_missing": False, "categories": None}
        for name in ("height_cm", "kind")
    ]
    assert manifest["classes"] == ["low", "high"]
    assert manifest["onnx"] == {
        "inputs": [{"name": "X", "type": "float32", "features": ["height_cm", "kind"]}],
        "label_output": "label",
        "probability_output": "probabilities",
    }
    assert sorted(manifest["files"]) == ["forest.bin", "golden.json", "model.onnx"]
    assert manifest["versions"]["onnxruntime"] == importlib.metadata.version("onnxruntime")
    assert packaged.accuracy is not None
    assert manifest["accuracy"] == round(packaged.accuracy, 6)


def test_a_model_that_fails_on_live_rows_passes_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(ROOT / "models")
    (tmp_path / "container").symlink_to(ROOT / "container")

    packaged = package(load_spec(ROOT, "wine"), tmp_path, estimator="one-hot-proline")

    (warning,) = packaged.warnings
    assert "scikit-learn itself fails on 22 of 36 live rows" in warning
    assert packaged.accuracy == 1.0


def test_a_refused_model_leaves_no_artifact(tmp_path: Path) -> None:
    trained = a_trained_model()
    honest = trained.estimator.predict_proba
    trained.estimator.predict_proba = lambda rows: honest(rows)[:, ::-1]

    with pytest.raises(EqualityError):
        package_trained("tiny", trained, tmp_path)

    assert list(tmp_path.iterdir()) == []
