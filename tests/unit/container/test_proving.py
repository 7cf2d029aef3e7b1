"""What the gate hears of each runtime's answers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.proving import prove
from server.settings import RuntimeChoice, Settings
from tests.support.onnx_models import FittedModel, a_regressor, an_iris_classifier, change_json

ONNX_ONLY = Settings(runtime=RuntimeChoice.ONNX)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return an_iris_classifier(tmp_path_factory.mktemp("iris"))


def proven(directory: Path, *bodies: bytes) -> tuple[int, list[dict[str, Any]]]:
    """Give the exit code and the lines the gate reads."""
    answers = io.StringIO()
    code = prove(directory, ONNX_ONLY, [body + b"\n" for body in bodies], answers)
    return code, [json.loads(line) for line in answers.getvalue().splitlines()]


def test_each_line_is_answered_with_what_the_runtime_predicts(iris: FittedModel) -> None:
    rows = iris.rows[::30].tolist()

    code, answers = proven(iris.directory, *(json.dumps({"instances": [r]}).encode() for r in rows))

    assert code == 0
    assert [answer["onnx"]["class_indexes"] for answer in answers] == (
        [[label] for label in iris.estimator.predict(rows).tolist()]
    )
    assert np.concatenate([answer["onnx"]["probabilities"] for answer in answers]) == (
        pytest.approx(iris.estimator.predict_proba(rows), abs=1e-5)
    )


def test_a_regressors_values_are_its_labels(tmp_path: Path) -> None:
    fitted = a_regressor(tmp_path)

    code, [answer] = proven(tmp_path, b'{"features": [[5.1, 3.5, 1.4, 0.2]]}')

    expected = fitted.estimator.predict([[5.1, 3.5, 1.4, 0.2]]).tolist()
    assert code == 0
    assert answer["onnx"] == {
        "labels": pytest.approx(expected, rel=1e-5),
        "class_indexes": [],
        "probabilities": None,
    }


def test_a_refused_line_is_told_and_the_next_is_answered(iris: FittedModel) -> None:
    code, answers = proven(
        iris.directory, b'{"instances": [[1, 2]]}', b'{"instances": [[1, 2, 3, 4]]}'
    )

    assert code == 1
    assert answers[0]["error"]["code"] == "invalid_instance"
    assert list(answers[1]) == ["onnx"]


def test_an_artifact_that_must_not_serve_proves_nothing(tmp_path: Path) -> None:
    directory = an_iris_classifier(tmp_path, trees=2).directory
    change_json(directory / "manifest.json", model=None)

    code, answers = proven(directory, b'{"instances": [[1, 2, 3, 4]]}')

    assert (code, answers) == (1, [])
