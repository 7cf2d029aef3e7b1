"""What libraries and scripts print becomes lines of the log."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

from server.stray_output import LONGEST_LINE

CONTAINER = Path(__file__).parents[3] / "container"
NOISE = """
import logging, sys, warnings
from server.logs import configure_logs
from server.stray_output import log_stray_output

configure_logs(logging.INFO)
log_stray_output(logging.INFO)
print("one", 1)
print("two\\nthree")
sys.stdout.write("half")
sys.stdout.write(" a line\\n\\n")
warnings.warn("beware")
logging.getLogger("script").info("told %s", "so")
logging.getLogger("script").debug("not this")
try:
    1 / 0
except ZeroDivisionError:
    logging.exception("failed")
print("x" * 9000)
"""


def test_every_printed_line_is_a_line_of_json() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", NOISE], cwd=CONTAINER, capture_output=True, text=True, check=True
    )

    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    printed = [line["text"] for line in lines if line["event"] == "printed"]
    logged = [line for line in lines if line["event"] == "logged"]
    assert ended.stdout == ""
    assert printed[:4] == ["one 1", "two", "three", "half a line"]
    assert "UserWarning: beware" in printed[4]
    assert printed[-1] == "x" * LONGEST_LINE
    assert [(line["logger"], line["text"]) for line in logged] == [
        ("script", "told so"),
        ("root", "failed"),
    ]
    assert "ZeroDivisionError" in logged[1]["traceback"]
    assert logged[0]["level"] == logging.getLevelName(logging.INFO).lower()
