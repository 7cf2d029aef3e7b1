"""A contestant as a process on a core of its own: started, waited for, weighed, ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

START_SECONDS = 90.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.002


class ContestantError(Exception):
    """A contestant did not start, or did not answer as scikit-learn does."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A contestant in service.

    Args:
        cold_start_seconds: from starting the process to the first good answer to its ping
    """

    process: psutil.Process
    port: int
    cold_start_seconds: float

    def memory_mb(self) -> tuple[float, float]:
        """Return resident and proportional memory of the process and all it started, in MB.

        Resident counts a page shared by two of its processes twice, proportional once; where the
        system has no proportional memory, it is the resident memory.
        """
        resident = proportional = 0
        for process in [self.process, *self.process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                memory = process.memory_full_info()
                resident += memory.rss
                proportional += getattr(memory, "pss", memory.rss)
        return resident / 1e6, proportional / 1e6

    def cpu_seconds(self) -> float:
        """Return the processor time of the process and of all it started, so far."""
        used = 0.0
        for process in [self.process, *self.process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used += times.user + times.system
        return used


def own_cores() -> list[int]:
    """Return the cores this process may use; empty where the system can't bind to cores."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(
    command: Sequence[str],
    *,
    directory: Path,
    variables: Mapping[str, str],
    port: int,
    ping_path: str,
    log_path: Path,
    cores: Sequence[int],
) -> Iterator[Running]:
    """Run a server on these cores until the context ends; it starts when its ping is good.

    Raises:
        ContestantError: it ended, or had no good ping in time; with the end of its log
    """
    with log_path.open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables},
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
        )
    try:
        _await_ping(process, port, ping_path, log_path)
        yield Running(
            process=psutil.Process(process.pid),
            port=port,
            cold_start_seconds=time.perf_counter() - began,
        )
    finally:
        _end(process)


def _await_ping(
    process: subprocess.Popen[bytes], port: int, ping_path: str, log_path: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_pinged(port, ping_path):
            return
        time.sleep(POLL_SECONDS)
    what = f"ended with {process.returncode}" if process.poll() is not None else "did not answer"
    log = log_path.read_text(errors="replace")[-2_000:]
    raise ContestantError(f"the server {what} before its first good ping; its log ends:\n{log}")


def _is_pinged(port: int, ping_path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", ping_path)
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server's whole session, so that none of its workers is left on the core."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
