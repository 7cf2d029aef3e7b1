"""Invocations answered through an inference script, with any subset of its functions."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.errors import (
    ArtifactError,
    MalformedBodyError,
    NotAcceptableError,
    NotExplainableError,
    RequestError,
    ScriptError,
    UnsupportedContentTypeError,
)
from server.predictor import load_predictor
from server.script_predictor import reply_of
from server.settings import Settings
from tests.support.onnx_models import FittedModel
from tests.support.scripts import (
    BARE,
    CSV,
    INPUT_ONLY,
    MODEL_ONLY,
    OF_ITS_OWN,
    PREDICT_ONLY,
    PROBABILITIES_TOO,
    ROWS,
    answered,
    loaded,
)
from tests.support.sklearn_models import (
    a_classifier_of_frames,
    a_neighbors_classifier,
    add_script,
)


def test_a_script_with_only_predict_fn_answers_json_and_csv(artifact: Path) -> None:
    predictor = loaded(artifact, PREDICT_ONLY)

    as_json = answered(predictor, ROWS, content_type="application/json")
    as_csv = answered(predictor, CSV, content_type="text/csv")

    assert json.loads(as_json.body) == {"predictions": [0, 2]}
    assert (as_json.media_type, as_json.rows) == ("application/json", 2)
    assert json.loads(as_csv.body) == {"predictions": [0, 2]}


def test_two_results_of_predict_fn_are_predictions_and_probabilities(
    artifact: Path, iris: FittedModel
) -> None:
    predictor = loaded(artifact, PROBABILITIES_TOO)

    document = json.loads(answered(predictor, ROWS).body)
    lines = answered(predictor, CSV, content_type="text/csv", accept="text/csv").body

    expected = iris.estimator.predict_proba(json.loads(ROWS)["features"])
    assert document["predictions"] == [0, 2]
    assert document["probabilities"] == pytest.approx(expected, abs=1e-5)
    assert [line.split(",")[0] for line in lines.decode().splitlines()] == ["0", "2"]
    assert all(len(line.split(",")) == 4 for line in lines.decode().splitlines())


def test_a_script_with_only_model_fn_answers_in_every_form(tmp_path: Path) -> None:
    a_neighbors_classifier(tmp_path)
    predictor = loaded(tmp_path, MODEL_ONLY)

    features = json.loads(answered(predictor, ROWS).body)
    instances = json.loads(answered(predictor, ROWS.replace(b"features", b"instances")).body)
    csv = answered(predictor, CSV, content_type="text/csv", accept="text/csv").body

    assert features["predictions"] == [0, 2]
    assert features["probabilities"] == [[1, 0, 0], [0, 0, 1]]
    assert instances["predictions"][1]["predicted_class"] == "virginica"
    assert csv.decode().splitlines()[0].split(",")[0] == "setosa"


def test_a_bare_array_is_answered_by_a_bare_array(artifact: Path) -> None:
    predictor = loaded(artifact, PREDICT_ONLY)

    answer = answered(predictor, BARE, content_type="application/json")

    assert json.loads(answer.body) == [0, 2]


def test_a_script_with_only_output_fn_is_given_what_the_model_predicts(artifact: Path) -> None:
    predictor = loaded(artifact, OF_ITS_OWN)

    answer = answered(predictor, ROWS, accept="application/vnd.kinds+json")

    assert json.loads(answer.body) == {"kinds": [0, 2], "accept": "application/vnd.kinds+json"}
    assert answer.media_type == "application/vnd.kinds+json"


def test_a_script_with_only_input_fn_reads_a_type_of_its_own(artifact: Path) -> None:
    predictor = loaded(artifact, INPUT_ONLY)

    answer = answered(
        predictor, CSV.replace(b",", b"\t"), content_type="Text/Tab-Separated-Values; a=b"
    )

    assert json.loads(answer.body)["predictions"] == [0, 2]
    assert len(json.loads(answer.body)["probabilities"][0]) == 3


def test_input_fn_is_given_text_where_the_toolkit_gives_text(artifact: Path) -> None:
    source = "def input_fn(body, content_type):\n    raise RuntimeError(type(body).__name__)\n"
    predictor = loaded(artifact, source)

    kinds = []
    for content_type in ("application/json", "text/csv", "application/x-npy"):
        with pytest.raises(ScriptError) as caught:
            answered(predictor, CSV, content_type=content_type)
        kinds.append(str(caught.value.__cause__))
    with pytest.raises(MalformedBodyError, match="not UTF-8: byte 0xff at position 0"):
        answered(predictor, b"\xff", content_type="text/csv")

    assert kinds == ["str", "str", "bytes"]


def test_all_four_functions_and_a_module_beside_them(artifact: Path) -> None:
    source = """
import numpy as np
from helper import STEP

def model_fn(model_dir):
    return STEP

def input_fn(body, content_type):
    return np.array(body.split(","), dtype=int)

def predict_fn(data, model):
    return data + model

def output_fn(prediction, accept):
    return ",".join(map(str, prediction)), "text/plain"
"""
    predictor = loaded(artifact, source, helper="STEP = 10")

    answer = answered(predictor, b"1,2", content_type="text/csv")

    assert (answer.media_type, answer.body) == ("text/plain", b"11,12")


def test_a_script_is_loaded_and_called_in_one_thread(artifact: Path) -> None:
    source = """
import json, threading
HERE = threading.get_ident()

def predict_fn(data, model):
    return {"is_same": threading.get_ident() == HERE}
"""
    predictor = loaded(artifact, source)

    assert json.loads(answered(predictor, ROWS).body) == {"is_same": True}


def test_a_dataframe_reaches_predict_fn_where_the_model_takes_one(tmp_path: Path) -> None:
    a_classifier_of_frames(tmp_path)
    predictor = loaded(
        tmp_path, "def predict_fn(data, model):\n    return model.predict(data[data.columns])\n"
    )

    answer = answered(predictor, b'{"features": [[8.5, null, true]]}')

    assert json.loads(answer.body) == {"predictions": ["large"]}


def test_npy_and_json_lines_are_written_too(artifact: Path) -> None:
    predictor = loaded(artifact, PREDICT_ONLY)

    npy = answered(predictor, ROWS, accept="application/x-npy").body
    lines = answered(predictor, ROWS, accept="application/jsonlines").body

    assert np.load(io.BytesIO(npy)).tolist() == [0, 2]
    assert [json.loads(line) for line in lines.splitlines()] == [
        {"predictions": [0]},
        {"predictions": [2]},
    ]


def test_defaults_stay_strict(artifact: Path) -> None:
    predictor = loaded(artifact, PREDICT_ONLY)

    with pytest.raises(RequestError, match="instance 0 has 1 features"):
        answered(predictor, b"[[1]]", content_type="application/json")
    with pytest.raises(UnsupportedContentTypeError, match="'text/plain' is not supported"):
        answered(predictor, b"x", content_type="text/plain")
    with pytest.raises(UnsupportedContentTypeError, match="encoding 'gzip' is not supported"):
        answered(predictor, b"x", content_encoding="gzip")
    with pytest.raises(NotAcceptableError, match="names nothing this server writes"):
        answered(predictor, ROWS, accept="image/png")


def test_explanations_of_a_scripts_answers_are_refused(artifact: Path) -> None:
    predictor = loaded(artifact, PREDICT_ONLY)

    with pytest.raises(NotExplainableError, match="leave x-greenlight-explain out"):
        answered(predictor, ROWS, x_greenlight_explain="true")
    with pytest.raises(NotExplainableError, match="leave 'explain' out"):
        answered(predictor, b'{"features": [[5, 3, 1, 0]], "explain": true}')


def test_what_nothing_can_write_is_named(artifact: Path) -> None:
    source = "def predict_fn(data, model):\n    return object() if len(data) == 2 else [1]\n"
    predictor = loaded(artifact, source)

    with pytest.raises(ScriptError, match="predict_fn returned a object that cannot be written"):
        answered(predictor, ROWS)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("a", ("text/csv", b"a")),
        (b"a", ("text/csv", b"a")),
        (("a", "text/plain"), ("text/plain", b"a")),
        ((b"a", "text/plain"), ("text/plain", b"a")),
    ],
)
def test_output_fn_may_return_text_bytes_or_either_with_its_type(
    result: Any, expected: tuple[str, bytes]
) -> None:
    assert reply_of(result, "text/csv") == expected


def test_output_fn_may_return_a_response_as_the_toolkits() -> None:
    class Response:
        mimetype = "text/plain"

        def get_data(self) -> bytes:
            return b"a"

    assert reply_of(Response(), "text/csv") == ("text/plain", b"a")


@pytest.mark.parametrize("result", [None, {"a": 1}, [1], ("a", 1), np.zeros(1)])
def test_output_fn_may_return_nothing_else(result: Any) -> None:
    with pytest.raises(ScriptError, match="return text or bytes, or one of them"):
        reply_of(result, "text/csv")


def test_a_server_of_many_models_takes_no_script(artifact: Path) -> None:
    add_script(artifact, PREDICT_ONLY)

    with pytest.raises(ArtifactError, match="serve it from an endpoint of its own"):
        load_predictor(artifact, Settings())
