from components.clock import Patience, SystemClock
from tests.support.swap_substitute import ManualClock


def test_patience_counts_from_the_first_time_the_condition_is_seen() -> None:
    clock = ManualClock()
    patience = Patience(clock, 60)
    clock.sleep(100)

    assert not patience.has_run_out()
    clock.sleep(59)
    assert not patience.has_run_out()
    clock.sleep(1)
    assert patience.has_run_out()


def test_patience_is_renewed_when_the_condition_goes() -> None:
    clock = ManualClock()
    patience = Patience(clock, 60)
    patience.has_run_out()
    clock.sleep(60)

    patience.renew()

    assert not patience.has_run_out()


def test_system_time_moves_on_by_sleeping() -> None:
    clock = SystemClock()
    before = clock.now_seconds()

    clock.sleep(0.001)

    assert clock.now_seconds() > before
