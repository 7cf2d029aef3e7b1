"""What the gate writes, the server serves: each form of artifact, by the server's own command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from automation.archive import files_from_archive
from automation.driver import ROOT
from automation.errors import ArtifactError, ConversionError
from automation.gate.inference_script import script_from_files
from automation.gate.origin import Origin
from automation.gate.packaging import Package, package_origin, package_trained
from automation.gate.server_proof import answers_of_server
from automation.gate.training import TrainedModel, trained_from_returned
from automation.spec import Runtime
from tests.support.trained_models import a_trained_model

COLOURS = ["red", "blue", "red", "green"] * 5


def a_model_of_a_frame() -> TrainedModel:
    """A pipeline that was fitted on a DataFrame with texts and missing values."""
    frame = pd.DataFrame({"colour": COLOURS, "size": [float(i) for i in range(20)]})
    frame.loc[3, "size"] = np.nan
    labels = ["warm" if colour == "red" else "cold" for colour in COLOURS]
    columns = ColumnTransformer(
        [("code", OneHotEncoder(), ["colour"]), ("fill", SimpleImputer(), ["size"])]
    )
    pipeline = make_pipeline(columns, RandomForestClassifier(n_estimators=5, random_state=42))
    returned = {
        "estimator": pipeline.fit(frame, labels),
        "feature_names": list(frame.columns),
        "class_names": ["cold", "warm"],
        "training_rows": frame,
        "training_labels": labels,
        "live_rows": frame,
        "live_labels": labels,
    }
    return trained_from_returned(returned, "pipeline", Path("train.py"))


def files_of(packaged: Package) -> dict[str, bytes]:
    return files_from_archive(packaged.artifact.archive.read_bytes(), "it")


def test_scikit_learn_itself_serves_from_a_skops_file(tmp_path: Path) -> None:
    packaged = package_trained("tiny", a_trained_model(), tmp_path, Runtime.SKLEARN)

    manifest = packaged.artifact.manifest
    assert (manifest["runtime"], manifest["onnx"]) == ("sklearn", None)
    assert manifest["sklearn"] == {"file": "model.skops", "input": "matrix"}
    assert sorted(manifest["files"]) == ["golden.json", "model.skops"]
    # The server itself was asked before anything was written.
    assert packaged.checked_rows > len(a_trained_model().live_rows)


def test_texts_and_missing_values_reach_a_pipeline_as_it_was_fitted(tmp_path: Path) -> None:
    packaged = package_trained("tiny", a_model_of_a_frame(), tmp_path, Runtime.SKLEARN)

    body = json.dumps({"instances": [["red", 3.0], ["green", None]]}).encode()
    (answer,) = answers_of_server(ROOT, files_of(packaged), [body])

    assert packaged.artifact.manifest["sklearn"]["input"] == "dataframe"
    assert answer["sklearn"]["class_indexes"] == [1, 0]


def test_a_pickle_is_served_only_where_packager_and_server_allow_it(tmp_path: Path) -> None:
    trained = a_trained_model()
    piped = make_pipeline(FunctionTransformer(pd.DataFrame.to_numpy), trained.estimator)
    held = replace(trained, estimator=piped, column_types=_types(trained))

    with pytest.raises(ConversionError, match=r"pandas.*give --allow-pickle"):
        package_trained("tiny", held, tmp_path, Runtime.SKLEARN)
    packaged = package_origin(
        "tiny", Origin(trained=held), tmp_path, Runtime.SKLEARN, allow_pickle=True
    )

    assert "reading it runs whatever code is in it" in packaged.warnings[0]
    assert packaged.artifact.manifest["sklearn"]["file"] == "model.joblib"


def _types(trained: TrainedModel) -> dict[str, Any]:
    return dict.fromkeys(trained.feature_names, np.dtype("float64"))


def test_a_script_and_its_files_go_into_the_artifact_with_their_digests(tmp_path: Path) -> None:
    source = b"def output_fn(prediction, accept):\n    return str(prediction)\n"
    (tmp_path / "container").symlink_to(ROOT / "container")
    script = script_from_files({"code/inference.py": source, "code/words.txt": b"x"}, "it")
    origin = Origin(trained=a_trained_model(), script=script, files={"extra/list.txt": b"y"})

    packaged = package_origin("tiny", origin, tmp_path, Runtime.ONNX)

    manifest = packaged.artifact.manifest
    assert manifest["script"] == "code/inference.py"
    assert sorted(manifest["files"]) == [
        "code/inference.py", "code/words.txt", "extra/list.txt", "forest.bin", "golden.json",
        "model.onnx",
    ]  # fmt: skip
    assert files_of(packaged)["code/inference.py"] == source


def test_a_script_of_the_projects_is_tried_on_the_golden_rows_before_anything_is_kept(
    tmp_path: Path,
) -> None:
    (tmp_path / "container").symlink_to(ROOT / "container")
    source = b"def output_fn(prediction, accept):\n    return prediction.no_such_part\n"
    script = script_from_files({"code/inference.py": source}, "it")
    ours = Origin(trained=a_trained_model(), script=script, is_script_ours=True)

    with pytest.raises(ArtifactError, match=r"inference\.py: output_fn, line 2"):
        package_origin("tiny", ours, tmp_path, Runtime.ONNX)
    assert not (tmp_path / "build").exists()

    # One that came in an archive is somebody else's code, which the gate does not run.
    package_origin("tiny", replace(ours, is_script_ours=False), tmp_path, Runtime.ONNX)


def test_without_labels_nothing_is_said_of_accuracy(tmp_path: Path) -> None:
    unlabelled = replace(a_trained_model(), has_labels=False)

    packaged = package_trained("tiny", unlabelled, tmp_path)

    assert packaged.accuracy is None
    assert packaged.artifact.manifest["accuracy"] is None
