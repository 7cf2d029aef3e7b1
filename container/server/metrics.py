"""Counters of requests in memory that all workers share, written without locks on the hot path.

Every thread that answers has a slot of its own and is its only writer, so an increment is never
lost; a scrape, on whichever worker it lands, sums the slots. What the numbers look like to a
scraper is in `exposition`.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass

SMALLEST_BIT = 14
LARGEST_BIT = 34
BUCKET_COUNT = LARGEST_BIT - SMALLEST_BIT + 2
"""Latencies by the bit length of their nanoseconds: to 16 us, 33 us, ... 17 s, and beyond."""

LATENCY_BOUNDS_SECONDS = tuple(2**bit / 1e9 for bit in range(SMALLEST_BIT, LARGEST_BIT + 1))
BUCKET_BY_BIT_LENGTH = [
    min(max(bit, SMALLEST_BIT), LARGEST_BIT + 1) - SMALLEST_BIT for bit in range(128)
]

BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128)
BATCH_BUCKET_COUNT = len(BATCH_BOUNDS) + 1

PID, STARTED, ROWS, BATCHED, FIRST_BATCH = 0, 1, 2, 3, 4
FIRST_SUM = FIRST_BATCH + BATCH_BUCKET_COUNT

INVOCATIONS, PING, OTHER = "invocations", "ping", "other"
ROUTES = (INVOCATIONS, PING, OTHER)
OK = "ok"
INTERNAL_ERROR = "internal_error"
CELL_BYTES = 8
THREADS = 2
"""Slots of a worker: its event loop's, and that of granian's thread."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a request can end; `code` is that of the error document, or "ok"."""

    route: str
    status: int
    code: str


class Counters:
    """The slot of one thread.

    Args:
        cells: of shared memory; what an earlier worker counted here goes on
        positions: where each outcome's latencies begin
    """

    __slots__ = ("_cells", "_invocations", "_positions", "_values")

    def __init__(self, cells: memoryview, positions: dict[Outcome, int]) -> None:
        self._cells = cells
        # Values are kept beside the cells, as reading a cell costs as much as writing it.
        self._values: list[int] = cells.tolist()
        self._positions = positions
        self._invocations = positions[Outcome(route=INVOCATIONS, status=200, code=OK)]

    def began(self, number: int) -> None:
        """Note that invocation `number` of this slot began."""
        self._cells[STARTED] = self._values[STARTED] + number

    def answered(self, elapsed_ns: int, rows: int) -> None:
        """Count an invocation answered with 200."""
        values, cells = self._values, self._cells
        place = self._invocations + BUCKET_BY_BIT_LENGTH[elapsed_ns.bit_length()]
        values[place] = cells[place] = values[place] + 1
        values[FIRST_SUM] = cells[FIRST_SUM] = values[FIRST_SUM] + elapsed_ns
        values[ROWS] = cells[ROWS] = values[ROWS] + rows

    def ended(self, outcome: Outcome, elapsed_ns: int) -> None:
        """Count any other request by how it ended; an end nobody foresaw is an internal error."""
        bucket = BUCKET_BY_BIT_LENGTH[elapsed_ns.bit_length()]
        unforeseen = Outcome(route=outcome.route, status=500, code=INTERNAL_ERROR)
        place = self._positions.get(outcome, self._positions[unforeseen])
        self._add(place + bucket, 1)
        self._add(FIRST_SUM + ROUTES.index(outcome.route), elapsed_ns)

    def ran_batch(self, requests: int) -> None:
        """Count a call of the model, made for so many requests."""
        bucket = sum(requests > bound for bound in BATCH_BOUNDS)
        self._add(FIRST_BATCH + bucket, 1)
        self._add(BATCHED, requests)

    def _add(self, place: int, amount: int) -> None:
        self._values[place] = self._cells[place] = self._values[place] + amount


class Metrics:
    """The shared memory of all slots; made before workers are forked.

    Args:
        codes: status and code of every way a request can end but the good one
        workers: how many there are
    """

    def __init__(self, codes: Sequence[tuple[int, str]], *, workers: int) -> None:
        self.workers = workers
        ends = dict.fromkeys([(200, OK), (500, INTERNAL_ERROR), *codes])
        outcomes = [
            Outcome(route=route, status=status, code=code)
            for route in ROUTES
            for status, code in ends
        ]
        first = FIRST_SUM + len(ROUTES)
        self._positions = {
            outcome: first + index * BUCKET_COUNT for index, outcome in enumerate(outcomes)
        }
        self._width = first + len(outcomes) * BUCKET_COUNT
        self._memory = mmap.mmap(-1, workers * THREADS * self._width * CELL_BYTES)
        self._cells = memoryview(self._memory).cast("Q")

    def counters(self, worker: int, thread: int, *, pid: int) -> Counters:
        """Give the slot of a thread to the process that now runs this worker."""
        cells = self._slot(worker * THREADS + thread)
        # What a worker that died had in flight is gone.
        cells[STARTED] = self._ended_invocations(cells)
        cells[PID] = pid
        return Counters(cells, self._positions)

    def pids(self) -> list[int]:
        """Give the process of each worker, 0 where none has begun."""
        return [self._slot(worker * THREADS)[PID] for worker in range(self.workers)]

    def totals(self) -> Totals:
        """Sum all slots."""
        slots = [self._slot(index).tolist() for index in range(self.workers * THREADS)]
        cells = [sum(values) for values in zip(*slots, strict=True)]
        ended = sum(self._ended_invocations(slot) for slot in slots)
        latencies = {
            outcome: cells[place : place + BUCKET_COUNT]
            for outcome, place in self._positions.items()
        }
        return Totals(
            in_flight=max(0, cells[STARTED] - ended),
            rows=cells[ROWS],
            batched_requests=cells[BATCHED],
            batches=cells[FIRST_BATCH : FIRST_BATCH + BATCH_BUCKET_COUNT],
            latencies=latencies,
            seconds={route: cells[FIRST_SUM + index] / 1e9 for index, route in enumerate(ROUTES)},
        )

    def _slot(self, index: int) -> memoryview:
        return self._cells[index * self._width : (index + 1) * self._width]

    def _ended_invocations(self, cells: Sequence[int] | memoryview) -> int:
        return sum(
            sum(cells[place : place + BUCKET_COUNT])
            for outcome, place in self._positions.items()
            if outcome.route == INVOCATIONS
        )


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What all workers counted.

    Args:
        in_flight: invocations begun and not ended
        batches: calls of the model by the bucket of how many requests they were made for
        latencies: requests by outcome and latency bucket
        seconds: time spent, by route
    """

    in_flight: int
    rows: int
    batched_requests: int
    batches: list[int]
    latencies: dict[Outcome, list[int]]
    seconds: dict[str, float]
