"""The event log: envelopes, and a file that can be followed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.errors import EngineError
from rehearsal.engine.events import EventStream, event_log


def test_events_are_numbered_from_zero_and_told_to_everybody(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    with event_log(str(tmp_path / "log")) as sinks:
        stream = EventStream(seen.append, *sinks)
        stream.emit({"stdoutEvent": {"message": "é", "color": "never"}})
        stream.emit({"cancelEvent": {}})

    assert [event["sequence"] for event in seen] == [0, 1]
    assert list(seen[1]) == ["sequence", "timestamp", "cancelEvent"]
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == seen


def test_file_log_is_continued_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")

    with event_log(str(tmp_path / "log")) as sinks:
        sinks[0]({"a": 1})

    assert (tmp_path / "log").read_text() == 'before\n{"a": 1}\n'


def test_listener_that_is_gone_is_told() -> None:
    with pytest.raises(EngineError, match="listener failed"), event_log("tcp://127.0.0.1:1"):
        pass
