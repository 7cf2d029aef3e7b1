"""When a worker's death is no accident any more."""

from __future__ import annotations

from server.workers import CrashLoop


def test_deaths_far_apart_are_accidents() -> None:
    crash_loop = CrashLoop(deaths=2, seconds=60)

    told = [crash_loop.is_with(now) for now in (0, 50, 100, 150, 200)]

    assert told == [False] * 5


def test_one_death_too_many_within_the_time_is_a_crash_loop() -> None:
    crash_loop = CrashLoop(deaths=2, seconds=60)

    told = [crash_loop.is_with(now) for now in (0, 30, 60, 91)]

    assert told == [False, False, True, False]
