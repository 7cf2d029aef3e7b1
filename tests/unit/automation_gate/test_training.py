"""A fitted estimator is taken only with the names and rows that can prove it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from automation.driver import ROOT
from automation.errors import TrainingError, UsageError
from automation.gate.training import (
    RETURNED_KEYS,
    train,
    trained_from_returned,
)
from automation.spec import ModelSpec, load_spec
from tests.support.trained_models import returned_by_train

SCRIPT = Path("models/x/train.py")


def a_spec(root: Path, source: str) -> ModelSpec:
    (root / "train.py").write_text(source)
    return ModelSpec(model="x", script=Path("train.py"), estimator="forest")


@pytest.mark.parametrize(
    ("model", "estimator", "features"),
    [("iris", "random-forest", 4), ("iris", "gradient-boosting", 4), ("wine", None, 13)],
)
def test_the_shipped_scripts_train(model: str, estimator: str | None, features: int) -> None:
    trained = train(load_spec(ROOT, model), ROOT, estimator)

    assert trained.name == ("random-forest" if estimator is None else estimator)
    assert trained.training_rows.shape[1] == features
    assert len(trained.class_names) == 3


def test_an_unknown_estimator_is_refused_with_those_the_script_trains() -> None:
    told = r"'forest' .* allowed are random-forest, gradient"
    with pytest.raises(UsageError, match=told):
        train(load_spec(ROOT, "iris"), ROOT, "forest")
    with pytest.raises(TrainingError, match=told):
        train(replace(load_spec(ROOT, "iris"), estimator="forest"), ROOT)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import sys\nsys.exit(3)", "cannot be loaded: SystemExit: 3; run `python "),
        (
            "def train(e):\n    raise SystemExit('no data')",
            "failed to train 'forest': SystemExit: no",
        ),
    ],
)
def test_a_script_that_ends_the_program_ends_only_itself(
    source: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=told):
        train(a_spec(tmp_path, source), tmp_path)


def test_rows_of_different_lengths_and_an_unfitted_estimator_are_refused() -> None:
    ragged = returned_by_train() | {"live_rows": [[1.0, 2.0], [3.0]]}
    unfitted = returned_by_train()
    unfitted["estimator"] = clone(unfitted["estimator"])

    with pytest.raises(
        TrainingError, match=r"are no lists or tables: .* as many cells as there are"
    ):
        trained_from_returned(ragged, "forest", SCRIPT)
    with pytest.raises(TrainingError, match="an estimator that is not fitted; give what `fit` ret"):
        trained_from_returned(unfitted, "forest", SCRIPT)


def test_an_estimator_of_texts_alone_is_refused_with_the_step_that_takes_columns() -> None:
    returned = returned_by_train()
    texts = make_pipeline(TfidfVectorizer(), LogisticRegression())
    returned["estimator"] = texts.fit(["good one", "bad one"], [0, 1])

    with pytest.raises(TrainingError, match=r"first step, TfidfVectorizer, .*ColumnTransformer"):
        trained_from_returned(returned, "texts", SCRIPT)


def test_a_script_without_train_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"has no function train\(estimator\)"):
        train(a_spec(tmp_path, "x = 1"), tmp_path)


def test_a_script_that_cannot_be_loaded_is_refused_with_its_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be loaded: ModuleNotFoundError"):
        train(a_spec(tmp_path, "import no_such_module"), tmp_path)


def test_a_script_that_fails_is_named_with_its_error(tmp_path: Path) -> None:
    source = "def train(estimator):\n    raise RuntimeError('no data')"

    with pytest.raises(TrainingError, match=r"failed to train 'forest': RuntimeError: no data"):
        train(a_spec(tmp_path, source), tmp_path)


def test_anything_but_a_dict_is_refused() -> None:
    with pytest.raises(TrainingError, match="returned a list; it has to return a dict"):
        trained_from_returned([], "forest", SCRIPT)


@pytest.mark.parametrize("key", RETURNED_KEYS)
def test_a_missing_key_is_named(key: str) -> None:
    returned = returned_by_train()
    del returned[key]

    with pytest.raises(TrainingError, match=f"returned no {key}"):
        trained_from_returned(returned, "forest", SCRIPT)


def test_rows_and_names_that_do_not_fit_are_all_named() -> None:
    returned = returned_by_train(
        feature_names=("a", "b", "c"), class_names=("one",), live_labels=[0]
    )

    with pytest.raises(TrainingError) as refusal:
        trained_from_returned(returned, "forest", SCRIPT)

    message = str(refusal.value)
    assert "training_rows of shape (20, 2) for 3 feature_names" in message
    assert "1 live_labels for 10 live_rows" in message
    assert "1 class_names for an estimator with 2 classes" in message


def test_a_classifier_of_several_outputs_needs_class_names_for_each() -> None:
    returned = returned_by_train()
    labels = np.c_[returned["training_labels"], returned["training_rows"][:, 1].astype(int)]
    returned |= {
        "estimator": returned["estimator"].fit(returned["training_rows"], labels),
        "training_labels": labels,
        "live_labels": labels[::2],
        "class_names": (),
    }

    with pytest.raises(TrainingError, match="0 class_names for output 'output_1' of an estimator"):
        trained_from_returned(returned, "forest", SCRIPT)

    returned["class_names"] = (("low", "high"), ("a", "b", "c"))
    assert trained_from_returned(returned, "forest", SCRIPT).is_classifier
