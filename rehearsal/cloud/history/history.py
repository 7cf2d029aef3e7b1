"""Keeps a cloud's commands, in order, in a folder: `commands.jsonl`, `bodies/`, `record.json`.

The first line says what the cloud was started with, the last one when it ended. What is asked
for is kept whole, bodies included: a folder for rehearsals' data, not for people's.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.history.command import (
    FORMAT,
    Command,
    answered_by,
    changed_by_looking,
    command_from_line,
    is_command,
    is_invocation,
    line_from_command,
)
from rehearsal.cloud.history.served import note_instance
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.ids import seed_ids

logger = logging.getLogger(__name__)

COMMANDS = "commands.jsonl"
RECORD = "record.json"
BODIES = "bodies"
# About a day of steady traffic; a longer run can be replayed up to there.
MAXIMUM_COMMANDS = 500_000
# What a cloud that is killed loses of its history.
FLUSH_WALL_SECONDS = 1.0

Answer = Callable[[Request], Response]


class History:
    """Notes every command on its way to its answer.

    Args:
        start: what the cloud was started with, as a replay needs it
    """

    def __init__(self, directory: Path, clock: Clock, start: Mapping[str, Any]) -> None:
        self._directory = directory
        self._clock = clock
        self._start = dict(start)
        self._seed = start["seed"]
        self._lock = threading.Lock()
        self._number = 0
        self._kept: set[str] = set()
        self._file: TextIO | None = None
        self._flushed_at = 0.0

    def open(self) -> None:
        """Begin a new history; one that is left in the folder is overwritten."""
        (self._directory / BODIES).mkdir(parents=True, exist_ok=True)
        self._file = (self._directory / COMMANDS).open("w", encoding="utf-8", buffering=1 << 16)
        self._write(json.dumps({"format": FORMAT, **self._start}))

    def close(self, record: Mapping[str, Any]) -> None:
        """End the history with what the cloud has recorded."""
        with self._lock:
            file, self._file = self._file, None
        if file is None:
            return
        with file:
            file.write(json.dumps({"end": self._clock.now()}) + "\n")
        (self._directory / RECORD).write_text(json.dumps(record), encoding="utf-8")

    def answer(self, request: Request, answer: Answer) -> Response:
        """Answer a request; a command's ids are drawn from the seed and its number."""
        note_instance(None)
        if not is_command(request):
            response = answer(request)
            if changed_by_looking(request, response):
                self._note(self._next_number(), self._clock.now(), request, response)
            return response
        number, came_at = self._next_number(), self._clock.now()
        # moto has no part in an invocation, and setting its chance costs as much as all the rest.
        seed_ids(f"{self._seed}/command/{number}", is_moto=not is_invocation(request))
        response = answer(request)
        self._note(number, came_at, request, response)
        return response

    def _next_number(self) -> int:
        with self._lock:
            self._number += 1
            return self._number

    def _note(self, number: int, came_at: float, request: Request, response: Response) -> None:
        if self._file is None or number > MAXIMUM_COMMANDS:
            return
        command = Command(
            number=number, time=came_at, request=request, answered=answered_by(response)
        )
        self._write(line_from_command(command, self._keep_body))
        if number == MAXIMUM_COMMANDS:
            logger.warning("history is full commands=%d", number)

    def _write(self, line: str) -> None:
        with self._lock:
            if self._file is None:
                return
            self._file.write(line + "\n")
            now = time.monotonic()
            if now - self._flushed_at >= FLUSH_WALL_SECONDS:
                self._flushed_at = now
                self._file.flush()

    def _keep_body(self, body: bytes) -> str:
        digest = hashlib.sha256(body).hexdigest()
        if digest not in self._kept:
            (self._directory / BODIES / digest).write_bytes(body)
            self._kept.add(digest)
        return digest


def read_history(directory: Path) -> tuple[dict[str, Any], list[Command], float | None]:
    """Return what a cloud was started with, its commands in order, and when it ended.

    The end is None for a cloud that was killed.

    Raises:
        SetupError: the folder holds no history, or one of another format
    """
    path = directory / COMMANDS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as err:
        raise SetupError(f"{directory} holds no {COMMANDS} to replay: {err}") from err
    start = json.loads(lines[0]) if lines else {}
    if start.pop("format", None) != FORMAT:
        raise SetupError(f"{path} does not begin with format {FORMAT}; it is another program's")

    def find_body(digest: str) -> bytes:
        return (directory / BODIES / digest).read_bytes()

    ended, commands = None, []
    for line in lines[1:]:
        if line.startswith('{"end"'):
            ended = json.loads(line)["end"]
        elif line.endswith("}"):
            commands.append(command_from_line(line, find_body))
    # Written as they are answered; asked in the order of their numbers.
    return start, sorted(commands, key=lambda command: command.number), ended
