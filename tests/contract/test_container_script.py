"""Inference scripts over HTTP, in a process and in the built image.

Source: aws/sagemaker-scikit-learn-container, README, "Inference"; A4 of the published recipes.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.container_process import STOP_SECONDS, Serve, Server, started_server
from tests.support.onnx_models import an_iris_classifier
from tests.support.sklearn_models import add_script

# The image has to be built first, and an engine may have to be installed for that.
pytestmark = pytest.mark.timeout(600)
ROWS = {"features": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}
CSV = b"5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3\n"
GATE = "go-on"
SOURCE = f"""
import os, pathlib, time
from helper import checked

def predict_fn(data, model):
    print("rows", len(data))
    gate = pathlib.Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"), {GATE!r})
    while len(data) == 3 and not gate.exists():
        time.sleep(0.01)
    return checked(model.predict(data)), model.predict_proba(data)
"""
ENDLESS = """
import pathlib, time

def model_fn(model_dir):
    pathlib.Path({path!r}).touch()
    while True:
        time.sleep(0.1)
"""
HELPER = """
def checked(labels):
    if len(labels) == 1:
        raise ValueError("the secret is 4711")
    return labels
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fitted = an_iris_classifier(tmp_path_factory.mktemp("scripted"))
    add_script(fitted.directory, SOURCE, helper=HELPER)
    return fitted.directory


@pytest.fixture(scope="module")
def server(serve: Serve, folder: Path) -> Server:
    started = serve(folder)
    assert started.wait_until_pinged().status_code == 200
    return started


def test_json_and_csv_are_answered_through_predict_fn(server: Server) -> None:
    as_json = server.invoke(ROWS)
    as_csv = server.invoke(CSV, content_type="text/csv")
    in_csv = server.invoke(CSV, content_type="text/csv", accept="text/csv")

    assert as_json.json()["predictions"] == [0, 2]
    assert [sum(row) for row in as_json.json()["probabilities"]] == pytest.approx([1, 1])
    assert as_csv.json() == as_json.json()
    assert in_csv.headers["content-type"] == "text/csv"
    assert [line.split(",")[0] for line in in_csv.text.splitlines()] == ["0", "2"]


def test_an_error_names_function_and_line_to_clients_and_the_rest_to_the_log(
    server: Server,
) -> None:
    response = server.invoke({"features": [[5.1, 3.5, 1.4, 0.2]]}, x_request_id="broken-1")

    [line] = server.await_lines("script_failed", lambda line: "request_id" in line)
    assert response.status_code == 500
    assert response.json()["error"] == {
        "code": "script_failure",
        "message": "helper.py: predict_fn, line 4 in checked: ValueError; the log has the rest "
        "under this request id",
        "request_id": "broken-1",
    }
    assert (line["request_id"], line["where"]) == (
        "broken-1",
        "helper.py: predict_fn, line 4 in checked: ValueError",
    )
    assert "the secret is 4711" in line["traceback"]


def test_what_a_script_prints_is_a_line_of_the_log(server: Server) -> None:
    server.invoke({"features": ROWS["features"] * 2})

    assert server.await_lines("printed", lambda line: line["text"] == "rows 4")


def test_a_slow_script_does_not_hold_up_pings(server: Server, folder: Path) -> None:
    gate = folder / GATE
    gate.unlink(missing_ok=True)
    three = {"features": ROWS["features"][:1] * 3}

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(server.invoke, three)
        server.await_lines("printed", lambda line: line["text"] == "rows 3")
        ping = server.get("/ping")
        gate.touch()
        answer = slow.result()

    assert (ping.status_code, answer.status_code) == (200, 200)


def test_sigterm_ends_a_server_whose_script_is_still_loading(tmp_path: Path) -> None:
    fitted = an_iris_classifier(tmp_path / "model")
    loading = tmp_path / "loading"
    add_script(fitted.directory, ENDLESS.format(path=str(loading)))

    with started_server(fitted.directory, tmp_path / "log") as server:
        while not loading.exists():
            assert server.process.poll() is None
            time.sleep(0.02)
        server.process.terminate()

        assert server.process.wait(STOP_SECONDS) == 0


def test_a_script_that_cannot_be_loaded_never_goes_in_service(serve: Serve, tmp_path: Path) -> None:
    fitted = an_iris_classifier(tmp_path / "model", trees=3)
    add_script(fitted.directory, "import torch\n\ndef predict_fn(data, model): ...\n")

    server = serve(fitted.directory)
    ping = server.wait_until_pinged()

    assert ping.status_code == 503
    assert "inference.py, line 1: ModuleNotFoundError: No module named" in ping.text
    assert server.invoke(ROWS).status_code == 503
