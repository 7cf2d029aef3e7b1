"""Starts and stops server processes so that none outlives the cloud.

Linux tells a child when the *thread* that started it dies, so one long-lived thread starts them
all; a launch thread that ended would otherwise take its server with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

PR_SET_PDEATHSIG = 1


class Spawner:
    """Starts processes from one thread of its own."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], object], Future[object]] | None]
        self._jobs = queue.SimpleQueue()
        self._libc = ctypes.CDLL(None) if sys.platform == "linux" else None
        self._thread = threading.Thread(target=self._run, name="cloud-spawner", daemon=True)
        self._thread.start()

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], directory: Path
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, its output on one pipe.

        Raises:
            OSError: the program can't be run
        """
        result: Future[object] = Future()

        def job() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                list(arguments),
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=self._die_with_parent if self._libc is not None else None,
            )

        self._jobs.put((job, result))
        process = result.result()
        assert isinstance(process, subprocess.Popen)
        return process

    def stop(self) -> None:
        """End the thread, and with it (on Linux) whatever it started and still runs."""
        self._jobs.put(None)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, result = entry
            try:
                result.set_result(job())
            except OSError as err:
                result.set_exception(err)

    def _die_with_parent(self) -> None:
        # SIGTERM and not SIGKILL: a server with workers of its own can then end them, too.
        assert self._libc is not None
        self._libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def stop_process(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Send SIGTERM, wait, then kill the whole session that is left; without a wait kill at once."""
    if seconds > 0 and process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """Return a loopback port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
