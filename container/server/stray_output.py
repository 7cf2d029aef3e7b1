"""Turns what libraries and inference scripts print into lines of the log.

The log is one JSON object a line; a `print` or a Python warning between them would be a line that
no reader of logs understands.
"""

from __future__ import annotations

import io
import logging
import sys

from .logs import log

LONGEST_LINE = 4000
"""Characters of one printed line that are kept."""


class StrayLines(io.TextIOBase):
    """Takes the place of stdout or stderr; every whole line becomes a log line."""

    def __init__(self, name: str, level: int) -> None:
        self._name = name
        self._level = level
        self._held = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, held = (self._held + text).split("\n")
        # What never ends a line must not grow without end.
        self._held = held[-LONGEST_LINE:]
        for line in lines:
            if line.strip():
                log(self._level, "printed", stream=self._name, text=line[:LONGEST_LINE])
        return len(text)


class StrayRecords(logging.Handler):
    """Takes what others log by Python's `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info is not None else None
        log(
            record.levelno,
            "logged",
            error=error,
            logger=record.name,
            text=record.getMessage()[:LONGEST_LINE],
        )


def log_stray_output(level: int) -> None:
    """Send what anything in this process prints or logs to our log, from now on.

    Args:
        level: Python's number of the lowest level that is taken from others' loggers
    """
    sys.stdout = StrayLines("stdout", logging.INFO)
    sys.stderr = StrayLines("stderr", logging.WARNING)
    root = logging.getLogger()
    root.handlers = [StrayRecords()]
    root.setLevel(level)
