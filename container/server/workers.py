"""Several workers, one a core: forked, watched, replaced, and drained together.

The supervisor holds the listening socket, which all workers accept from, so that no connection is
lost with a worker that dies. It loads no model and imports no server, so that no library is forked
with its threads. See ADR 0024.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from time import monotonic

from .errors import SettingsError
from .logs import configure_logs, log
from .metrics import Metrics
from .settings import Settings
from .statuses import codes

DEATHS = 5
DEATHS_SECONDS = 60
"""More deaths than that in that time are no accident; who runs this process has to see it end."""

GRACE_SECONDS = 2
"""What a worker may take beyond its own deadline to end."""

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
PR_SET_PDEATHSIG = 1

Work = Callable[[int, socket.socket, Metrics], int]
"""What a worker does with its number, the listening socket and the counters; its exit code."""


class CrashLoop:
    """Tells accidents from a worker that cannot live.

    Args:
        deaths: so many are accidents
        seconds: within this time
    """

    def __init__(self, deaths: int = DEATHS, seconds: float = DEATHS_SECONDS) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=deaths + 1)

    def is_with(self, now: float) -> bool:
        """Note a death, and tell whether it is one too many."""
        self._times.append(now)
        is_full = len(self._times) == self._times.maxlen
        return is_full and now - self._times[0] <= self._seconds


def supervise(settings: Settings, count: int, work: Work) -> int:
    """Run workers until SIGTERM or SIGINT, then drain them.

    Args:
        count: how many
        work: run in each worker's process

    Returns:
        exit code: 0 all drained in time, 1 not, or workers died too often

    Raises:
        SettingsError: the port cannot be listened on
    """
    with bound_socket(settings.bind_address, settings.port) as listener:
        metrics = Metrics(codes(), workers=count)
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        log(logging.INFO, "supervising", workers=count, port=settings.port)
        return _Supervisor(settings, count, work, listener, metrics).run()


class _Supervisor:
    def __init__(
        self,
        settings: Settings,
        count: int,
        work: Work,
        listener: socket.socket,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._work = work
        self._listener = listener
        self._metrics = metrics
        self._crash_loop = CrashLoop()
        self._worker_by_pid = {self._forked(worker): worker for worker in range(count)}

    def run(self) -> int:
        """Watch the workers until they are to end, and end them."""
        while signal.sigwait(SIGNALS) == signal.SIGCHLD:
            for worker, _ in self._ended():
                if self._crash_loop.is_with(monotonic()):
                    log(
                        logging.CRITICAL,
                        "crash_loop",
                        deaths=DEATHS + 1,
                        seconds=DEATHS_SECONDS,
                    )
                    self._drain()
                    return 1
                self._worker_by_pid[self._forked(worker)] = worker
        return self._drain()

    def _drain(self) -> int:
        # New connections are refused once every worker has closed the socket, too.
        self._listener.close()
        self._signal(signal.SIGTERM)
        deadline = monotonic() + self._settings.drain_seconds + GRACE_SECONDS
        code = 0
        while self._worker_by_pid:
            signal.sigtimedwait(SIGNALS, max(0, deadline - monotonic()))
            code = max([code, *(abs(each) for _, each in self._ended())])
            if monotonic() >= deadline and self._worker_by_pid:
                log(logging.ERROR, "drain_timed_out", workers=list(self._worker_by_pid.values()))
                self._signal(signal.SIGKILL)
                return 1
        return min(code, 1)

    def _ended(self) -> list[tuple[int, int]]:
        """Give the workers that ended since with their exit codes, and log them."""
        ended = []
        while self._worker_by_pid:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            # As process 1 we are the parent of every orphan in the container, too.
            worker = self._worker_by_pid.pop(pid, None)
            if worker is None:
                continue
            code = os.waitstatus_to_exitcode(status)
            log(
                logging.INFO if code == 0 else logging.ERROR,
                "worker_ended",
                worker=worker,
                pid=pid,
                exit_code=code,
            )
            ended.append((worker, code))
        return ended

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._worker_by_pid:
            os.kill(pid, number)

    def _forked(self, worker: int) -> int:
        supervisor = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            die_with(supervisor)
            configure_logs(self._settings.log_level, worker=worker)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            code = self._work(worker, self._listener, self._metrics)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException as error:  # noqa: BLE001 - nothing of the supervisor may run in here
            log(logging.CRITICAL, "worker_failed", error=error)
        finally:
            logging.shutdown()
            sys.stdout.flush()
            os._exit(code)


def die_with(supervisor: int) -> None:
    """Have this process drained when the supervisor is gone, whatever killed that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != supervisor:
        sys.exit(1)  # it died before we could ask


def bound_socket(address: str, port: int) -> socket.socket:
    """Bind the socket that all workers will listen on; nobody is listened to yet.

    Raises:
        SettingsError: the address cannot be bound
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Without SO_REUSEPORT, which would share the port with another server.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            [
                f"cannot listen on {address}:{port} ({error.strerror}); give another port in "
                "SAGEMAKER_BIND_TO_PORT, or end what listens there"
            ]
        ) from error
    return listener
