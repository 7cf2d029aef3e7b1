"""Start, health and end of the inference server, as SageMaker drives them."""

from __future__ import annotations

import http.client
import json
import socket
import time
from pathlib import Path

import pytest
import requests

from tests.support.container_process import (
    Serve,
    Server,
    a_free_port,
    run_command,
    started_server,
)
from tests.support.onnx_models import FittedModel, an_iris_classifier, change_json

BODY = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'
HEAD = (
    b"POST /invocations HTTP/1.1\r\nHost: model\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n"
)

# The image has to be built first, and an engine may have to be installed for that.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def iris(tmp_path: Path) -> FittedModel:
    return an_iris_classifier(tmp_path / "model", trees=3)


def an_unfinished_invocation(server: Server) -> socket.socket:
    """Send the first half of an invocation; the server is known to have read some of it."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    # A whole request first, so that the connection is certainly accepted and being served.
    connection.sendall(b"GET /ping HTTP/1.1\r\nHost: model\r\n\r\n")
    assert b"200 OK" in connection.recv(65536)
    connection.sendall(HEAD % len(BODY) + BODY[:10])
    deadline = time.monotonic() + 10
    while "\ngreenlight_requests_in_flight 1\n" not in server.get("/metrics").text:
        assert time.monotonic() < deadline, "the half of an invocation did not arrive"
        time.sleep(0.02)
    return connection


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    """Read a whole answer, however it is cut on its way; give its status and body."""
    with http.client.HTTPResponse(connection) as response:
        response.begin()
        return response.status, response.read()


def wait_until_refused(server: Server) -> None:
    """Wait until nobody answers new connections, be it that a container's port is still there."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            server.get("/ping")
        except requests.ConnectionError:
            return
        time.sleep(0.02)
    raise AssertionError("connections are still accepted 5 s after SIGTERM")


def test_sigterm_refuses_the_new_and_finishes_what_is_in_flight(
    serve: Serve, iris: FittedModel
) -> None:
    server = serve(iris.directory)
    server.wait_until_pinged()
    connection = an_unfinished_invocation(server)

    server.terminate()
    wait_until_refused(server)
    connection.sendall(BODY[10:])
    status, answer = answer_on(connection)
    code = server.wait(10)

    connection.close()
    assert status == 200
    assert b'"predicted_class":"setosa"' in answer
    assert code == 0
    assert len(server.await_lines("stopped")) == 1


def test_a_request_that_never_ends_does_not_hold_the_drain_beyond_its_deadline(
    serve: Serve, iris: FittedModel
) -> None:
    server = serve(iris.directory, GREENLIGHT_DRAIN_SECONDS="1")
    server.wait_until_pinged()
    connection = an_unfinished_invocation(server)

    server.terminate()
    code = server.wait(10)

    connection.close()
    assert code == 1
    assert len(server.await_lines("drain_timed_out")) == 1


def test_an_idle_connection_does_not_hold_the_drain(iris: FittedModel, tmp_path: Path) -> None:
    with started_server(iris.directory, tmp_path / "server.log") as server:
        server.wait_until_pinged()
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: model\r\n\r\n")
        assert b"200 OK" in connection.recv(65536)

        server.terminate()
        code = server.wait(10)

    connection.close()
    assert code == 0


def test_a_model_that_misses_its_golden_rows_never_goes_in_service(
    serve: Serve, iris: FittedModel
) -> None:
    golden = iris.directory / "golden.json"
    labels = json.loads(golden.read_text())["labels"]
    change_json(golden, labels=[(label + 1) % 3 for label in labels])

    server = serve(iris.directory)
    pings = [server.wait_until_pinged(), server.get("/ping"), server.get("/ping")]
    invocation = server.invoke(BODY)
    refusals = server.await_lines("model_refused")

    assert [ping.status_code for ping in pings] == [503, 503, 503]
    assert "golden row 0" in pings[0].json()["error"]["message"]
    assert invocation.status_code == 503
    assert [line["code"] for line in refusals] == ["golden_mismatch"]
    assert "golden row 0" in refusals[0]["cause"]


def test_without_an_artifact_ping_says_what_is_missing(tmp_path: Path) -> None:
    with started_server(tmp_path / "nothing", tmp_path / "server.log") as server:
        ping = server.wait_until_pinged()

    assert ping.status_code == 503
    assert "manifest.json cannot be read (No such file or directory)" in ping.text


def test_the_model_runtime_keeps_no_device_id_to_report_with(
    iris: FittedModel, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()

    with started_server(iris.directory, tmp_path / "server.log", HOME=str(home)) as server:
        server.wait_until_pinged()
        server.invoke(BODY)

    assert list(home.rglob("*")) == []


def test_a_port_somebody_listens_on_is_refused_by_name(iris: FittedModel, tmp_path: Path) -> None:
    with started_server(iris.directory, tmp_path / "first.log") as first:
        first.wait_until_pinged()
        second = run_command(
            "serve",
            environment={
                "SAGEMAKER_BIND_TO_PORT": str(first.port),
                "SM_MODEL_DIR": str(iris.directory),
            },
        )

    assert second.returncode == 2
    assert f"cannot listen on 0.0.0.0:{first.port} (Address already in use)" in second.stderr


def test_a_wrong_setting_ends_the_process_with_the_problem() -> None:
    result = run_command("serve", environment={"SAGEMAKER_BIND_TO_PORT": "eighty"})

    line = json.loads(result.stderr)
    assert result.returncode == 2
    assert line["problems"][0].startswith("SAGEMAKER_BIND_TO_PORT is 'eighty'; give a whole")


def test_the_health_check_command_follows_ping(iris: FittedModel, tmp_path: Path) -> None:
    with (
        a_free_port() as unused,
        started_server(iris.directory, tmp_path / "server.log") as server,
    ):
        server.wait_until_pinged()
        good = run_command("ping", environment={"SAGEMAKER_BIND_TO_PORT": str(server.port)})
        bad = run_command("ping", environment={"SAGEMAKER_BIND_TO_PORT": str(unused)})

    assert (good.returncode, bad.returncode) == (0, 1)


def test_a_body_that_does_not_come_in_time_is_a_408_and_others_are_served_meanwhile(
    iris: FittedModel, tmp_path: Path
) -> None:
    log_path = tmp_path / "server.log"
    with started_server(iris.directory, log_path, GREENLIGHT_BODY_TIMEOUT_SECONDS="1") as server:
        server.wait_until_pinged()
        connection = an_unfinished_invocation(server)
        served = server.invoke(BODY)
        status, answer = answer_on(connection)

    connection.close()
    assert served.status_code == 200
    assert status == 408
    assert b"was not complete after 1 s" in answer
