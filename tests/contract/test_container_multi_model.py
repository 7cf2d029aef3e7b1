"""SageMaker's multi-model API over HTTP: many models in one server, as its contract has them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.support.cloud import wait_for
from tests.support.container_image import MODEL_DIRECTORY
from tests.support.container_process import Serve, ServerProcess
from tests.support.many_models import FLOWER, Platform, code_of
from tests.support.onnx_models import (
    FittedModel,
    a_regressor,
    an_iris_classifier,
    change_json,
)

# Whichever test is the first to need a container waits for the image to be built.
pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Models in folders of one folder; besides those named here `damaged`, `wrong` and `empty`."""

    folder: Path
    iris: FittedModel
    widths: FittedModel


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder = tmp_path_factory.mktemp("shelf")
    iris = an_iris_classifier(folder / "iris")
    widths = a_regressor(folder / "widths")
    damaged = an_iris_classifier(folder / "damaged", trees=3).directory
    (damaged / "model.onnx").write_bytes(b"no graph")
    golden = an_iris_classifier(folder / "wrong", trees=3).directory / "golden.json"
    labels = json.loads(golden.read_text())["labels"]
    change_json(golden, labels=[(label + 1) % 3 for label in labels])
    (folder / "empty").mkdir()
    return Shelf(folder=folder, iris=iris, widths=widths)


@pytest.fixture(scope="module")
def started(serve: Serve, shelf: Shelf) -> Platform:
    server = serve(shelf.folder, SAGEMAKER_MULTI_MODEL="true", SAGEMAKER_CONTAINER_LOG_LEVEL="10")
    server.wait_until_pinged()
    is_process = isinstance(server, ServerProcess)
    return Platform(server, shelf.folder if is_process else MODEL_DIRECTORY)


@pytest.fixture
def platform(started: Platform) -> Iterator[Platform]:
    yield started
    started.clear()


def test_without_any_model_the_server_is_well_and_says_how_to_invoke_one(
    platform: Platform,
) -> None:
    ping = platform.server.get("/ping")
    listed = platform.server.get("/models")
    invocation = platform.server.invoke(FLOWER)

    assert (ping.status_code, ping.content) == (200, b"")
    assert (listed.status_code, listed.json()) == (200, {"models": []})
    assert (invocation.status_code, code_of(invocation)) == (404, "not_found")
    assert "invoke one of them by POST /models/NAME/invoke" in invocation.text


def test_models_are_loaded_listed_invoked_and_unloaded_each_by_its_name(
    platform: Platform, shelf: Shelf
) -> None:
    loads = [platform.load("i", "iris"), platform.load("w", "widths")]

    listed = platform.server.get("/models").json()
    flower, width = platform.invoke("i"), platform.invoke("w")
    got = platform.get("i")
    unloaded = platform.unload("i")
    gone = [platform.get("i"), platform.invoke("i"), platform.unload("i")]

    assert [answer.status_code for answer in loads] == [200, 200]
    assert listed == {
        "models": [
            {"modelName": "i", "modelUrl": platform.url_of("iris")},
            {"modelName": "w", "modelUrl": platform.url_of("widths")},
        ]
    }
    assert flower.json()["predictions"][0]["predicted_class"] == "setosa"
    (value,) = shelf.widths.estimator.predict(FLOWER["instances"])
    assert width.json()["predictions"][0]["predicted_value"] == pytest.approx(value)
    assert got.json() == {"modelName": "i", "modelUrl": platform.url_of("iris")}
    assert unloaded.status_code == 200
    assert [(each.status_code, code_of(each)) for each in gone] == [(404, "model_not_loaded")] * 3
    assert platform.invoke("w").status_code == 200


def test_metrics_count_invocations_and_say_what_is_loaded(platform: Platform, shelf: Shelf) -> None:
    platform.load("i", "iris")
    before = metrics_of(platform)

    platform.invoke("i", {"instances": shelf.iris.rows[:7].tolist()})
    platform.invoke("i", {"instances": [[1]]})
    after = metrics_of(platform)

    of_invocations = 'greenlight_requests_total{route="invocations",status=%s}'
    good = of_invocations % '"200",code="ok"'
    bad = of_invocations % '"400",code="invalid_instance"'
    assert after[good] - before[good] == 1
    assert after[bad] - before.get(bad, 0) == 1
    assert after["greenlight_rows_total"] - before["greenlight_rows_total"] == 7
    assert after["greenlight_requests_in_flight"] == 0
    assert after["greenlight_models_loaded"] == 1
    reserved = after["greenlight_model_memory_reserved_bytes"]
    assert 0 < reserved < after["greenlight_model_memory_budget_bytes"]


def metrics_of(platform: Platform) -> dict[str, float]:
    """Give every sample of /metrics by its name and labels."""
    lines = platform.server.get("/metrics").text.splitlines()
    samples = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in samples}


def test_a_loaded_model_is_a_conflict(platform: Platform) -> None:
    platform.load("i", "iris")

    again = platform.load("i", "iris")

    assert (again.status_code, code_of(again)) == (409, "model_already_loaded")
    assert platform.invoke("i").status_code == 200


def test_loads_of_one_model_at_once_are_one_load(platform: Platform) -> None:
    def loads() -> int:
        lines = platform.server.log_lines("model_loaded")
        return sum(line["model"] == "w" for line in lines)

    before = loads()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: platform.load("w", "widths"), range(4)))

    wait_for(lambda: loads() > before, "the load in the log")
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert loads() == before + 1


@pytest.mark.parametrize(
    "name",
    ["a/b", "../../etc", "%2e%2e", "a b?c#d", "é\u202e", "x/invoke", "\0", "invoke", "0" * 1024],
)
def test_a_name_is_opaque(platform: Platform, name: str) -> None:
    loaded = platform.load(name, "iris")

    assert loaded.status_code == 200
    assert platform.names() == [name]
    assert platform.get(name).json()["modelName"] == name
    assert platform.invoke(name).status_code == 200
    assert platform.unload(name).status_code == 200


def test_the_list_comes_in_pages(platform: Platform) -> None:
    names = [f"model-{number:03}" for number in range(105)]
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda name: platform.load(name, "iris"), names))

    first = platform.server.get("/models").json()

    assert {answer.status_code for answer in loaded} == {200}
    assert len(first["models"]) == 100
    assert platform.names() == names
    refused = platform.server.get("/models?next_page_token=soon")
    assert (refused.status_code, code_of(refused)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", "malformed_body", "is not JSON"),
        (b"[" * 100_000, "malformed_body", "is not JSON"),
        (b"[]", "malformed_body", "model_name and url must be strings"),
        (b'{"model_name": 1, "url": "/"}', "malformed_body", "must be strings"),
        (b'{"model_name": "\\ud800", "url": "/"}', "malformed_body", "is not Unicode text"),
        (b'{"model_name": "", "url": "/"}', "invalid_request", "has 0 characters"),
        (b'{"model_name": "a", "url": "../.."}', "invalid_request", "is no folder"),
        (b'{"model_name": "a", "url": "/a\\u0000"}', "invalid_request", "is no folder"),
    ],
)
def test_a_load_that_makes_no_sense_is_refused(
    platform: Platform, body: bytes, code: str, words: str
) -> None:
    answer = requests.post(platform.server.url("/models"), data=body, timeout=10)

    assert (answer.status_code, code_of(answer)) == (400, code)
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("PUT", "/models", 405, "GET, POST"),
        ("DELETE", "/models", 405, "GET, POST"),
        ("PATCH", "/models/a", 405, "GET, DELETE"),
        ("POST", "/models/a", 404, None),
        ("POST", "/models//invoke", 404, None),
        ("GET", "/models/", 404, None),
        ("GET", "/modelsx", 404, None),
    ],
)
def test_other_methods_and_paths_are_refused(
    platform: Platform, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = requests.request(method, platform.server.url(path), timeout=10)

    assert (answer.status_code, answer.headers.get("allow")) == (status, allow)


def test_a_bad_model_is_refused_with_its_fault_and_the_others_answer_on(
    platform: Platform,
) -> None:
    platform.load("i", "iris")

    refused = [platform.load(name, name) for name in ("damaged", "wrong", "empty")]

    assert [(answer.status_code, code_of(answer)) for answer in refused] == [
        (500, "invalid_artifact"),
        (500, "golden_mismatch"),
        (500, "invalid_artifact"),
    ]
    assert "model.onnx has sha256" in refused[0].text
    assert "golden row 0" in refused[1].text
    assert "manifest.json cannot be read" in refused[2].text
    assert platform.names() == ["i"]
    assert platform.invoke("i").status_code == 200
    assert platform.server.get("/ping").status_code == 200


def test_a_request_the_model_refuses_names_its_target_in_the_log(
    platform: Platform, shelf: Shelf
) -> None:
    platform.load("i", "iris")
    named = {"X-Amzn-SageMaker-Target-Model": "shelf/iris.tar.gz", "x-request-id": "r-1"}

    good = platform.invoke("i", **{**named, "x-request-id": "r-0"})
    bad = platform.invoke("i", {"instances": [[1]]}, **named)

    assert (good.status_code, bad.status_code) == (200, 400)
    assert code_of(bad) == "invalid_instance"
    log = platform.server.await_lines
    (answered,) = log("model_call", lambda line: line["request_id"] == "r-0")
    (refused,) = log("model_call_refused", lambda line: line["request_id"] == "r-1")
    assert answered["target_model"] == refused["target_model"] == "shelf/iris.tar.gz"


def test_an_unload_waits_for_requests_in_flight(platform: Platform, shelf: Shelf) -> None:
    platform.load("i", "iris")
    rows = {"instances": shelf.iris.rows.tolist() * 60}
    answers: list[requests.Response] = []
    started = threading.Event()

    def keep_asking() -> None:
        while len(answers) < 3:
            answers.append(platform.invoke("i", rows))
            started.set()

    asking = threading.Thread(target=keep_asking)
    asking.start()
    started.wait(10)
    unloaded = platform.unload("i")
    asking.join(20)

    assert unloaded.status_code == 200
    assert {answer.status_code for answer in answers} <= {200, 404}
    assert answers[0].status_code == 200
    assert all(
        len(answer.json()["predictions"]) == 9000 for answer in answers if answer.status_code == 200
    )
