"""A model's spec is read whole, and everything wrong with it is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from automation.driver import ROOT
from automation.errors import ModelNotFoundError, SpecError
from automation.source import Source, SourceKind
from automation.spec import (
    Runtime,
    load_spec,
    merge_settings,
    model_names,
    spec_from_document,
)


def a_document(**changes: object) -> dict[str, object]:
    document: dict[str, object] = {
        "model": "iris",
        "training": {"script": "train.py", "estimator": "random-forest"},
    }
    return document | changes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "train.py").write_text("")
    return tmp_path


@pytest.mark.parametrize("model", ["iris", "wine"])
def test_the_shipped_specs_can_be_used(model: str) -> None:
    spec = load_spec(ROOT, model)

    assert spec.model == model
    assert spec.script is not None
    assert (ROOT / spec.script).is_file()
    assert spec.samples


def test_a_path_to_the_spec_means_the_model() -> None:
    assert load_spec(ROOT, "models/iris") == load_spec(ROOT, "iris")
    assert load_spec(ROOT, "models/iris.yaml") == load_spec(ROOT, "iris")


def test_an_unknown_model_is_refused_with_the_known_ones(root: Path) -> None:
    (root / "models" / "iris.yaml").write_text("")

    with pytest.raises(ModelNotFoundError, match=r"'fraud' has no spec; models with one are iris"):
        load_spec(root, "fraud")


def test_a_spec_that_is_not_yaml_is_refused(root: Path) -> None:
    (root / "models" / "iris.yaml").write_text("model: [")

    with pytest.raises(SpecError, match=r"models/iris\.yaml is not YAML"):
        load_spec(root, "iris")


def test_every_problem_of_a_spec_is_listed(root: Path) -> None:
    document = a_document(
        model="other",
        training={"script": "missing.py", "estimater": "x"},
        settings={"artifact": "build"},
        stages={"test": {}},
        samples=[[1, {"two": 2}]],
        colour="blue",
    )

    with pytest.raises(SpecError) as refusal:
        spec_from_document(document, "iris", root)

    message = str(refusal.value)
    for problem in (
        "model is 'other'; the file is named after 'iris'",
        "training.script is 'missing.py'; there is no such file",
        "training.estimater is not a key of a spec",
        "training.estimator is None; give a text",
        "settings.artifact is set by greenlight itself",
        "stages.test is not a stage; allowed are dev, prod",
        "samples[0] is [1, {'two': 2}]; give a list of numbers, texts, booleans or nulls",
        "colour is not a key of a spec",
    ):
        assert problem in message


def test_the_settings_of_a_stage_lie_over_those_of_the_model(root: Path) -> None:
    document = a_document(
        settings={"instanceType": "ml.m5.large", "tags": {"Team": "a", "Kind": "b"}},
        stages={"prod": {"tags": {"Team": "c"}, "maxCapacity": 5}},
    )

    spec = spec_from_document(document, "iris", root)

    assert spec.settings_for("dev") == document["settings"]
    assert spec.settings_for("prod") == {
        "instanceType": "ml.m5.large",
        "tags": {"Team": "c", "Kind": "b"},
        "maxCapacity": 5,
    }


def test_samples_may_hold_texts_booleans_and_missing_values(root: Path) -> None:
    spec = spec_from_document(a_document(samples=[[1, "red", True, None]]), "iris", root)

    assert spec.samples == ((1.0, "red", True, None),)


def test_merging_leaves_what_lies_below_unchanged() -> None:
    under: dict[str, object] = {"tags": {"Team": "a"}}

    merge_settings(under, {"tags": {"Team": "b"}})

    assert under == {"tags": {"Team": "a"}}


def test_models_are_listed_by_their_specs(root: Path) -> None:
    for name in ("wine", "iris"):
        (root / "models" / f"{name}.yaml").write_text("")

    assert model_names(root) == ["iris", "wine"]


def test_a_model_from_elsewhere_needs_no_training_script(root: Path) -> None:
    (root / "rows.csv").write_text("")
    document = {
        "model": "iris",
        "source": {"modelPackage": "iris"},
        "rows": "rows.csv",
        "classNames": ["no", "yes"],
        "runtime": "sklearn",
        "script": "train.py",
    }

    spec = spec_from_document(document, "iris", root)

    assert (spec.script, spec.estimator) == (None, None)
    assert spec.source == Source(kind=SourceKind.MODEL_PACKAGE, value="iris")
    assert (spec.rows, spec.inference_script) == (Path("rows.csv"), Path("train.py"))
    assert spec.class_names == ("no", "yes")
    assert spec.runtime is Runtime.SKLEARN


def test_a_spec_that_says_nothing_of_where_the_model_comes_from_is_refused(root: Path) -> None:
    with pytest.raises(SpecError, match="neither training nor source says where the model comes"):
        spec_from_document({"model": "iris"}, "iris", root)


def test_every_problem_of_a_model_from_elsewhere_is_listed(root: Path) -> None:
    document = {
        "model": "iris",
        "source": {"artifact": "s3://", "trainingJob": "x", "registry": "y"},
        "rows": "rows.csv",
        "classNames": ["a", "a"],
        "runtime": "tensorflow",
        "script": 3,
    }

    with pytest.raises(SpecError) as refusal:
        spec_from_document(document, "iris", root)

    message = str(refusal.value)
    for problem in (
        "source.registry is not a key of a spec",
        "source names artifact, trainingJob; give exactly one of estimatorFile, artifact,",
        "rows is 'rows.csv'; there is nothing of that name in the project",
        "classNames is ['a', 'a']; the names have to be different",
        "runtime is 'tensorflow'; allowed are onnx, sklearn",
        "script is 3; give a text",
    ):
        assert problem in message


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({}, "source names none; give exactly one of"),
        (
            {"estimatorFile": "model.h5"},
            "source.estimatorFile is 'model.h5', which ends in none of",
        ),
        ({"estimatorFile": "no.skops"}, "is 'no.skops'; there is no such file in the project"),
        ({"artifact": "no.tar.gz"}, "is 'no.tar.gz'; there is no such file in the project"),
        ({"trainingJob": "a_b"}, "which is neither the name nor the ARN of a training job"),
        ({"artifact": ["x"]}, "source.artifact is ['x']; give a text"),
        ("s3://b/k.skops", "source is 's3://b/k.skops'; give an object with one of estimatorFile,"),
    ],
)
def test_a_source_that_cannot_be_one_is_refused(root: Path, source: object, problem: str) -> None:
    with pytest.raises(SpecError) as refusal:
        spec_from_document({"model": "iris", "source": source}, "iris", root)

    assert problem in str(refusal.value)
    assert "neither training nor source" not in str(refusal.value)
