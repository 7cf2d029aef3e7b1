"""A finished artifact is proven with the server's code, in every runtime the server has for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from automation.archive import files_from_archive
from automation.artifact import json_bytes
from automation.errors import ArtifactError, EqualityError
from automation.gate.packaging import package_trained
from automation.gate.serving_proof import prove_served
from automation.gate.training import TrainedModel
from tests.support.trained_models import a_model_of_table, a_table, a_trained_model

NUMBERS = ["age", "income"]


def packaged_files(trained: TrainedModel, root: Path) -> dict[str, bytes]:
    packaged = package_trained("table", trained, root)
    return dict(files_from_archive(packaged.artifact.archive.read_bytes(), "it"))


def test_the_compiled_forest_and_the_graph_are_both_compared(tmp_path: Path) -> None:
    pytest.importorskip("greenlight_kernel", reason="the kernel is not built; run `make setup`")
    trained = a_trained_model()
    files = packaged_files(trained, tmp_path)

    assert prove_served(trained, trained.live_rows, files) == ("forest", "onnx")


def test_labels_that_are_numbers_are_served_under_other_names(tmp_path: Path) -> None:
    frame = a_table()[NUMBERS]
    labels = np.where(frame["age"] > 45, 7, 3)
    trained = a_model_of_table(LogisticRegression(max_iter=500), frame, labels)
    renamed = a_trained_model(**{**vars(trained), "class_names": ("young", "old")})

    manifest = json.loads(packaged_files(renamed, tmp_path)["manifest.json"])

    assert manifest["labels"] == [3, 7]
    assert manifest["classes"] == ["young", "old"]


def of_texts(final: Any) -> Any:
    columns = ColumnTransformer(
        [("age", StandardScaler(), ["age"]), ("city", OneHotEncoder(), ["city"])]
    )
    return make_pipeline(columns, final)


@pytest.mark.parametrize(
    ("estimator", "columns", "labels"),
    [
        (of_texts(LogisticRegression()), [*NUMBERS, "city"], None),
        (of_texts(LinearSVC()), [*NUMBERS, "city"], None),
        (MultiOutputClassifier(LogisticRegression(max_iter=500)), NUMBERS, ("city", "member")),
        (DecisionTreeClassifier(max_depth=3), NUMBERS, ("city", "city")),
        (LinearRegression(), NUMBERS, ("age", "income")),
    ],
    ids=["texts", "labels only", "several outputs", "a tree of several outputs", "several values"],
)
def test_models_of_every_form_are_served_as_scikit_learn_answers(
    tmp_path: Path, estimator: Any, columns: list[str], labels: tuple[str, ...] | None
) -> None:
    frame = a_table()
    truth = None if labels is None else frame[list(labels)].to_numpy()
    if truth is not None and truth.dtype == object:
        truth = truth.astype(str)
    trained = a_model_of_table(estimator, frame[columns], truth)

    packaged = package_trained("table", trained, tmp_path)

    assert packaged.checked_rows > 100


def test_a_server_that_would_answer_otherwise_stops_the_gate(tmp_path: Path) -> None:
    trained = a_trained_model()
    files = packaged_files(trained, tmp_path)
    honest = trained.estimator.predict
    trained.estimator.predict = lambda rows: 1 - honest(rows)

    with pytest.raises(EqualityError, match=r"what serves answers otherwise: row .* label"):
        prove_served(trained, trained.live_rows, files)


def test_rows_the_server_refuses_stop_the_gate(tmp_path: Path) -> None:
    trained = a_trained_model()
    files = packaged_files(trained, tmp_path)

    with pytest.raises(EqualityError, match="the server refuses rows that scikit-learn answers"):
        prove_served(trained, np.array([[np.nan, 1.0]]), files)


def test_an_artifact_the_server_refuses_stops_the_gate(tmp_path: Path) -> None:
    trained = a_trained_model()
    files = packaged_files(trained, tmp_path)
    manifest = json.loads(files["manifest.json"]) | {"labels": [0]}

    with pytest.raises(ArtifactError, match="one is needed for each class"):
        prove_served(trained, trained.live_rows, files | {"manifest.json": json_bytes(manifest)})
