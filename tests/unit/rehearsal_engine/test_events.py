"""The event log: envelopes, and a file that can be followed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rehearsal.engine.events import EventStream, open_event_log


def test_events_are_numbered_from_zero_and_told_to_everybody(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    log = open_event_log(str(tmp_path / "log"))
    stream = EventStream(seen.append, log.write)

    stream.emit({"stdoutEvent": {"message": "é", "color": "never"}})
    stream.emit({"cancelEvent": {}})
    log.close()

    assert [event["sequence"] for event in seen] == [0, 1]
    assert list(seen[1]) == ["sequence", "timestamp", "cancelEvent"]
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == seen


def test_file_log_is_continued_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    log = open_event_log(str(tmp_path / "log"))
    log.write({"a": 1})
    log.close()

    assert (tmp_path / "log").read_text() == 'before\n{"a": 1}\n'
