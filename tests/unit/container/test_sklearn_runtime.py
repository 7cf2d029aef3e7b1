"""Answering rows with scikit-learn itself, and what is refused before it."""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer
from skops import io as skops_io

from automation.gate import estimator_file
from server.artifact_files import read_json_object
from server.errors import ArtifactError, GoldenMismatchError, PredictionError
from server.estimator_part import EstimatorInput, EstimatorPart
from server.manifest import Manifest, manifest_from_document
from server.model import Prediction
from server.predictor import load_predictor
from server.runtimes import candidates, golden_inputs, open_proven, read_artifact
from server.settings import Settings
from server.sklearn_runtime import (
    TRUSTED_PREFIXES,
    SklearnRuntime,
    check_version,
    estimator_rows,
    load_estimator,
)
from tests.support.onnx_models import FEATURE_NAMES, FittedModel, change_json
from tests.support.sklearn_models import (
    NUMBERS,
    a_classifier_of_frames,
    a_neighbors_classifier,
    list_files,
    write_estimator,
)

SKOPS = EstimatorPart(file="model.skops", input=EstimatorInput.MATRIX, sklearn_version="1.9.1")
PICKLE = EstimatorPart(file="model.joblib", input=EstimatorInput.MATRIX, sklearn_version="1.9.1")


@pytest.fixture(scope="module")
def neighbors(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return a_neighbors_classifier(tmp_path_factory.mktemp("neighbors"))


def manifest_of(directory: Path) -> Manifest:
    return manifest_from_document(read_json_object(directory / "manifest.json"))


def proven(directory: Path, **settings: Any) -> tuple[SklearnRuntime, Prediction]:
    """Load the runtime of an artifact as the server does, and answer its golden rows."""
    artifact = read_artifact(directory, Settings(**settings))
    [candidate] = candidates(artifact, Settings(**settings))
    runtime = open_proven(candidate, artifact)
    assert isinstance(runtime, SklearnRuntime)
    return runtime, runtime.predict(golden_inputs(artifact.golden, artifact.schema))


def test_an_estimator_from_skops_answers_to_the_bit(neighbors: FittedModel) -> None:
    runtime, _ = proven(neighbors.directory)

    prediction = runtime.predict({"X": neighbors.rows})

    assert prediction.labels == neighbors.estimator.predict(neighbors.rows).tolist()
    assert prediction.class_indexes == prediction.labels
    assert np.array_equal(
        np.asarray(prediction.probabilities), neighbors.estimator.predict_proba(neighbors.rows)
    )


def test_a_dataframe_is_made_of_texts_booleans_and_missing_values(tmp_path: Path) -> None:
    fitted = a_classifier_of_frames(tmp_path)

    runtime, prediction = proven(tmp_path)

    assert prediction.labels == ["small", "small", "large", "large"]
    assert prediction.class_indexes == [1, 1, 0, 0]
    assert runtime.estimator.classes_.tolist() == fitted.estimator.classes_.tolist()


def test_several_outputs_are_answered_row_by_row(tmp_path: Path) -> None:
    rows, targets = load_iris(return_X_y=True)
    both = np.column_stack([targets, targets == 0])
    estimator = RandomForestClassifier(n_estimators=3, random_state=1).fit(rows, both)
    outputs = [
        {"name": "kind", "classes": ["a", "b", "c"]},
        {"name": "first", "classes": ["no", "yes"]},
    ]
    golden = {
        "instances": rows[[0, 99]].tolist(),
        "labels": [[0, 1], [1, 0]],
        "probabilities": [part.tolist() for part in estimator.predict_proba(rows[[0, 99]])],
    }
    write_estimator(tmp_path, estimator, golden, features=NUMBERS, classes=None, outputs=outputs)

    _, prediction = proven(tmp_path)

    probabilities: Any = prediction.probabilities
    assert list(prediction.class_indexes) == [[0, 1], [1, 0]]
    assert [part.shape for part in probabilities] == [(2, 3), (2, 2)]


def test_a_regressor_answers_plain_values(tmp_path: Path) -> None:
    rows, _ = load_iris(return_X_y=True)
    estimator = LinearRegression().fit(rows, rows[:, :1])
    golden = {"instances": rows[:2].tolist(), "labels": rows[:2, 0].tolist()}
    write_estimator(tmp_path, estimator, golden, features=NUMBERS, classes=None)

    _, prediction = proven(tmp_path)

    assert prediction.labels == pytest.approx(rows[:2, 0].tolist())
    assert (prediction.class_indexes, prediction.probabilities) == ([], None)


def test_rows_of_texts_for_an_estimator_of_arrays_are_one_array(tmp_path: Path) -> None:
    a_classifier_of_frames(tmp_path)
    manifest = manifest_of(tmp_path)
    inputs = {
        "length": np.array([[1.5]]),
        "color": np.array([[None]], dtype=object),
        "new": np.array([[True]]),
    }

    [row] = estimator_rows(inputs, manifest, takes_frame=False).tolist()

    assert (row[0], row[2]) == (1.5, True)
    assert np.isnan(row[1])


def test_a_wrong_answer_to_a_golden_row_is_refused(tmp_path: Path) -> None:
    a_neighbors_classifier(tmp_path)
    golden = tmp_path / "golden.json"
    labels = json.loads(golden.read_text())["labels"]
    change_json(golden, labels=[(label + 1) % 3 for label in labels])

    with pytest.raises(GoldenMismatchError, match="golden row 0"):
        load_predictor(tmp_path, Settings())


def test_an_estimator_that_raises_is_named_in_the_error(neighbors: FittedModel) -> None:
    runtime, _ = proven(neighbors.directory)

    with pytest.raises(PredictionError, match=r"scikit-learn: \w+Error: "):
        runtime.predict({"X": np.zeros((1, 1))})


def test_a_number_is_the_class_itself_where_an_estimator_does_not_tell_its_classes(
    neighbors: FittedModel,
) -> None:
    class Untold:
        def predict(self, rows: Any) -> Any:
            return np.array([3, 1])

    manifest = replace(manifest_of(neighbors.directory), classes=("1", "2", "3"), labels=())

    answer = SklearnRuntime(manifest, Untold(), takes_frame=False).predict(
        {"X": np.zeros((2, len(FEATURE_NAMES)))}
    )

    assert answer.class_indexes == [2, 0]


def test_a_class_the_manifest_lacks_is_an_error(neighbors: FittedModel) -> None:
    class Surprising:
        def predict(self, rows: Any) -> Any:
            return np.array(["tulip"])

    runtime = SklearnRuntime(manifest_of(neighbors.directory), Surprising(), takes_frame=False)

    with pytest.raises(
        PredictionError, match=r"answered class 'tulip'; the manifest has \('setosa"
    ):
        runtime.predict({"X": np.zeros((1, len(FEATURE_NAMES)))})


def test_a_pickle_is_read_only_where_the_settings_allow_it(tmp_path: Path) -> None:
    a_neighbors_classifier(tmp_path, pickled=True)

    with pytest.raises(ArtifactError, match=r"model\.joblib is a pickle.*GREENLIGHT_ALLOW_PICKLE"):
        load_predictor(tmp_path, Settings())
    _, prediction = proven(tmp_path, allows_pickle=True)

    assert prediction.class_indexes[0] == 0


def test_a_damaged_pickle_is_named() -> None:
    with pytest.raises(ArtifactError, match=r"model\.joblib cannot be read: "):
        load_estimator(PICKLE, b"no pickle", allows_pickle=True)


def test_another_version_of_scikit_learn_is_refused_with_the_fix(tmp_path: Path) -> None:
    a_neighbors_classifier(tmp_path)
    change_json(tmp_path / "manifest.json", versions={"scikit-learn": "1.2.3"})

    with pytest.raises(ArtifactError, match=r"with scikit-learn 1\.2\.3 and .* package it again"):
        load_predictor(tmp_path, Settings())


def test_an_image_without_scikit_learn_says_which_one_has_it() -> None:
    with pytest.raises(ArtifactError, match=r"there is none here.*requirements-sklearn\.lock"):
        check_version("1.9.1", None)


def test_types_that_are_not_scikit_learns_are_never_read() -> None:
    content = skops_io.dumps(FunctionTransformer(json.dumps))

    with pytest.raises(ArtifactError, match=r"types that are not scikit-learn's: json\.dumps"):
        load_estimator(SKOPS, content, allows_pickle=True)


def test_a_pickle_that_calls_itself_skops_runs_nothing() -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("a pickle was read",))

    packed = io.BytesIO()
    pickle.dump(Trap(), packed)

    with pytest.raises(ArtifactError, match=r"model\.skops cannot be read"):
        load_estimator(SKOPS, packed.getvalue(), allows_pickle=True)


def test_the_server_trusts_what_the_packaging_gate_trusts() -> None:
    assert TRUSTED_PREFIXES == estimator_file.TRUSTED_PREFIXES


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sklearn": {"file": "model.skops", "input": "list"}}, "it must be one of matrix, data"),
        ({"sklearn": {"file": "model.pt", "input": "matrix"}}, r"this server reads \.skops and"),
        ({"sklearn": {"file": "other.skops", "input": "matrix"}}, "does not list 'other.skops'"),
        ({"versions": {}}, "scikit-learn is missing in manifest versions"),
        ({"sklearn": None}, "sklearn is missing in the manifest"),
    ],
)
def test_what_the_manifest_says_of_the_estimator_is_checked(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    a_neighbors_classifier(tmp_path)
    list_files(tmp_path)
    change_json(tmp_path / "manifest.json", **changes)

    with pytest.raises(ArtifactError, match=message):
        load_predictor(tmp_path, Settings())
