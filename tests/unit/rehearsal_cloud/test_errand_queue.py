"""Alarm actions run one after another, off the engine's thread."""

from __future__ import annotations

import functools
import threading

import pytest

from rehearsal.cloud.cloudwatch.errand_queue import ErrandQueue


def test_errands_run_in_order_on_a_thread_of_their_own() -> None:
    errands, ran = ErrandQueue(), list[tuple[int, str]]()

    def note(number: int) -> None:
        ran.append((number, threading.current_thread().name))

    for number in range(3):
        errands.send(functools.partial(note, number))
    errands.wait()
    errands.stop()

    assert ran == [(0, "alarm-actions"), (1, "alarm-actions"), (2, "alarm-actions")]


def test_an_errand_that_fails_is_told_and_ends_no_other(caplog: pytest.LogCaptureFixture) -> None:
    errands, ran = ErrandQueue(), list[str]()

    def fail() -> None:
        raise ValueError("no such topic")

    errands.send(fail)
    errands.send(lambda: ran.append("next"))
    errands.stop()

    assert ran == ["next"]
    assert "no such topic" in caplog.text


def test_without_an_errand_nothing_is_started_or_waited_for() -> None:
    before, errands = set(threading.enumerate()), ErrandQueue()

    errands.wait()
    errands.stop()

    assert set(threading.enumerate()) <= before
