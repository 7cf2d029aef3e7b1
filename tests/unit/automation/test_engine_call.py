"""A call of the engine is waited for, also after a first Ctrl-C."""

from __future__ import annotations

import signal
import threading

import pytest

from automation.engine_call import run_to_the_end


def refuse() -> None:
    raise AssertionError("nobody pressed Ctrl-C")


def test_what_the_call_returns_is_returned() -> None:
    assert run_to_the_end(lambda: 7, refuse) == 7


def test_what_the_call_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_to_the_end(fail, refuse)


def test_a_first_interrupt_waits_until_the_call_has_ended() -> None:
    ended = threading.Event()
    told: list[bool] = []
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def interrupted_in_the_middle() -> None:
        signal.pthread_kill(main_thread, signal.SIGINT)
        threading.Event().wait(0.2)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        run_to_the_end(interrupted_in_the_middle, lambda: told.append(ended.is_set()))

    assert ended.is_set()
    assert told == [False]
