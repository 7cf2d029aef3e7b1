"""What the server reads from manifest.json and golden.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from server.errors import ArtifactError
from server.manifest import (
    Task,
    golden_from_document,
    manifest_from_document,
    read_json_object,
)


def a_manifest_document(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schema_version": 1,
        "model": "iris",
        "estimator": "random-forest",
        "task": "classification",
        "feature_names": ["length", "width"],
        "feature_count": 2,
        "classes": ["setosa", "versicolor"],
        "runtime": "onnx",
        "onnx_input": "X",
        "onnx_outputs": {"label": "label", "probabilities": "probabilities"},
        "versions": {"onnx": "1"},
        "model_sha256": "ab",
    }
    return document | changes


def test_a_classifiers_manifest_is_read() -> None:
    manifest = manifest_from_document(a_manifest_document())

    assert (manifest.model, manifest.task) == ("iris", Task.CLASSIFICATION)
    assert (manifest.feature_names, manifest.classes) == (
        ("length", "width"),
        ("setosa", "versicolor"),
    )
    assert (manifest.label_output, manifest.probability_output) == ("label", "probabilities")


def test_a_regressors_manifest_has_no_classes() -> None:
    document = a_manifest_document(
        task="regression", classes=None, onnx_outputs={"value": "variable"}
    )

    manifest = manifest_from_document(document)

    assert (manifest.classes, manifest.label_output, manifest.probability_output) == (
        (),
        "variable",
        None,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "manifest schema_version is 2; this server reads 1: serve the"),
        ({"schema_version": True}, "schema_version is a bool in the artifact; it must be a int"),
        ({"runtime": "sklearn"}, "manifest runtime is 'sklearn'; this server runs 'onnx'"),
        ({"task": "ranking"}, "manifest task is 'ranking'; it must be one of classification, reg"),
        ({"model": None}, "model is missing in the artifact; it must be a str"),
        ({"feature_names": "a,b"}, "feature_names is a str in the artifact; it must be a list"),
        ({"feature_names": ["a", "a"]}, "manifest feature_names must be a list of different names"),
        ({"classes": []}, "manifest classes must be a list of different names, not []"),
        ({"feature_count": 3}, "manifest feature_count is 3, but feature_names has 2 names"),
        ({"onnx_outputs": {}}, "manifest onnx_outputs has []; it must name the output 'label'"),
    ],
)
def test_a_wrong_manifest_is_refused_by_the_fields_name(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArtifactError) as caught:
        manifest_from_document(a_manifest_document(**changes))

    assert message in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [], "labels": [], "probabilities": []},
        {"instances": [[1, 2]], "labels": [], "probabilities": [[0, 1]]},
        {"instances": [[1, 2]], "labels": [0], "probabilities": []},
        {"instances": [[1, 2]], "labels": [0]},
        {"labels": [0], "probabilities": [[0, 1]]},
    ],
)
def test_golden_rows_without_an_answer_each_are_refused(document: dict[str, Any]) -> None:
    manifest = manifest_from_document(a_manifest_document())

    with pytest.raises(ArtifactError):
        golden_from_document(document, manifest)


def test_a_missing_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"No such file.*package the model again"):
        read_json_object(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "is not JSON"), (b"\xff", "is not JSON"), (b"[]", "holds a list; a JSON object")],
)
def test_a_file_that_is_no_json_object_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)

    with pytest.raises(ArtifactError, match=message):
        read_json_object(path)
