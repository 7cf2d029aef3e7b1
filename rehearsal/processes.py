"""The processes of a rehearsal: started with a log, found again by another command, ended whole."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from rehearsal.errors import StartError

START_DEADLINE_SECONDS = 60.0
STOP_DEADLINE_SECONDS = 20.0
POLL_SECONDS = 0.05
LOG_TAIL_LINES = 15
# The official command, and the embedded engine's module; an interpreter and `-m` come before it.
PULUMI_COMMANDS = ("pulumi", "rehearsal.engine")
COMMAND_WORDS = 3


@dataclass(frozen=True, kw_only=True)
class ProcessRecord:
    """One process of a rehearsal; the creation time tells it from a later one with the same id."""

    name: str
    pid: int
    create_time: float


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process to start: a module that writes what others need to know into a file.

    Args:
        arguments: the module and its arguments; `--port-file FILE` is added.
    """

    name: str
    arguments: Sequence[str]
    port_file: Path
    log: Path


def spawn(part: Part, python: str, root: Path, environment: Mapping[str, str]) -> ProcessRecord:
    """Start a part in a session of its own, so that it outlives the command that started it."""
    part.port_file.unlink(missing_ok=True)
    with part.log.open("wb") as output:
        process = subprocess.Popen(
            [python, "-m", *part.arguments, "--port-file", str(part.port_file)],
            cwd=root, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, env=dict(environment),
        )  # fmt: skip
    created = psutil.Process(process.pid).create_time()
    return ProcessRecord(name=part.name, pid=process.pid, create_time=created)


def wait_for_ports(part: Part, record: ProcessRecord) -> str:
    """Return what the part writes into its port file.

    Raises:
        StartError: it ended, or wrote nothing in time; the message has the end of its log.
    """
    deadline = time.monotonic() + START_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if part.port_file.exists() and (text := part.port_file.read_text().strip()):
            part.port_file.unlink()
            return text
        if find(record) is None:
            raise StartError(f"the rehearsal's {part.name} ended at start:\n{_tail(part.log)}")
        time.sleep(POLL_SECONDS)
    raise StartError(
        f"the rehearsal's {part.name} wrote no port within {START_DEADLINE_SECONDS:g} s:\n"
        f"{_tail(part.log)}"
    )


def find(record: ProcessRecord) -> psutil.Process | None:
    """Find a recorded process again; None when it is gone and its id may be another's."""
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.create_time) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def find_operations(pulumi_home: Path) -> list[psutil.Process]:
    """Find the Pulumi commands that work in a rehearsal, whoever started them and is gone since."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()[:COMMAND_WORDS]
            is_pulumi = any(Path(word).name in PULUMI_COMMANDS for word in words)
            if is_pulumi and process.environ().get("PULUMI_HOME") == str(pulumi_home):
                found.append(process)
    return found


def end(found: Sequence[psutil.Process]) -> None:
    """End processes and all their children: asked first, then killed."""
    family = [child for process in found for child in _children(process)] + list(found)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_DEADLINE_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=STOP_DEADLINE_SECONDS)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n".join(f"  {line}" for line in lines)
