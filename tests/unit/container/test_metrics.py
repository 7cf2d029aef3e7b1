"""Counters that threads and workers share."""

from __future__ import annotations

import pytest

from server.metrics import (
    BATCH_BOUNDS,
    BUCKET_BY_BIT_LENGTH,
    LATENCY_BOUNDS_SECONDS,
    Metrics,
    Outcome,
)

GOOD = Outcome(route="invocations", status=200, code="ok")
BAD = Outcome(route="invocations", status=400, code="malformed_body")
PINGED = Outcome(route="ping", status=200, code="ok")


def two_workers() -> Metrics:
    return Metrics([(400, "malformed_body")], workers=2)


def test_what_any_thread_of_any_worker_counts_is_in_the_totals() -> None:
    metrics = two_workers()
    slots = [
        metrics.counters(worker, thread, pid=worker + 1) for worker in (0, 1) for thread in (0, 1)
    ]

    for slot in slots:
        slot.answered(20_000, 3)
    slots[3].ended(BAD, 20_000)
    slots[0].ended(PINGED, 1_000)

    totals = metrics.totals()
    assert sum(totals.latencies[GOOD]) == 4
    assert sum(totals.latencies[BAD]) == 1
    assert sum(totals.latencies[PINGED]) == 1
    assert totals.rows == 12
    assert totals.seconds == {"invocations": 0.0001, "ping": 0.000001, "other": 0.0}
    assert metrics.pids() == [1, 2]


@pytest.mark.parametrize("elapsed_ns", [0, 1, 16_384, 16_385, 10**6, 2**34, 2**34 + 1, 10**15])
def test_a_latency_is_in_the_first_bucket_whose_bound_is_not_below_it(elapsed_ns: int) -> None:
    metrics = two_workers()

    metrics.counters(0, 0, pid=1).answered(elapsed_ns, 1)

    [bucket] = [at for at, count in enumerate(metrics.totals().latencies[GOOD]) if count]
    bounds = [*LATENCY_BOUNDS_SECONDS, float("inf")]
    # A bucket's bound belongs to the next one, as bits are counted: a nanosecond of 16 us.
    assert elapsed_ns / 1e9 <= bounds[bucket]
    assert bucket == 0 or elapsed_ns / 1e9 >= bounds[bucket - 1]


def test_no_latency_is_too_long_to_be_counted() -> None:
    assert len(BUCKET_BY_BIT_LENGTH) > (100 * 365 * 86_400 * 10**9).bit_length()


def test_requests_in_flight_are_those_that_began_and_have_not_ended() -> None:
    metrics = two_workers()
    here, there = metrics.counters(0, 1, pid=1), metrics.counters(0, 0, pid=1)

    here.began(1)
    here.began(2)
    here.began(3)
    here.answered(1000, 1)
    there.ended(BAD, 1000)  # begun in one thread, ended in the other

    assert metrics.totals().in_flight == 1


def test_a_worker_in_the_place_of_a_dead_one_counts_on_but_has_nothing_in_flight() -> None:
    metrics = two_workers()
    dead = metrics.counters(1, 0, pid=7)
    dead.began(1)
    dead.began(2)
    dead.answered(1000, 5)

    fresh = metrics.counters(1, 0, pid=8)
    in_flight = metrics.totals().in_flight
    fresh.began(1)
    fresh.answered(1000, 5)

    totals = metrics.totals()
    assert (in_flight, totals.in_flight) == (0, 0)
    assert (totals.rows, sum(totals.latencies[GOOD])) == (10, 2)
    assert metrics.pids() == [0, 8]


def test_batches_are_counted_by_how_many_requests_they_hold() -> None:
    metrics = two_workers()
    counters = metrics.counters(0, 0, pid=1)

    for requests in (1, 2, 3, 128, 129):
        counters.ran_batch(requests)

    totals = metrics.totals()
    assert dict(zip([*BATCH_BOUNDS, "more"], totals.batches, strict=True)) == {
        1: 1, 2: 1, 4: 1, 8: 0, 16: 0, 32: 0, 64: 0, 128: 1, "more": 1,
    }  # fmt: skip
    assert totals.batched_requests == 263
