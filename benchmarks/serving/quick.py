"""A look at some contestants in a minute: no result is written, no environment is made.

Looks are taken while other things run, so the ratio that counts here is that of processor time,
each at its least disturbed.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.serving.arena import Arena
from benchmarks.serving.contestant import Contestant
from benchmarks.serving.ours import ASYNCIO_FLOOR, FLOOR, OURS, OURS_ON_ONNX
from benchmarks.serving.server_process import Running
from benchmarks.serving.workload import REPOSITORY, Workload, prepared_model, workload
from benchmarks.serving.wrk import Load

CONTESTANTS = {"ours": OURS, "onnx": OURS_ON_ONNX, "floor": FLOOR, "asyncio": ASYNCIO_FLOOR}
CLIENTS_BY_ROWS = {1: (16, 1), 100: (16,)}
SECONDS = 1.0
ROUNDS = 5

Measured = list[tuple[Load, float]]


def quick(names: Sequence[str], *, rounds: int = ROUNDS, model: str = "iris") -> None:
    """Measure some of `CONTESTANTS` in turns, all under this interpreter, and print the figures."""
    chosen = [CONTESTANTS[name] for name in names]
    with tempfile.TemporaryDirectory(prefix="greenlight-bench-") as directory:
        arena = Arena(directory=Path(directory), python=lambda _: Path(sys.executable))
        prepared = prepared_model(model, REPOSITORY / "build" / "bench" / "models")
        for rows in CLIENTS_BY_ROWS:
            given = workload(prepared, rows)
            with arena.running(OURS, given) as running:
                arena.keep_answer(OURS, running, given)
            with contextlib.ExitStack() as stack:
                sides = [(side, stack.enter_context(arena.running(side, given))) for side in chosen]
                for side, running in sides:
                    arena.checked(side, running, given)
                for clients in CLIENTS_BY_ROWS[rows]:
                    _look(arena, sides, given, clients, rounds)


def _look(
    arena: Arena,
    sides: Sequence[tuple[Contestant, Running]],
    given: Workload,
    clients: int,
    rounds: int,
) -> None:
    found: dict[str, Measured] = {side.name: [] for side, _ in sides}
    for _ in range(rounds):
        for side, running in sides:
            found[side.name].append(
                arena.loaded(side, running, given, clients=clients, seconds=SECONDS)
            )
    print(f"{given.name}, {clients} clients")
    floor = found.get(FLOOR.name)
    for side, running in sides:
        print(_line(side.name, found[side.name], floor, running))


def _line(name: str, measured: Measured, floor: Measured | None, running: Running) -> str:
    loads = [load for load, _ in measured]
    cpu = min(cpu for _, cpu in measured)
    line = (
        f"  {name:18} {median(load.requests_per_second for load in loads):7.0f}/s, "
        f"p50 {median(load.p50_ms for load in loads):.3f} p99 "
        f"{median(load.p99_ms for load in loads):.3f} ms, {cpu * 1e6:.1f} us processor, "
        f"start {running.cold_start_seconds:.2f} s, {running.memory_mb()[0]:.0f} MB"
    )
    if floor is None:
        return line
    rates = [
        load.requests_per_second / below.requests_per_second
        for (load, _), (below, _) in zip(measured, floor, strict=True)
    ]
    return (
        f"{line}; of the floor: {median(rates):.3f} of the rate, "
        f"{min(used for _, used in floor) / cpu:.3f} by processor time"
    )
