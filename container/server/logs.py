"""Structured logs: one JSON object a line on stderr, which SageMaker carries to CloudWatch.

Payloads never appear in a log, only their size and digest.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time

LOGGER = logging.getLogger("greenlight.server")


class JsonLineFormatter(logging.Formatter):
    """Writes a record as one line of JSON: time, level, event, then the record's own fields.

    Args:
        worker: number of the worker whose lines these are, where there are several
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}"
            f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if self._worker is not None:
            line["worker"] = self._worker
        line.update(getattr(record, "fields", {}))
        if record.exc_info is not None:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logs(level: int, *, worker: int | None = None) -> None:
    """Send this package's records of `level` and above to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLineFormatter(worker))
    LOGGER.handlers = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False


def log(level: int, event: str, /, *, error: BaseException | None = None, **fields: object) -> None:
    """Log an event with those fields that are not None; with `error`, its traceback too."""
    if LOGGER.isEnabledFor(level):
        given = {name: value for name, value in fields.items() if value is not None}
        LOGGER.log(level, event, exc_info=error, extra={"fields": given})


def payload_digest(body: bytes) -> str:
    """Give 16 hex digits that tell whether two logged payloads are the same."""
    return hashlib.sha256(body).hexdigest()[:16]
