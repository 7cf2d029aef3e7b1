"""`make demo` survives Ctrl-C: it leaves no process, and the next run goes through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from rehearsal import session as sessions
from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.timeout(900)

COMMAND = Path(sys.executable).parent / "greenlight"
DEADLINE_SECONDS = 240.0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end_processes_in(tmp_path)


def start_demo(folder: Path) -> subprocess.Popen[bytes]:
    """Start it as a terminal does, in a process group that gets Ctrl-C as a whole."""
    log = (folder / "demo.log").open("ab")
    with log:
        return subprocess.Popen(
            [COMMAND, "rehearsal", "demo", "--directory", folder / "rehearsal",
             "--output", folder / "report.html"],
            cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def wait_for(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if is_so():
            return
        time.sleep(0.2)
    raise AssertionError(f"waited {DEADLINE_SECONDS:g} s for {what}")


def canary_is_baking(directory: Path) -> bool:
    session = sessions.read(directory)
    if session is None or not session.cloud_port:
        return False
    try:
        events = requests.get(f"{session.cloud_url}/rehearsal/record", timeout=5).json()["events"]
    except requests.RequestException:
        return False
    stages = [event for event in events if event["kind"] == "deployment_stage"]
    return any("ake" in event["stage"] or "aking" in event["stage"] for event in stages)


def processes_in(folder: Path) -> list[str]:
    """Find processes that work in the folder or were told of it."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ", "status"]):
        words = [*(process.info["cmdline"] or []), *(process.info["environ"] or {}).values()]
        is_told = any(str(folder) in word for word in words)
        if is_told and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(f"{process.pid} {process.info['cmdline']}")
    return [line for line in found if not line.startswith(f"{os.getpid()} ")]


def end_processes_in(folder: Path) -> None:
    for line in processes_in(folder):
        psutil.Process(int(line.split()[0])).kill()


def test_an_interrupted_demo_leaves_no_process_and_the_next_one_goes_through(folder: Path) -> None:
    interrupted = start_demo(folder)
    wait_for("a canary to bake", lambda: canary_is_baking(folder / "rehearsal"))

    os.killpg(interrupted.pid, signal.SIGINT)

    assert interrupted.wait(60) == 130, (folder / "demo.log").read_text()[-3000:]
    wait_for("every process to end", lambda: processes_in(folder) == [])

    again = start_demo(folder)

    assert again.wait(DEADLINE_SECONDS * 2) == 0, (folder / "demo.log").read_text()[-3000:]
    assert processes_in(folder) == []
    page = (folder / "report.html").read_text()
    assert page.count('class="verdict promoted"') == 5
    assert page.count('class="verdict rolled_back"') == 1
