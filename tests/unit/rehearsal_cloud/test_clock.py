"""Clocks."""

from __future__ import annotations

import time

import pytest

from rehearsal.cloud.clock import ManualClock, ScaledClock


def test_a_scaled_clock_starts_at_the_walls_time_and_runs_faster() -> None:
    before = time.time()
    clock = ScaledClock(1_000)
    start, wall = clock.now(), time.monotonic()
    after = time.time()

    while time.monotonic() - wall < 0.01:
        pass

    assert before <= start <= before + 1_000 * (after - before) + 1
    assert clock.now() - start >= 10


def test_a_manual_clock_moves_when_told_and_never_back() -> None:
    clock = ManualClock(10.0)

    clock.advance(5)

    assert clock.now() == 15.0
    with pytest.raises(ValueError, match="only moves forward"):
        clock.advance(-1)
