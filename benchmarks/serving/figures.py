"""From what was measured to rows, goals and the printed tables; nothing here runs anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.result import Goal
from benchmarks.serving.contestant import Contestant
from benchmarks.serving.wrk import Load

Row = dict[str, Any]
COLD_START = "cold start and memory"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """So many rows of a model in each request, from so many clients at once."""

    model: str
    rows: int
    clients: int

    @property
    def name(self) -> str:
        return (
            f"{self.model}, {self.rows} {'row' if self.rows == 1 else 'rows'}, "
            f"{self.clients} {'client' if self.clients == 1 else 'clients'}"
        )


ONE_ROW = Cell(model="iris", rows=1, clients=16)
ONE_CLIENT = Cell(model="iris", rows=1, clients=1)
HUNDRED_ROWS = Cell(model="iris", rows=100, clients=16)
CELLS = (
    ONE_ROW,
    ONE_CLIENT,
    Cell(model="iris", rows=1, clients=64),
    HUNDRED_ROWS,
    Cell(model="forest", rows=1, clients=16),
    Cell(model="forest", rows=100, clients=16),
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One load of one contestant.

    Args:
        server_seconds: processor time the server used for one request
    """

    load: Load
    server_seconds: float


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """What a contestant took to start, and what it held after its load."""

    cold_start_seconds: tuple[float, ...]
    resident_mb: float
    proportional_mb: float


def load_row(cell: Cell, contestant: Contestant, measured: Sequence[Measured]) -> Row:
    """Return the medians of all loads of one cell, and each load's rate."""
    loads = [one.load for one in measured]
    return {
        "what": cell.name,
        "side": contestant.name,
        "role": contestant.role,
        "requests_per_second": round(median(load.requests_per_second for load in loads), 1),
        "runs": [round(load.requests_per_second, 1) for load in loads],
        "p50_ms": round(median(load.p50_ms for load in loads), 3),
        "p99_ms": round(median(load.p99_ms for load in loads), 3),
        "server_us_per_request": round(median(one.server_seconds for one in measured) * 1e6, 1),
        "requests": sum(load.requests for load in loads),
        "failed": sum(load.failures for load in loads),
    }


def weight_row(contestant: Contestant, weighed: Weighed) -> Row:
    """Return the median start, and the memory."""
    return {
        "what": COLD_START,
        "side": contestant.name,
        "role": contestant.role,
        "cold_start_seconds": round(median(weighed.cold_start_seconds), 3),
        "runs": [round(seconds, 3) for seconds in weighed.cold_start_seconds],
        "resident_mb": round(weighed.resident_mb, 1),
        "proportional_mb": round(weighed.proportional_mb, 1),
    }


def goals_from_rows(rows: Sequence[Row]) -> list[Goal]:
    """Return the promised figures as these rows have them.

    Raises:
        KeyError: a contestant that a goal compares with did not take part
    """
    by = {(row["what"], row["side"]): row for row in rows}

    def higher(name: str, value: float, goal: float) -> Goal:
        return Goal(name=name, value=round(value, 3), goal=goal, better="higher")

    def lower(name: str, value: float, goal: float) -> Goal:
        return Goal(name=name, value=round(value, 3), goal=goal, better="lower")

    one, hundred = ONE_ROW.name, HUNDRED_ROWS.name
    alone = by[ONE_CLIENT.name, "ours"]["p99_ms"] / by[ONE_CLIENT.name, "floor"]["p50_ms"]
    start, floor_start = (by[COLD_START, side]["cold_start_seconds"] for side in ("ours", "floor"))
    shortest = min(row["cold_start_seconds"] for row in of_peers(rows, COLD_START))
    return [
        higher(f"{one}: times Flask + gunicorn", times(by, one, "Flask + gunicorn"), 150),
        higher(f"{one}: times the best peer", times(by, one, best_peer(rows, one)), 20),
        higher(f"{one}: of the floor", floor_share(by, one), 0.85),
        higher(f"{hundred}: times Flask + gunicorn", times(by, hundred, "Flask + gunicorn"), 30),
        higher(f"{hundred}: times the best peer", times(by, hundred, best_peer(rows, hundred)), 8),
        lower(f"{ONE_CLIENT.name}: p99 over the floor's p50", alone, 2),
        lower("cold start over the floor's, s", start - floor_start, 0.3),
        lower("cold start over the shortest of all peers'", start / shortest, 1),
        lower("memory, resident, MB", by[COLD_START, "ours"]["resident_mb"], 110),
    ]


def times(by: Mapping[tuple[str, str], Row], what: str, other: str) -> float:
    """Return how often the other's rate goes into ours."""
    rates = [by[what, side]["requests_per_second"] for side in ("ours", other)]
    return float(rates[0] / rates[1])


def floor_share(by: Mapping[tuple[str, str], Row], what: str) -> float:
    """Return our share of the floor's rate: the median over loads that followed each other."""
    ours, floor = (by[what, side]["runs"] for side in ("ours", "floor"))
    return float(median(rate / below for rate, below in zip(ours, floor, strict=True)))


def of_peers(rows: Sequence[Row], what: str) -> list[Row]:
    """Return the peers' rows of one cell."""
    return [row for row in rows if row["what"] == what and row["role"] == "peer"]


def best_peer(rows: Sequence[Row], what: str) -> str:
    """Return the peer with the highest rate in a cell."""
    peers = of_peers(rows, what)
    return str(max(peers, key=lambda row: float(row["requests_per_second"]))["side"])


def table_lines(rows: Sequence[Row]) -> list[str]:
    """Return one table per cell, each contestant with how often its rate goes into ours."""
    by = {(row["what"], row["side"]): row for row in rows}
    lines: list[str] = []
    for what in dict.fromkeys(row["what"] for row in rows):
        lines += ["", what]
        for row in (row for row in rows if row["what"] == what):
            lines.append(_weight_line(row) if what == COLD_START else _load_line(row, by))
    return lines


def _load_line(row: Row, by: Mapping[tuple[str, str], Row]) -> str:
    rate = row["requests_per_second"]
    ours = by.get((row["what"], "ours"))
    ratio = "" if ours is None else f"{ours['requests_per_second'] / rate:8.2f} x"
    failed = f"  {row['failed']} failed" if row["failed"] else ""
    return (
        f"  {row['side']:22}{rate:10.1f}/s{ratio}  p50 {row['p50_ms']:9.3f}  "
        f"p99 {row['p99_ms']:9.3f} ms  server {row['server_us_per_request']:9.1f} us{failed}"
    )


def _weight_line(row: Row) -> str:
    return (
        f"  {row['side']:22}{row['cold_start_seconds']:8.3f} s  resident "
        f"{row['resident_mb']:6.1f}  proportional {row['proportional_mb']:6.1f} MB"
    )
