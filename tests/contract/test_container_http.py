"""The container's contract over HTTP, against a real server: a process, then the built image.

Source: SageMaker Developer Guide, page "your-algorithms-inference-code".
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support.container_process import Serve, Server, started_server
from tests.support.onnx_models import (
    CLASSES,
    FEATURE_NAMES,
    FittedModel,
    a_classifier_failing_on_unseen_values,
    a_regressor,
    an_iris_classifier,
)

# The image has to be built first, and an engine may have to be installed for that.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return an_iris_classifier(tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def server(serve: Serve, iris: FittedModel) -> Server:
    started = serve(iris.directory)
    assert started.wait_until_pinged().status_code == 200
    return started


class Chunks:
    """A body of 13 MB whose length is not told, as often as it is sent."""

    def __iter__(self) -> Iterator[bytes]:
        return (b"x" * 65536 for _ in range(200))


def error_of(response: requests.Response) -> dict[str, Any]:
    """Give the error of an answer, checking the shape every error has."""
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    assert set(document) == {"error"}
    assert set(document["error"]) >= {"code", "message", "request_id"}
    assert document["error"]["request_id"] == response.headers["x-request-id"]
    error: dict[str, Any] = document["error"]
    return error


def test_ping_is_200_with_an_empty_body(server: Server) -> None:
    response = server.get("/ping")

    assert (response.status_code, response.content) == (200, b"")


def test_instances_are_answered_as_the_estimator_answers(server: Server, iris: FittedModel) -> None:
    response = server.invoke({"instances": iris.rows.tolist()})

    predictions = response.json()["predictions"]
    rows = iris.rows.astype(np.float32)
    expected = iris.estimator.predict_proba(rows)
    assert response.status_code == 200
    assert [answer["predicted_class_index"] for answer in predictions] == (
        iris.estimator.predict(rows).tolist()
    )
    for answer, row, probabilities in zip(predictions, iris.rows, expected, strict=True):
        assert answer["predicted_class"] == CLASSES[answer["predicted_class_index"]]
        assert answer["confidence"] == pytest.approx(max(probabilities), abs=1e-5)
        assert list(answer["probabilities"]) == list(CLASSES)
        assert list(answer["probabilities"].values()) == pytest.approx(probabilities, abs=1e-5)
        assert answer["input_features"] == dict(zip(FEATURE_NAMES, row, strict=True))


def test_features_are_answered_with_predictions_and_probabilities(server: Server) -> None:
    response = server.invoke({"features": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]})

    assert response.json()["predictions"] == [0, 2]
    assert [sum(row) for row in response.json()["probabilities"]] == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [("text/csv", "text/csv"), ("*/*", "application/json"), ("text/*;q=0.2", "text/csv")],
)
def test_csv_is_read_and_the_accepted_type_is_written(
    server: Server, accept: str, media_type: str
) -> None:
    response = server.invoke(b"5.1,3.5,1.4,0.2\n", content_type="text/csv", accept=accept)

    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    assert "setosa" in response.text


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "message"),
    [
        (b"", {}, 400, "malformed_body", "the body is empty; send rows such as"),
        (b"{", {}, 400, "malformed_body", "not JSON: Expecting property name enclosed in double "),
        ({"data": []}, {}, 400, "malformed_body", "the body has no 'instances'; its keys are"),
        (
            b'{"instances": [], "instances": []}',
            {},
            400,
            "malformed_body",
            "the key 'instances' twice",
        ),
        ({"instances": []}, {}, 400, "invalid_instance", "instances is empty; give 1 to 10000"),
        ({"instances": [[1, 2]]}, {}, 400, "invalid_instance", "instance 0 has 2 features"),
        (
            b'{"instances": [[1, 2, NaN, 4]]}',
            {},
            400,
            "invalid_instance",
            "instance 0, feature 'petal length (cm)': NaN is given; it must be a finite number",
        ),
        (
            {"instances": [[1, 2, 3, 4]] * 10_001},
            {},
            400,
            "invalid_instance",
            "instances has 10001 instances; at most 10000",
        ),
        (
            b"x",
            {"content_type": "text/plain"},
            415,
            "unsupported_content_type",
            "'text/plain' is not supported; send application/json, text/csv, application/jsonlines",
        ),
        (
            b"x",
            {"content_encoding": "gzip"},
            415,
            "unsupported_content_type",
            "'gzip' is not supported",
        ),
        (b"{}", {"accept": "image/png"}, 406, "not_acceptable", "names nothing this server writes"),
        (b"x" * 6_291_457, {}, 413, "body_too_large", "the body is above 6291456 bytes"),
        (
            Chunks(),
            {},
            413,
            "body_too_large",
            "the body is above 6291456 bytes; split the rows over several requests",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_bad_input_is_refused_with_the_reason(
    server: Server,
    body: Any,
    headers: dict[str, str],
    status: int,
    code: str,
    message: str,
) -> None:
    response = server.invoke(body, **headers)

    error = error_of(response)
    assert (response.status_code, error["code"]) == (status, code)
    assert message in error["message"]


def test_the_row_and_feature_at_fault_are_told_to_programs(server: Server) -> None:
    response = server.invoke({"instances": [[1, 2, 3, 4], [1, 2, 3, True]]})

    error = error_of(response)
    assert (error["instance"], error["feature"]) == (1, "petal width (cm)")


def test_other_paths_and_methods_are_refused(server: Server) -> None:
    missing = server.get("/models")
    wrong = server.get("/invocations")

    assert (missing.status_code, error_of(missing)["code"]) == (404, "not_found")
    assert (wrong.status_code, error_of(wrong)["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


def test_the_clients_request_id_is_in_the_answer_and_the_log_but_its_values_are_not(
    server: Server,
) -> None:
    response = server.invoke({"instances": [["patient-4711"]]}, x_request_id="req-7")

    assert error_of(response)["request_id"] == "req-7"
    lines = server.await_lines("refused", lambda line: line["request_id"] == "req-7")
    assert [(line["status"], line["code"]) for line in lines] == [(400, "invalid_instance")]
    assert "patient-4711" not in server.log_text()


def test_custom_attributes_go_back_with_answers_and_errors(server: Server) -> None:
    sent = {"x_amzn_sagemaker_custom_attributes": "trace=7"}

    answers = [server.invoke(body, **sent) for body in ({"features": [[5, 3, 1, 0]]}, b"{")]

    assert [answer.status_code for answer in answers] == [200, 400]
    for answer in answers:
        assert answer.headers["x-amzn-sagemaker-custom-attributes"] == "trace=7"


def test_what_is_answered_is_counted_in_the_metrics(server: Server) -> None:
    def counted(code: str) -> float:
        response = server.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        return sum(
            sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
            if sample.name == "greenlight_requests_total"
            and (sample.labels["route"], sample.labels["code"]) == ("invocations", code)
        )

    before = (counted("ok"), counted("malformed_body"))
    for body in ({"features": [[5, 3, 1, 0]]}, b"{", b"[]"):
        server.invoke(body)

    assert (counted("ok") - before[0], counted("malformed_body") - before[1]) == (1, 2)


def test_requests_at_the_same_time_get_each_their_own_answer(
    server: Server, iris: FittedModel
) -> None:
    rows = [row.tolist() for row in iris.rows]
    with ThreadPoolExecutor(max_workers=16) as clients:
        answers = list(clients.map(lambda row: server.invoke({"instances": [row]}).json(), rows))

    predictions = [answer["predictions"][0] for answer in answers]
    assert [list(each["input_features"].values()) for each in predictions] == rows
    assert [each["predicted_class_index"] for each in predictions] == (
        iris.estimator.predict(iris.rows.astype(np.float32)).tolist()
    )


@pytest.mark.parametrize(
    ("head", "rest", "whole"),
    [
        (b"Transfer-Encoding: chunked", b"10\r\n5.1,3.5,1.4,0.2\n\r\n0\r\n\r\n", True),
        (b"Transfer-Encoding: chunked", b"10\r\n5.1,3.5,1.4,0.2\n\r\n", False),
        (b"Transfer-Encoding: chunked", b"10\r\n5.1,3.5,1.4,0.2\n\r\nzz\r\n", False),
        (b"Content-Length: 16", b"5.1,3.5,1.4,0.2\n", True),
        (b"Content-Length: 32", b"5.1,3.5,1.4,0.2\n", False),
    ],
)
def test_a_body_that_breaks_off_is_never_answered_as_if_it_were_whole(
    server: Server, head: bytes, rest: bytes, whole: bool
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: model\r\nContent-Type: text/csv\r\n"
            + head
            + b"\r\n\r\n"
            + rest
        )
        if not whole:
            connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)

    assert (b" 200 OK" if whole else b" 400 Bad Request") in answer
    assert whole or b"the body broke off before its end" in answer


def test_a_client_that_leaves_before_its_answer_harms_nobody(server: Server) -> None:
    rows = b"5.1,3.5,1.4,0.2\n" * 10_000
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: model\r\nContent-Type: text/csv\r\n"
            b"Content-Length: %d\r\n\r\n" % len(rows) + rows
        )

    assert server.invoke({"features": [[5.1, 3.5, 1.4, 0.2]]}).status_code == 200
    assert server.log_lines("unexpected_error") == []


def test_the_server_is_one_process(iris: FittedModel, tmp_path: Path) -> None:
    with started_server(iris.directory, tmp_path / "server.log") as server:
        server.wait_until_pinged()

        assert psutil.Process(server.process.pid).children(recursive=True) == []


def test_a_failure_of_the_model_is_a_500_and_later_rows_are_served(
    serve: Serve, tmp_path: Path
) -> None:
    fitted = a_classifier_failing_on_unseen_values(tmp_path / "model")
    unseen, seen = [99.0, 3.0, 5.0, 2.0], fitted.rows[0].tolist()

    server = serve(fitted.directory)
    ping = server.wait_until_pinged()
    failed = server.invoke({"instances": [seen, unseen]})
    served = server.invoke({"instances": [seen]})
    lines = server.await_lines("refused")

    assert (ping.status_code, failed.status_code, served.status_code) == (200, 500, 200)
    assert error_of(failed)["code"] == "model_failure"
    assert "Traceback" not in failed.text
    assert [line["level"] for line in lines] == ["error"]
    assert "Unknown Category" in lines[0]["cause"]
    assert lines[0]["request_id"] == error_of(failed)["request_id"]


def test_a_regressor_answers_values(serve: Serve, tmp_path: Path) -> None:
    fitted = a_regressor(tmp_path / "model")
    rows = fitted.rows[:3]

    server = serve(fitted.directory)
    server.wait_until_pinged()
    response = server.invoke({"instances": rows.tolist()})

    values = [answer["predicted_value"] for answer in response.json()["predictions"]]
    assert values == pytest.approx(fitted.estimator.predict(rows.astype(np.float32)), rel=1e-5)
