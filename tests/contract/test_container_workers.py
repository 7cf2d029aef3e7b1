"""Several workers behind one port: counted together, replaced, drained, and never left behind."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support.container_process import ServerProcess, run_command, started_server
from tests.support.onnx_models import FittedModel, an_iris_classifier

BODY = b'{"instances": [[5.1, 3.5, 1.4, 0.2], [6, 3, 5, 2]]}'


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return an_iris_classifier(tmp_path_factory.mktemp("iris"), trees=3)


@contextmanager
def two_workers(iris: FittedModel, log_path: Path) -> Iterator[ServerProcess]:
    with started_server(iris.directory, log_path, SAGEMAKER_MODEL_SERVER_WORKERS="2") as started:
        assert started.wait_until_pinged().status_code == 200
        wait_until(lambda: len(started.log_lines("listening")) == 2, "both workers listen")
        yield started


@pytest.fixture(scope="module")
def server(iris: FittedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with two_workers(iris, tmp_path_factory.mktemp("log") / "server.log") as started:
        yield started


@pytest.fixture
def ending(iris: FittedModel, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of its own for a test that ends it."""
    with two_workers(iris, tmp_path / "server.log") as started:
        yield started


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.02)


def workers_of(server: ServerProcess) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children()


def are_ended(server: ServerProcess, count: int) -> bool:
    return len(server.log_lines("worker_ended")) >= count


def metrics_of(server: ServerProcess) -> dict[str, float]:
    """Give what one scrape sums up: the samples that have nothing to tell apart."""
    families = text_string_to_metric_families(server.get("/metrics").text)
    return {
        sample.name: sample.value
        for family in families
        for sample in family.samples
        if sample.labels.get("route", "invocations") == "invocations"
        and sample.labels.get("code", "ok") == "ok"
    }


def test_a_scrape_of_any_worker_counts_the_requests_of_all(server: ServerProcess) -> None:
    for _ in range(20):  # each on a connection of its own
        assert server.invoke(BODY).status_code == 200

    scrapes = [metrics_of(server) for _ in range(4)]

    for scrape in scrapes:
        assert scrape["greenlight_requests_total"] == 20
        assert scrape["greenlight_request_duration_seconds_count"] == 20
        assert scrape["greenlight_rows_total"] == 40
        assert scrape["greenlight_requests_in_flight"] == 0
        assert scrape["greenlight_workers"] == 2


def test_a_worker_that_dies_is_replaced_and_nothing_counted_is_lost(
    server: ServerProcess,
) -> None:
    before = metrics_of(server)["greenlight_requests_total"]
    dead = workers_of(server)[0]

    dead.kill()
    wait_until(lambda: len(server.log_lines("listening")) == 3, "a third worker listens")
    answers = [server.invoke(BODY).status_code for _ in range(10)]

    [line] = server.log_lines("worker_ended")
    assert (line["level"], line["pid"], line["exit_code"]) == ("error", dead.pid, -9)
    assert answers == [200] * 10
    assert metrics_of(server)["greenlight_requests_total"] == before + 10


def test_sigterm_drains_all_workers(ending: ServerProcess) -> None:
    workers = workers_of(ending)
    connections = []
    for _ in range(4):
        connection = socket.create_connection(("127.0.0.1", ending.port), timeout=10)
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: model\r\n\r\n")
        assert b"200 OK" in connection.recv(65536)
        connection.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: model\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:10]
        )
        connections.append(connection)
    wait_until(lambda: metrics_of(ending)["greenlight_requests_in_flight"] == 4, "4 in flight")

    ending.process.send_signal(signal.SIGTERM)
    wait_until(lambda: len(ending.log_lines("draining")) == 2, "both workers drain")
    for connection in connections:
        connection.sendall(BODY[10:])
    answers = [connection.recv(65536) for connection in connections]
    code = ending.process.wait(10)

    for connection in connections:
        connection.close()
    assert [answer[:15] for answer in answers] == [b"HTTP/1.1 200 OK"] * 4
    assert code == 0
    assert not any(worker.is_running() for worker in workers)
    with pytest.raises(requests.ConnectionError):
        ending.get("/ping")


def test_no_worker_outlives_a_supervisor_that_is_killed(ending: ServerProcess) -> None:
    workers = workers_of(ending)

    ending.process.kill()

    gone, alive = psutil.wait_procs(workers, timeout=10)
    assert (len(gone), alive) == (2, [])


def test_a_worker_that_cannot_live_ends_them_all(ending: ServerProcess) -> None:
    deaths = 0
    while ending.process.poll() is None and deaths < 10:
        wait_until(
            lambda: ending.process.poll() is not None or bool(workers_of(ending)), "a worker"
        )
        try:
            os.kill(workers_of(ending)[0].pid, signal.SIGKILL)
        except (IndexError, psutil.NoSuchProcess, ProcessLookupError):
            continue
        deaths += 1
        wait_until(partial(are_ended, ending, deaths), "its end is logged")

    assert ending.process.wait(10) == 1
    [line] = ending.log_lines("crash_loop")
    assert (line["level"], line["deaths"]) == ("critical", 6)


def test_a_port_somebody_listens_on_is_refused_by_name(server: ServerProcess) -> None:
    second = run_command(
        "serve",
        environment={
            "SAGEMAKER_MODEL_SERVER_WORKERS": "2",
            "SAGEMAKER_BIND_TO_PORT": str(server.port),
        },
    )

    assert second.returncode == 2
    assert f"cannot listen on 0.0.0.0:{server.port} (Address already in use)" in second.stderr
