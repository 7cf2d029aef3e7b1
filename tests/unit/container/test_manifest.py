"""What the server reads from manifest.json and golden.json."""

from __future__ import annotations

from typing import Any

import pytest

from server.errors import ArtifactError
from server.manifest import (
    Feature,
    FeatureType,
    ModelInput,
    Output,
    RuntimeName,
    Task,
    TensorType,
    golden_from_document,
    manifest_from_document,
)


def a_feature(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "type": "number", "allows_missing": False, "categories": None} | changes


def a_graph(**changes: Any) -> dict[str, Any]:
    graph: dict[str, Any] = {
        "inputs": [{"name": "X", "type": "float32", "features": ["length", "width"]}],
        "label_output": "label",
        "probability_output": "probabilities",
    }
    return graph | changes


def a_manifest_document(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schema_version": 2,
        "model": "iris",
        "estimator": "random-forest",
        "task": "classification",
        "runtime": "onnx",
        "features": [a_feature("length"), a_feature("width")],
        "classes": ["setosa", "versicolor"],
        "outputs": None,
        "onnx": a_graph(),
        "script": None,
        "files": {"model.onnx": "ab", "golden.json": "cd"},
        "versions": {"onnx": "1"},
        "accuracy": 1.0,
        "a key of a later release": {},
    }
    return document | changes


def test_a_classifiers_manifest_is_read() -> None:
    manifest = manifest_from_document(a_manifest_document())

    assert (manifest.model, manifest.task) == ("iris", Task.CLASSIFICATION)
    assert (manifest.feature_names, manifest.classes) == (
        ("length", "width"),
        ("setosa", "versicolor"),
    )
    assert (manifest.label_output, manifest.probability_outputs) == ("label", ("probabilities",))
    assert manifest.inputs == (
        ModelInput(name="X", type=TensorType.FLOAT32, features=("length", "width")),
    )


def test_a_regressors_manifest_has_no_classes() -> None:
    document = a_manifest_document(
        task="regression",
        classes=None,
        onnx=a_graph(label_output="variable", probability_output=None),
    )

    manifest = manifest_from_document(document)

    assert (manifest.classes, manifest.label_output, manifest.probability_outputs) == (
        (),
        "variable",
        (),
    )


def test_features_of_every_type_are_read() -> None:
    features = [
        a_feature("length", allows_missing=True),
        a_feature("colour", type="string", categories=["red", "blue"]),
        a_feature("ripe", type="boolean"),
    ]
    inputs = [
        {"name": "length", "type": "float64", "features": ["length"]},
        {"name": "colour", "type": "string", "features": ["colour"], "missing": "nan"},
        {"name": "ripe", "type": "bool", "features": ["ripe"]},
    ]

    manifest = manifest_from_document(
        a_manifest_document(features=features, onnx=a_graph(inputs=inputs))
    )

    assert manifest.features == (
        Feature(name="length", type=FeatureType.NUMBER, allows_missing=True),
        Feature(name="colour", type=FeatureType.STRING, categories=("red", "blue")),
        Feature(name="ripe", type=FeatureType.BOOLEAN),
    )
    assert [given.missing for given in manifest.inputs] == ["", "nan", ""]


def test_several_outputs_have_their_own_classes() -> None:
    outputs = [{"name": "kind", "classes": ["a", "b"]}, {"name": "size", "classes": [1, 2, 3]}]
    document = a_manifest_document(
        classes=None, outputs=outputs, onnx=a_graph(probability_output=["p1", "p2"])
    )

    manifest = manifest_from_document(document)

    assert manifest.outputs == (
        Output(name="kind", classes=("a", "b")),
        Output(name="size", classes=("1", "2", "3")),
    )
    assert (manifest.classes, manifest.probability_outputs) == ((), ("p1", "p2"))


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [("number", ["X"]), ("string", ["length", "width"]), ("boolean", ["length", "width"])],
)
def test_scikit_learn_is_fed_one_matrix_of_numbers_or_a_column_each(
    kind: str, inputs: list[str]
) -> None:
    document = a_manifest_document(
        runtime="sklearn",
        onnx=None,
        sklearn={"file": "model.skops", "input": "matrix"},
        versions={"scikit-learn": "1.9.1"},
        files={"golden.json": "cd", "model.skops": "ef"},
        features=[a_feature("length"), a_feature("width", type=kind)],
    )

    manifest = manifest_from_document(document)

    assert (manifest.runtime, manifest.label_output) == (RuntimeName.SKLEARN, "")
    assert [given.name for given in manifest.inputs] == inputs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 1}, "manifest schema_version is 1; this server reads 2: serve the"),
        ({"schema_version": True}, "schema_version is a bool in the manifest; it must be a int"),
        ({"runtime": "torch"}, "runtime in the manifest is 'torch'; it must be one of onnx, skl"),
        ({"task": "ranking"}, "task in the manifest is 'ranking'; it must be one of classificat"),
        ({"model": None}, "model is missing in the manifest; it must be a str"),
        ({"features": "a,b"}, "features is a str in the manifest; it must be a list"),
        ({"features": []}, "manifest features must have different names, not []"),
        ({"features": [a_feature("a")] * 2}, "manifest features must have different names, not ["),
        ({"features": ["a"]}, "manifest features[0] is a str; it must be an object"),
        ({"features": [{"name": "a", "type": "date"}]}, "type in manifest features[0] is 'date'"),
        ({"features": [{"name": "a", "type": "number"}]}, "allows_missing is missing in manifest"),
        ({"features": [a_feature("a", categories=["x"])]}, "is a number and has the category 'x'"),
        ({"features": [a_feature("a", categories=[])]}, "manifest features[0] has no categories"),
        ({"classes": []}, "classes in the manifest must be a list of different names, not []"),
        ({"onnx": None}, "onnx is missing in the manifest; it must be a dict"),
        ({"onnx": {}}, "inputs is missing in the manifest; it must be a list"),
        ({"onnx": a_graph(inputs=[])}, "manifest onnx.inputs must have different names, not []"),
        ({"onnx": a_graph(inputs=[1])}, "manifest onnx.inputs[0] is a int; it must be an object"),
        (
            {"onnx": a_graph(inputs=[a_graph()["inputs"][0] | {"missing": None}])},
            "missing is missing in manifest onnx.inputs[0]; it must be a str",
        ),
        ({"onnx": a_graph(label_output=None)}, "label_output is missing in the manifest"),
        ({"onnx": a_graph(probability_output=["a", "b"])}, "probability_output is ['a', 'b']; it"),
        ({"outputs": []}, "manifest outputs must have different names, not []"),
        ({"outputs": [1]}, "manifest outputs[0] is a int; it must be an object"),
        ({"outputs": [{"name": "a"}]}, "classes is missing in manifest outputs[0]"),
        ({"files": {"model.onnx": "ab"}}, "manifest files lists ['model.onnx']; it must list gold"),
        ({"files": {"golden.json": "ab"}}, "it must list model.onnx"),
        ({"files": {"../golden.json": "ab"}}, "'../golden.json': 'ab'; it must be a path in"),
        ({"files": {"/etc/passwd": "ab"}}, "it must be a path in the artifact"),
    ],
)
def test_a_wrong_manifest_is_refused_by_the_fields_name(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArtifactError) as caught:
        manifest_from_document(a_manifest_document(**changes))

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("features", "given", "message"),
    [
        ([a_feature("a")], {"type": "string"}, "'a' is a number, its input 'X' takes string; it"),
        ([a_feature("a")], {"features": ["b"]}, "name 'b', which is not among the features"),
        ([a_feature("a"), a_feature("b")], {}, "manifest onnx.inputs leave out the features ['b']"),
        (
            [a_feature("a", allows_missing=True)],
            {"type": "int64"},
            "'a' allows missing values, its input 'X' of int64 has none",
        ),
    ],
)
def test_inputs_that_do_not_fit_the_features_are_refused(
    features: list[dict[str, Any]], given: dict[str, Any], message: str
) -> None:
    inputs = [{"name": "X", "type": "float32", "features": ["a"]} | given]
    document = a_manifest_document(features=features, onnx=a_graph(inputs=inputs))

    with pytest.raises(ArtifactError) as caught:
        manifest_from_document(document)

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
