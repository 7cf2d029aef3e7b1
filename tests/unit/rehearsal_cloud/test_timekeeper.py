"""A manual clock is moved second by second, and only by hand."""

from __future__ import annotations

import pytest

from rehearsal.cloud.clock import ManualClock, ScaledClock
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.timekeeper import Timekeeper, moments_between


@pytest.mark.parametrize(
    ("start", "end", "moments"),
    [
        (100.0, 103.0, [101.0, 102.0, 103.0]),
        (100.5, 102.25, [101.0, 102.0, 102.25]),
        (100.0, 100.5, [100.5]),
        (100.0, 100.0, []),
    ],
)
def test_every_whole_second_on_the_way_and_the_end_are_lived_through(
    start: float, end: float, moments: list[float]
) -> None:
    assert moments_between(start, end) == moments


def test_each_moment_is_looked_at_once_with_the_clock_at_it() -> None:
    clock = ManualClock(1_000.0)
    seen: list[float] = []
    keeper = Timekeeper(clock=clock, tick=lambda: seen.append(clock.now()))

    assert keeper.advance(2.5) == 1_002.5
    assert keeper.advance(0) == 1_002.5

    assert seen == [1_001.0, 1_002.0, 1_002.5, 1_002.5]


def test_a_moment_that_has_passed_changes_nothing() -> None:
    clock = ManualClock(1_000.0)
    keeper = Timekeeper(clock=clock, tick=lambda: None)

    assert keeper.advance_to(1_003.0) == 1_003.0
    assert keeper.advance_to(1_001.0) == 1_003.0


def test_a_way_longer_than_one_move_is_gone_in_several() -> None:
    clock = ManualClock(0.0)
    ticks: list[float] = []
    keeper = Timekeeper(clock=clock, tick=lambda: ticks.append(clock.now()))

    keeper.advance_to(90_000.0)

    assert len(ticks) == 90_000


@pytest.mark.parametrize("seconds", [-1, 86_401])
def test_a_move_out_of_bounds_is_refused(seconds: float) -> None:
    keeper = Timekeeper(clock=ManualClock(), tick=lambda: None)

    with pytest.raises(SetupError, match="allowed is 0 to 86400"):
        keeper.advance(seconds)


def test_a_clock_that_runs_by_itself_is_not_moved() -> None:
    keeper = Timekeeper(clock=ScaledClock(2), tick=lambda: None)

    with pytest.raises(SetupError, match="--clock manual"):
        keeper.advance(1)
