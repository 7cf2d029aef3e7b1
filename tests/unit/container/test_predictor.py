"""Loading a model, proving it, and answering invocations with it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from server.errors import ArtifactError, GoldenMismatchError, InvalidInstanceError
from server.forest import ForestRuntime, compiled_forest, kernel, labels_from_content
from server.model import Inputs, Prediction
from server.predictor import Invocation, load_predictor
from server.settings import Settings
from tests.support.forests import add_forest
from tests.support.onnx_models import (
    FittedModel,
    a_classifier_failing_on_unseen_values,
    an_iris_classifier,
    change_json,
)
from tests.support.predictors import over
from tests.support.rsgi import RequestHeaders


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return an_iris_classifier(tmp_path_factory.mktemp("iris"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": [1] * 10}, "golden row 0: the model answers label 0.0, recorded was 1.0"),
        ({"labels": ["a"] * 10}, "golden.json has label that are no numbers"),
        ({"labels": [[0]] * 10}, r"golden label have shape \(10, 1\)"),
        (
            {"probabilities": [[0.9, 0.1, 0.0]] * 10},
            "golden row 0: the model answers probabilities .* package it again",
        ),
    ],
)
def test_a_model_that_misses_its_golden_rows_is_not_loaded(
    artifact: Path, changes: dict[str, object], message: str
) -> None:
    change_json(artifact / "golden.json", **changes)

    with pytest.raises(ArtifactError, match=message):
        load_predictor(artifact, Settings())


def test_a_probability_that_is_off_by_more_than_the_tolerance_is_a_mismatch(
    artifact: Path, iris: FittedModel
) -> None:
    rows = iris.rows[::15].astype(np.float32)
    probabilities = iris.estimator.predict_proba(rows)
    probabilities[9, 2] -= 1e-4
    change_json(artifact / "golden.json", probabilities=probabilities.tolist())

    with pytest.raises(GoldenMismatchError, match="golden row 9"):
        load_predictor(artifact, Settings())


def test_a_model_that_raises_on_its_golden_rows_is_not_loaded(tmp_path: Path) -> None:
    a_classifier_failing_on_unseen_values(tmp_path)
    change_json(
        tmp_path / "golden.json", instances=[[99, 3, 5, 2]], labels=[0], probabilities=[[1, 0, 0]]
    )

    with pytest.raises(GoldenMismatchError, match="the model fails on its golden rows"):
        load_predictor(tmp_path, Settings())


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([["a"] * 4] * 10, "does not fit the manifest: instance 0, feature 'sepal length .cm.'"),
        ([[1, 2]] * 10, "does not fit the manifest: instance 0 has 2 features"),
    ],
)
def test_golden_rows_that_do_not_fit_the_model_are_refused(
    artifact: Path, instances: object, message: str
) -> None:
    change_json(artifact / "golden.json", instances=instances)

    with pytest.raises(ArtifactError, match=message):
        load_predictor(artifact, Settings())


def test_a_missing_graph_is_refused(artifact: Path) -> None:
    (artifact / "model.onnx").unlink()

    with pytest.raises(ArtifactError, match=r"model\.onnx cannot be read"):
        load_predictor(artifact, Settings())


@pytest.mark.parametrize("inline_rows", [1, 2])
def test_many_rows_leave_the_event_loop_and_are_answered_alike(
    iris: FittedModel, inline_rows: int
) -> None:
    predictor = load_predictor(iris.directory, Settings(inline_rows=inline_rows))
    body = b'{"features": [[5.1, 3.5, 1.4, 0.2], [6, 3, 5, 2]]}'

    answer = asyncio.run(predictor.answer(Invocation(body, RequestHeaders({}), "id-1")))

    assert answer.media_type == "application/json"
    assert json.loads(answer.body)["predictions"] == [0, 2]


@pytest.mark.parametrize(("blanks", "is_done_at_once"), [(0, True), (100_000, False)])
def test_a_large_body_is_read_off_the_event_loop(
    iris: FittedModel, blanks: int, is_done_at_once: bool
) -> None:
    predictor = load_predictor(iris.directory, Settings())
    invocation = Invocation(b'{"features": 5}' + b" " * blanks, RequestHeaders({}), "id-1")

    async def is_refused_at_once() -> bool:
        answering = asyncio.ensure_future(predictor.answer(invocation))
        await asyncio.sleep(0)
        is_done = answering.done()
        with pytest.raises(InvalidInstanceError):
            await answering
        return is_done

    assert asyncio.run(is_refused_at_once()) is is_done_at_once


class OneSided(ForestRuntime):
    """A forest whose answers on the long way are the first row's, whatever is asked."""

    def predict(self, inputs: Inputs) -> Prediction:
        return super().predict({name: np.array([[5.1, 3.5, 1.4, 0.2]]) for name in inputs})


@pytest.mark.skipif(kernel() is None, reason="greenlight_kernel is not built; see `make setup`")
def test_a_short_way_that_answers_otherwise_than_the_long_one_never_serves(tmp_path: Path) -> None:
    fitted = add_forest(an_iris_classifier(tmp_path, trees=3))
    predictor = load_predictor(fitted.directory, Settings())
    content = (fitted.directory / "forest.bin").read_bytes()
    forest = compiled_forest(content)
    assert forest is not None
    lying = OneSided(predictor.manifest, forest, labels_from_content(content))

    with pytest.raises(GoldenMismatchError, match=r"golden row 1 is answered .* on the short way"):
        over(predictor, lying).prove_plain_answers([[5.1, 3.5, 1.4, 0.2], [6, 3, 5, 2]])
