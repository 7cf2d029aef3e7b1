"""Scripts that are proven on the golden rows, and those that cannot be."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.errors import (
    GoldenMismatchError,
)
from server.manifest import Output
from server.script_golden import found_in
from tests.support.manifests import a_manifest
from tests.support.onnx_models import a_regressor
from tests.support.scripts import (
    INPUT_ONLY,
    OF_ITS_OWN,
    PREDICT_ONLY,
    loaded,
)


def test_a_script_that_answers_a_golden_row_otherwise_never_serves(artifact: Path) -> None:
    source = "def predict_fn(data, model):\n    return [2 for _ in data]\n"

    with pytest.raises(GoldenMismatchError, match=r"golden row 0: inference\.py answers 2, recor"):
        loaded(artifact, source)


def test_a_regressor_is_proven_by_value(tmp_path: Path) -> None:
    a_regressor(tmp_path)

    with pytest.raises(GoldenMismatchError, match=r"golden row 0: inference\.py answers 1\."):
        loaded(tmp_path, "def predict_fn(data, model):\n    return model.predict(data) + 1\n")


@pytest.mark.parametrize(
    "source",
    [
        PREDICT_ONLY,
        "NAMES = 'setosa versicolor virginica'.split()\n"
        "def predict_fn(data, model):\n    return [NAMES[i] for i in model.predict(data)]\n",
        OF_ITS_OWN,
        INPUT_ONLY,
        "import json\n"
        "def output_fn(found, accept):\n"
        "    return json.dumps({'predictions': [float('nan')] * len(found)})\n",
    ],
)
def test_golden_rows_pass_where_the_script_agrees_or_speaks_its_own_form(
    artifact: Path, source: str
) -> None:
    assert loaded(artifact, source).manifest.model == "iris"


@pytest.mark.parametrize(
    ("classes", "labels", "prediction", "index"),
    [
        (["setosa", "virginica"], (), "virginica", 1),
        (["setosa", "virginica"], (), 1, 1),
        (["setosa", "virginica"], (), 1.0, 1),
        (["setosa", "virginica"], (), 2, None),
        (["setosa", "virginica"], (), "rose", None),
        (["setosa", "virginica"], (), 0.5, None),
        (["setosa", "virginica"], (), math.nan, None),
        (["setosa", "virginica"], (), ["setosa"], None),
        (["setosa", "virginica"], (), True, None),
        (["1", "2", "3"], (), 1, 0),
        (["1", "2", "3"], (), 0, 0),
        (["-1", "1"], (), 1, 1),
        (["no", "yes"], ((1, 0),), 1, 0),
        (["no", "yes"], ((1, 0),), "yes", 1),
    ],
)
def test_a_script_may_answer_a_label_a_name_or_an_index(
    classes: list[str], labels: tuple[tuple[Any, ...], ...], prediction: Any, index: int | None
) -> None:
    manifest = replace(a_manifest([], classes=classes), labels=labels)

    assert found_in(manifest, prediction) == index


def test_values_are_taken_as_they_are_and_answers_of_several_outputs_are_not_compared() -> None:
    several = a_manifest([], outputs=[Output(name="colour", classes=("red",))])

    assert (found_in(a_manifest([]), 1.5), found_in(a_manifest([]), "1.5")) == (1.5, None)
    assert found_in(several, "red") is None
