"""The form of a log line."""

from __future__ import annotations

import json
import logging

import pytest

from server.logs import LOGGER, configure_logs, log, payload_digest


@pytest.fixture(autouse=True)
def _restored_logger() -> object:
    handlers, level, propagate = LOGGER.handlers, LOGGER.level, LOGGER.propagate
    yield
    LOGGER.handlers, LOGGER.propagate = handlers, propagate
    LOGGER.setLevel(level)


def test_a_line_is_one_json_object_with_the_fields_given(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(logging.INFO)

    log(logging.INFO, "refused", status=400, cause=None, path="/a\nb")
    log(logging.DEBUG, "answered", status=200)

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    line = json.loads(lines[0])
    assert line.pop("time").endswith("Z")
    assert line == {"level": "info", "event": "refused", "status": 400, "path": "/a\nb"}


def test_a_failures_traceback_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(logging.INFO)

    try:
        raise ValueError("boom")
    except ValueError as error:
        log(logging.ERROR, "unexpected_error", error=error)

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "ValueError: boom" in json.loads(lines[0])["traceback"]


def test_a_digest_tells_payloads_apart() -> None:
    assert payload_digest(b"a") == payload_digest(b"a") != payload_digest(b"b")
    assert len(payload_digest(b"")) == 16
