"""Scripts that fail: when they are loaded, and when they are called."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from server.errors import (
    InvalidScriptError,
    RequestError,
    ScriptError,
    ScriptRefusalError,
    UnsupportedContentTypeError,
)
from server.predictor import load_served
from server.script_predictor import ScriptPredictor
from server.settings import Settings
from tests.support.scripts import (
    A_CLASS_OF_ITS_OWN,
    CSV,
    PREDICT_ONLY,
    ROWS,
    answered,
    loaded,
)
from tests.support.sklearn_models import (
    add_script,
)


def test_an_error_in_a_function_is_named_by_function_and_line(artifact: Path) -> None:
    source = """
def inner(data):
    return 1 / (len(data) - 2)

def predict_fn(data, model):
    inner(data)
    return model.predict(data)
"""
    predictor = loaded(artifact, source)

    with pytest.raises(ScriptError) as caught:
        answered(predictor, ROWS)

    assert str(caught.value) == (
        "inference.py: predict_fn, line 3 in inner: ZeroDivisionError; "
        "the log has the rest under this request id"
    )
    assert "division by zero" in str(caught.value.__cause__)


def test_what_a_script_says_in_an_exception_does_not_reach_clients(artifact: Path) -> None:
    source = "def predict_fn(data, model):\n    raise ValueError('the key is 4711')\n"
    with pytest.raises(InvalidScriptError, match="4711"):
        loaded(artifact, source)
    source = "def input_fn(body, content_type):\n    raise ValueError('the key is 4711')\n"
    del sys.modules["inference"]
    predictor = loaded(artifact, source)

    with pytest.raises(ScriptError) as caught:
        answered(predictor, ROWS)

    assert "inference.py: input_fn, line 2: ValueError" in str(caught.value)
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ScriptRefusalError), (422, ScriptRefusalError), (415, UnsupportedContentTypeError)],
)
def test_an_exception_with_a_status_code_refuses_the_request(
    artifact: Path, status: int, kind: type[RequestError]
) -> None:
    source = f"""
class Refusal(Exception):
    status_code = {status}

def input_fn(body, content_type):
    raise Refusal("send tabs")
"""
    predictor = loaded(artifact, source)

    with pytest.raises(kind, match="send tabs") as caught:
        answered(predictor, CSV, content_type="text/csv")

    assert type(caught.value) is kind


def test_an_exit_in_a_script_is_an_error_and_not_the_end(artifact: Path) -> None:
    predictor = loaded(
        artifact, "import sys\ndef input_fn(body, content_type):\n    sys.exit('done')\n"
    )

    with pytest.raises(ScriptError, match="input_fn, line 3: SystemExit"):
        answered(predictor, ROWS)


def test_a_model_of_the_scripts_own_is_blamed_by_its_line(artifact: Path) -> None:
    with pytest.raises(
        InvalidScriptError, match=r"inference\.py: predict, line 4: IndexError: .*out of bounds"
    ):
        loaded(artifact, A_CLASS_OF_ITS_OWN)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def predict_fn(data, model)\n", "inference.py, line 1: SyntaxError"),
        ("import nothing_such\n", "inference.py, line 1: ModuleNotFoundError: No module named"),
        ("X = 1\n", "has none of model_fn, input_fn, predict_fn, output_fn"),
        ("def predict_fn(data): ...\n", r"predict_fn cannot be called with \(data, model\)"),
        ("async def predict_fn(data, model): ...\n", "predict_fn is async"),
        ("predict_fn = 3\n", "predict_fn is a int, which is no function"),
        ("def transform_fn(m, b, c, a): ...\n", "transform_fn is not called here; split it into"),
        (
            "def model_fn(model_dir):\n    return open(model_dir + '/none')\n",
            r"inference\.py: model_fn, line 2: FileNotFoundError: .*none",
        ),
        (
            "def model_fn(model_dir):\n    return 'a path'\n",
            "model_fn returned a str, which has no predict; return an estimator, or write",
        ),
    ],
)
def test_a_script_that_cannot_serve_is_refused_by_name(
    artifact: Path, source: str, message: str
) -> None:
    with pytest.raises(InvalidScriptError, match=message):
        loaded(artifact, source)


def test_a_script_named_like_a_module_is_refused(artifact: Path) -> None:
    add_script(artifact, PREDICT_ONLY, json=PREDICT_ONLY)

    with pytest.raises(InvalidScriptError, match="called like the module 'json'"):
        load_served(artifact, Settings(program="json.py"))


def test_the_platforms_program_names_another_file_of_the_artifact(artifact: Path) -> None:
    add_script(artifact, PREDICT_ONLY, helper="def predict_fn(data, model):\n    return [7, 8]\n")

    with pytest.raises(InvalidScriptError, match=r"'serve\.py', and the artifact has code/helper"):
        load_served(artifact, Settings(program="serve.py"))
    predictor = load_served(artifact, Settings(program="helper.py"))

    assert isinstance(predictor, ScriptPredictor)
    assert json.loads(answered(predictor, ROWS).body) == {"predictions": [7, 8]}
