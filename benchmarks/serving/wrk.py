"""The load: wrk on a core of its own, posting the bodies of a file in turn."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "post.lua"
MARK = "figures "
ANSWER_SECONDS = 10
"""How long an answer may take before wrk counts it as timed out."""


class LoadError(Exception):
    """The load could not be made, or did not say what came back."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What came back.

    Args:
        refused: answers whose status was not 2xx or 3xx
        broken: connections that failed to open, send or receive
        timed_out: requests without an answer in `ANSWER_SECONDS`
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    longest_ms: float
    refused: int
    broken: int
    timed_out: int

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def failures(self) -> int:
        return self.refused + self.broken + self.timed_out


def check_wrk() -> str:
    """Return where wrk is.

    Raises:
        LoadError: it is not installed
    """
    path = shutil.which("wrk")
    if path is None:
        raise LoadError(
            "wrk makes the load and is not on PATH; install it: `apt-get install wrk` on Debian "
            "and Ubuntu, `brew install wrk` on macOS"
        )
    return path


def run_wrk(
    url: str,
    bodies: Path,
    *,
    connections: int,
    seconds: float,
    cores: Sequence[int],
    content_type: str = "application/json",
) -> Load:
    """Post for so long and return what came back.

    Args:
        bodies: a file with one body a line
        seconds: whole seconds for wrk; rounded up
        cores: where the load may run; empty where the system can't say

    Raises:
        LoadError: wrk is missing or failed
    """
    command = [
        *(check_wrk(), "-t1", f"-c{connections}", f"-d{-int(-seconds // 1)}s"),
        *("--timeout", f"{ANSWER_SECONDS}s", "-s", str(SCRIPT), url),
        *("--", content_type, str(bodies)),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
    )
    if done.returncode != 0:
        raise LoadError(f"wrk ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return load_from_output(done.stdout)


def load_from_output(output: str) -> Load:
    """Read the line our script ends with.

    Raises:
        LoadError: there is none, or nothing came back at all
    """
    lines = [line for line in output.splitlines() if line.startswith(MARK)]
    if not lines:
        raise LoadError(f"wrk wrote no figures: {output.strip()[-500:]!r}")
    figures = json.loads(lines[-1].removeprefix(MARK))
    if figures["requests"] == 0:
        raise LoadError(f"not one answer came back: {lines[-1]}")
    return Load(
        requests=figures["requests"],
        seconds=figures["microseconds"] / 1e6,
        p50_ms=figures["p50"] / 1e3,
        p99_ms=figures["p99"] / 1e3,
        longest_ms=figures["longest"] / 1e3,
        refused=figures["refused"],
        broken=figures["broken"],
        timed_out=figures["timed_out"],
    )
