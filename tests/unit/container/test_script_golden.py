"""Scripts that are proven on the golden rows, and those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.errors import (
    GoldenMismatchError,
)
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
