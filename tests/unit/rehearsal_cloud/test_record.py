"""The cloud's record."""

from __future__ import annotations

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.record import MAXIMUM_EVENTS, Record


def test_events_keep_their_order_and_time_and_leave_absent_members_out() -> None:
    clock = ManualClock(100.0)
    record = Record(clock)

    record.event("note", text="a", verdict=None)
    clock.advance(1)
    record.event("note", text="b")

    assert record.as_dict()["events"] == [
        {"time": 100.0, "kind": "note", "text": "a"},
        {"time": 101.0, "kind": "note", "text": "b"},
    ]


def test_the_oldest_events_are_dropped_and_counted() -> None:
    record = Record(ManualClock())

    for index in range(MAXIMUM_EVENTS + 3):
        record.event("note", text=str(index))

    seen = record.as_dict()
    assert seen["events"][0]["text"] == "3"
    assert seen["dropped"] == {"events": 3, "samples": 0}
