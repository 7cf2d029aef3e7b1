"""A history keeps what was asked, in order, and gives each command its own ids."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.history.history import History, read_history
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.ids import new_id

START = {"seed": 1, "clock": "manual"}


def request(operation: str, body: bytes = b"{}") -> Request:
    header = ("X-Amz-Target", f"SageMaker.{operation}")
    return Request(
        method="POST",
        target="/",
        headers={header[0].lower(): header[1]},
        raw_headers=(header,),
        body=body,
    )


def answer(asked: Request) -> Response:
    return Response(headers=(("x-amzn-RequestId", new_id()),))


def test_commands_are_kept_with_their_time_and_reads_are_not(tmp_path: Path) -> None:
    clock = ManualClock(100.0)
    history = History(tmp_path, clock, START)
    history.open()
    history.answer(request("CreateModel"), answer)
    history.answer(request("DescribeModel"), answer)
    clock.advance(5)
    history.answer(request("DeleteModel", b"x" * 9_000), answer)
    history.close({"events": []})

    start, commands, ended = read_history(tmp_path)

    assert start == START
    assert [(c.number, c.time, c.request.body[:1]) for c in commands] == [
        (1, 100.0, b"{"),
        (2, 105.0, b"x"),
    ]
    assert ended == 105.0
    assert json.loads((tmp_path / "record.json").read_text()) == {"events": []}


def test_a_commands_ids_do_not_depend_on_what_was_read_before(tmp_path: Path) -> None:
    def ids(reads: int, folder: str) -> str | None:
        history = History(tmp_path / folder, ManualClock(), START)
        history.open()
        for _ in range(reads):
            history.answer(request("ListModels"), answer)
        history.answer(request("CreateModel"), answer)
        history.close({})
        return read_history(tmp_path / folder)[1][0].answered.request_id

    assert ids(0, "a") == ids(3, "b") is not None


def test_a_cloud_that_was_killed_leaves_a_history_without_an_end(tmp_path: Path) -> None:
    history = History(tmp_path, ManualClock(), START)
    history.open()
    history.answer(request("CreateModel"), answer)
    history.close({})
    path = tmp_path / "commands.jsonl"
    kept = path.read_text().splitlines()[:-1]
    path.write_text("\n".join([*kept, kept[-1][:20]]))

    _, commands, ended = read_history(tmp_path)

    assert (len(commands), ended) == (1, None)


@pytest.mark.parametrize("text", [None, '{"format": 99}\n', ""])
def test_what_is_no_history_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "commands.jsonl").write_text(text)

    with pytest.raises(SetupError, match=r"commands\.jsonl"):
        read_history(tmp_path)
