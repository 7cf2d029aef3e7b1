"""Forests over HTTP: scikit-learn's own answers to the bit, and why they are given."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.container_process import Serve, Server, ServerProcess
from tests.support.forests import add_forest
from tests.support.onnx_models import (
    CLASSES,
    FEATURE_NAMES,
    FittedModel,
    an_iris_classifier,
)

# Building the image is within the first test that wants a container.
pytestmark = pytest.mark.timeout(600)

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.0, 1.7], [5.9, 3.0, 5.1, 1.8]]


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    """An artifact with a forest of 30 trees."""
    return add_forest(an_iris_classifier(tmp_path_factory.mktemp("iris") / "model", trees=30))


@pytest.fixture(scope="module")
def server(serve: Serve, iris: FittedModel) -> Server:
    """A server that chooses its runtime."""
    started = serve(iris.directory)
    assert started.wait_until_pinged().status_code == 200
    return started


@pytest.fixture(scope="module")
def onnx_server(serve: Serve, iris: FittedModel) -> Server:
    """A server that may not use the kernel."""
    started = serve(iris.directory, GREENLIGHT_RUNTIME="onnx", GREENLIGHT_MAX_EXPLAINED_ROWS="2")
    assert started.wait_until_pinged().status_code == 200
    return started


@pytest.fixture(scope="module")
def expected(iris: FittedModel) -> tuple[Any, Any]:
    """The values and base values that the shap library gives to ROWS."""
    shap = pytest.importorskip("shap", reason="no shap for this platform; see requirements.in")
    explainer = shap.TreeExplainer(iris.estimator)
    return explainer.shap_values(np.array(ROWS)), explainer.expected_value


def has_kernel(server: Server) -> bool:
    """Whether a server has chosen the compiled kernel to answer."""
    chosen = server.await_lines("runtime_chosen")[0]
    assert chosen["runtime"] in ("forest", "onnx")
    return bool(chosen["runtime"] == "forest")


def explained(values: Any, base_values: Any) -> dict[str, Any]:
    """Give one row's explanation as an answer tells it."""
    return {
        name: {
            "base_value": pytest.approx(base_values[index], abs=1e-9),
            "shap_values": {
                feature: pytest.approx(value, abs=1e-9)
                for feature, value in zip(FEATURE_NAMES, values[:, index], strict=True)
            },
        }
        for index, name in enumerate(CLASSES)
    }


def test_the_kernel_answers_unless_the_settings_say_onnx(
    server: Server, onnx_server: Server
) -> None:
    # The image always has the kernel; the machine that runs the process may have no compiler.
    if isinstance(server, ServerProcess) and importlib.util.find_spec("greenlight_kernel") is None:
        pytest.skip("no compiled kernel; install a C compiler, then run `make setup`")

    assert has_kernel(server)
    assert not has_kernel(onnx_server)


def test_probabilities_are_those_of_scikit_learn_to_the_last_digit(
    server: Server, iris: FittedModel
) -> None:
    if not has_kernel(server):
        pytest.skip("no compiled kernel; install a C compiler, then run `make setup`")

    answer = server.invoke({"instances": iris.rows.tolist()}).json()

    told = [list(each["probabilities"].values()) for each in answer["predictions"]]
    assert told == iris.estimator.predict_proba(iris.rows).tolist()


@pytest.mark.parametrize("asked", ["header", "field"])
def test_an_answer_explains_itself_as_shap_does(
    server: Server, expected: tuple[Any, Any], asked: str
) -> None:
    body: dict[str, Any] = {"instances": ROWS}
    if asked == "field":
        answer = server.invoke(body | {"explain": True})
    else:
        answer = server.invoke(body, x_greenlight_explain="true")

    assert answer.status_code == 200
    for given, values in zip(answer.json()["predictions"], expected[0], strict=True):
        assert given["explanation"] == explained(values, expected[1])
        assert given["predicted_class"] in CLASSES


def test_without_the_kernel_the_explanation_is_the_same(
    onnx_server: Server, expected: tuple[Any, Any]
) -> None:
    answer = onnx_server.invoke({"instances": ROWS[:2]}, x_greenlight_explain="true").json()

    for given, values in zip(answer["predictions"], expected[0][:2], strict=True):
        assert given["explanation"] == explained(values, expected[1])


def test_an_answer_that_is_not_asked_to_does_not_explain_itself(server: Server) -> None:
    answer = server.invoke({"instances": ROWS}, x_greenlight_explain="false").json()

    assert ["explanation" in each for each in answer["predictions"]] == [False] * 3


def test_more_rows_than_the_setting_allows_are_not_explained(onnx_server: Server) -> None:
    answer = onnx_server.invoke({"instances": ROWS}, x_greenlight_explain="true")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_explainable")
    assert "3 instances are to be explained; at most 2" in answer.json()["error"]["message"]


def test_a_model_without_a_forest_says_so(serve: Serve, tmp_path: Path) -> None:
    server = serve(an_iris_classifier(tmp_path / "model", trees=3).directory)
    assert server.wait_until_pinged().status_code == 200

    answer = server.invoke({"instances": ROWS}, x_greenlight_explain="true")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_explainable")
    assert "this model has no explanations" in answer.json()["error"]["message"]
    assert server.invoke({"instances": ROWS}).status_code == 200
