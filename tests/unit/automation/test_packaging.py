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

import numpy as np
import pytest

from automation.driver import ROOT
from automation.errors import EqualityError
from automation.packaging import golden_for, package, package_trained
from automation.spec import load_spec
from tests.support.trained_models import a_trained_model

PACKAGE_IRIS = """
import sys
from pathlib import Path
from automation.packaging import package_trained
from automation.spec import load_spec
from automation.training import train
root = Path(sys.argv[1])
trained = train(load_spec(root, "iris"), root)
print(package_trained("iris", trained, Path(sys.argv[2])).artifact.digest)
"""


def content_of(archive: Path) -> dict[str, Any]:
    with tarfile.open(archive) as tar:
        return {
            name: json.loads(tar.extractfile(name).read())  # type: ignore[union-attr]
            for name in ("manifest.json", "golden.json")
        }


def test_the_same_model_has_the_same_digest_twice_and_in_another_process(tmp_path: Path) -> None:
    def packaged_elsewhere(seed: str) -> str:
        command = [sys.executable, "-c", PACKAGE_IRIS, str(ROOT), str(tmp_path / seed)]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    first, second = packaged_elsewhere("1"), packaged_elsewhere("2")

    assert first == second
    assert len(first) == 64


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
    assert sorted(manifest["files"]) == ["golden.json", "model.onnx"]
    assert manifest["versions"]["onnxruntime"] == importlib.metadata.version("onnxruntime")
    assert packaged.accuracy is not None
    assert manifest["accuracy"] == round(packaged.accuracy, 6)


def test_golden_rows_cover_every_class_with_the_answers_scikit_learn_gives() -> None:
    trained = a_trained_model()

    golden = golden_for(trained)

    assert sorted(set(golden["labels"])) == [0, 1]
    assert np.array_equal(
        golden["probabilities"], trained.estimator.predict_proba(np.array(golden["instances"]))
    )


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


def test_an_estimator_that_answers_no_golden_row_is_refused() -> None:
    trained = a_trained_model()
    trained.estimator.predict = None

    with pytest.raises(EqualityError, match="answers none of the 8 golden rows"):
        golden_for(trained)
