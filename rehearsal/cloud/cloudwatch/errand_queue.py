"""Runs alarm actions that reach outside of CloudWatch, one after another, off every lock.

A subscriber may call the cloud back before it answers; nothing that it needs may be held then.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

MAXIMUM_WAITING = 10_000


class ErrandQueue:
    """A queue of errands and the thread that runs them, begun with the first."""

    def __init__(self) -> None:
        self._errands: queue.Queue[Callable[[], None] | None] = queue.Queue(MAXIMUM_WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def send(self, errand: Callable[[], None]) -> None:
        """Queue an errand; beyond the bound it is dropped and logged."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alarm-actions", daemon=True)
                self._thread.start()
        try:
            self._errands.put_nowait(errand)
        except queue.Full:
            logger.warning("alarm action dropped waiting=%d", MAXIMUM_WAITING)

    def wait(self) -> None:
        """Return once everything that was queued has run."""
        self._errands.join()

    def stop(self) -> None:
        """Run what waits, then end the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._errands.put(None)
            thread.join(timeout=10)

    def _run(self) -> None:
        while True:
            errand = self._errands.get()
            # A thread's edge: one failed action must not end the others.
            try:
                if errand is None:
                    return
                errand()
            except Exception:
                logger.exception("alarm action failed")
            finally:
                self._errands.task_done()
