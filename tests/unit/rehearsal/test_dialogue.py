"""What is said to a cloud, and what is made of its silence and its refusals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from rehearsal.dialogue import Clock, CloudOptions, Durations, Runtime, tell
from rehearsal.errors import NotRunningError, SettingError

LOG = Path("logs/cloud.log")
ANSWERS = {
    "/rehearsal/status": (200, b'{"now": 1}'),
    "/rehearsal/faults": (400, b'{"error": "kind \'x\' is no kind of fault"}'),
    "/rehearsal/clock": (404, b"no such page"),
    "/rehearsal/record": (500, b"broken"),
}


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def asked(url: str, what: str) -> dict[str, Any]:
    return tell(url, "GET", what, None, log=LOG, seconds=5)


def test_an_answer_is_returned(url: str) -> None:
    assert asked(url, "status") == {"now": 1}


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("faults", SettingError, "kind 'x' is no kind of fault"),
        ("clock", SettingError, "404 no such page"),
        ("record", NotRunningError, r"failed: 500 broken; its log is logs/cloud\.log"),
    ],
)
def test_a_refusal_is_a_setting_and_a_failure_a_broken_cloud(
    url: str, what: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        asked(url, what)


def test_a_cloud_that_is_gone_is_said_with_its_log() -> None:
    with pytest.raises(NotRunningError, match=r"does not answer: .*; its log is logs/cloud\.log"):
        asked("http://127.0.0.1:9", "status")


def test_options_become_the_clouds_arguments() -> None:
    options = CloudOptions(
        clock=Clock.MANUAL,
        runtime=Runtime.DOCKER,
        maximum_instances=3,
        durations=Durations.AWS,
    )

    assert options.as_arguments() == [
        "--clock", "manual", "--runtime", "docker", "--maximum-instances", "3",
        "--durations", "aws",
    ]  # fmt: skip
    assert CloudOptions().as_arguments() == ["--clock", "scaled", "--runtime", "process"]


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_number_of_instances_out_of_bounds_is_refused(count: int) -> None:
    with pytest.raises(SettingError, match=f"maximum instances {count} is outside 1..1000"):
        CloudOptions(maximum_instances=count)
