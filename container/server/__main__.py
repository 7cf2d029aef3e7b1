"""The image's command: `serve`, as SageMaker calls it, and `ping` for the health check.

`prove MODEL_DIR` and `load MODEL_DIR` are for the packaging gate: the first takes request bodies,
one a line, from stdin, and writes to stdout what each runtime of the model answers; the second
loads the model and its inference script as `serve` would.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from .cores import core_count
from .errors import SettingsError
from .logs import configure_logs, log
from .metrics import Metrics
from .settings import Settings, settings_from_environment
from .workers import supervise

USAGE = "usage: python -m server serve | ping | prove MODEL_DIR | load MODEL_DIR"
PING_TIMEOUT_SECONDS = 2


def main(arguments: Sequence[str]) -> int:
    """Run a command and give the process's exit code: 0 done, 1 failed, 2 wrongly called."""
    if not is_command(arguments):
        print(f"{USAGE}; given was {' '.join(arguments)!r}", file=sys.stderr)
        return 2
    configure_logs(logging.INFO)
    try:
        settings = settings_from_environment(os.environ)
        if arguments[0] == "ping":
            return ping(settings)
        configure_logs(settings.log_level)
        if arguments[0] == "prove":
            from .proving import prove

            return prove(Path(arguments[1]), settings, sys.stdin.buffer, sys.stdout)
        if arguments[0] == "load":
            from .proving import load

            return load(Path(arguments[1]), settings)
        # As process 1 of a container, a signal without a handler would be ignored while we load.
        # An exception would be taken for a failure of the inference script being loaded.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        return serve(settings)
    except SettingsError as error:
        log(logging.CRITICAL, "invalid_settings", problems=error.problems)
        return 2


def serve(settings: Settings) -> int:
    """Serve with as many workers as the settings or the processors say."""
    # Models come and go by requests, of which each worker would only see its own.
    count = 1 if settings.is_multi_model else settings.workers or core_count()
    if count == 1:
        from .serving import serve  # imports the model's runtime, which `ping` need not wait for

        return serve(settings)

    def work(worker: int, listener: socket.socket, metrics: Metrics) -> int:
        # One worker has one core: threads of NumPy and scikit-learn would only be in the way.
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        from .serving import work  # likewise, and the supervisor need not either

        return work(settings, worker, listener, metrics)

    return supervise(settings, count, work)


def is_command(arguments: Sequence[str]) -> bool:
    """Tell whether these are the words of a command."""
    match list(arguments):
        case ["serve"] | ["ping"] | ["prove" | "load", _]:
            return True
    return False


def ping(settings: Settings) -> int:
    """Ask the server in this container whether it is in service: 0 yes, 1 no."""
    import http.client

    host = "127.0.0.1" if settings.bind_address == "0.0.0.0" else settings.bind_address
    connection = http.client.HTTPConnection(host, settings.port, timeout=PING_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/ping")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, http.client.HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    # granian's threads outlive its loop; now and then one touches Python while it is taken down,
    # which aborts the process after a clean drain. Everything is done: leave without that.
    os._exit(exit_code)
