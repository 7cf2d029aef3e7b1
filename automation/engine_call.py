"""Runs a call of the engine so that Ctrl-C lets the engine end in order.

The engine is a child process in our process group and gets a terminal's Ctrl-C itself: it finishes
the step it is at, writes its state and gives its lock back. Leaving before it has done so would
show as a lock nobody holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def run_to_the_end(call: Callable[[], Result], on_interrupt: Callable[[], None]) -> Result:
    """Return what a call returns or raise what it raises, waiting also after a first Ctrl-C.

    Args:
        on_interrupt: called at the first Ctrl-C, to say that the end is waited for.

    Raises:
        KeyboardInterrupt: after one Ctrl-C, once the call has ended; after a second one at once.
    """
    results: list[Result] = []
    errors: list[BaseException] = []
    # Not Thread.join: up to Python 3.12 one that was interrupted takes the thread for ended.
    ended = threading.Event()

    def run() -> None:
        try:
            results.append(call())
        except BaseException as err:  # noqa: BLE001 - an edge: handed over to the waiting thread
            errors.append(err)
        finally:
            ended.set()

    worker = threading.Thread(target=run, name="engine-call", daemon=True)
    try:
        worker.start()
        ended.wait()
    except KeyboardInterrupt:
        if worker.ident is not None:
            on_interrupt()
            ended.wait()
        raise
    if errors:
        raise errors[0]
    return results[0]
