"""moto dates what it makes by the rehearsal's clock, and by the wall's when that is over."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

from rehearsal.cloud.clock import ManualClock, datetime_from_epoch
from rehearsal.cloud.corrections import install_clock, remove_clock


def test_moto_follows_the_clock_until_it_is_taken_away() -> None:
    iam: Any = import_module("moto.iam.models")
    kms: Any = import_module("moto.kms.models")
    clock = ManualClock(1_000_000_000.0)
    install_clock(clock)
    try:
        clock.advance(5)

        assert iam.utcnow() == datetime_from_epoch(1_000_000_005.0).replace(tzinfo=None)
        assert kms.unix_time() == 1_000_000_005.0
        assert kms.unix_time(datetime_from_epoch(7.0).replace(tzinfo=None)) == 7.0
    finally:
        remove_clock()

    assert abs(kms.unix_time() - time.time()) < 60
