"""The whole measurement: who runs when, so that what is compared met the same machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.serving.arena import Arena
from benchmarks.serving.contestant import Contestant
from benchmarks.serving.figures import (
    CELLS,
    Cell,
    Measured,
    Row,
    Weighed,
    load_row,
    weight_row,
)
from benchmarks.serving.ours import OURS
from benchmarks.serving.server_process import Running
from benchmarks.serving.workload import Model, Workload, workload

ROUNDS = 2
TURNS = 6
"""In each round, loads of ours, of ours on ONNX Runtime and of the floor, in turns."""
TURN_SECONDS = 1.0
"""Short, so that what is compared most closely ran within seconds of each other."""
PEER_SECONDS = 2.0
"""A peer gets one load in each round, for ratios of tens need less precision than 0.85."""
STARTS = 7
PEER_STARTS = 1
"""Besides those that the loads need anyway."""


@dataclass
class Found:
    """What was measured so far, by contestant."""

    loads: dict[tuple[Cell, str], list[Measured]] = field(default_factory=dict)
    starts: dict[str, list[float]] = field(default_factory=dict)
    resident_mb: dict[str, float] = field(default_factory=dict)
    proportional_mb: dict[str, float] = field(default_factory=dict)


class Run:
    """Measures contestants against the models.

    Args:
        tell: is given a line whenever something begins
    """

    def __init__(
        self,
        arena: Arena,
        models: Sequence[Model],
        contestants: Sequence[Contestant],
        tell: Callable[[str], None],
    ) -> None:
        self._arena = arena
        self._contestants = contestants
        self._tell = tell
        self._found = Found()
        self._workloads = {
            (model.name, rows): workload(model, rows) for model in models for rows in (1, 100)
        }
        self._iris = self._workloads["iris", 1]

    def rows(self) -> list[Row]:
        """Measure everything.

        Raises:
            ContestantError: one did not start, answered wrongly, or (ours) refused a request
        """
        self._keep_answers()
        self._start_often()
        for number in range(ROUNDS):
            self._tell(f"round {number + 1} of {ROUNDS}")
            for name in dict.fromkeys(cell.model for cell in CELLS):
                for contestant in self._of("peer"):
                    self._measure_peer(contestant, name)
                for rows in (1, 100):
                    self._measure_in_turns(self._workloads[name, rows])
        return self._rows()

    def _of(self, *roles: str) -> list[Contestant]:
        return [contestant for contestant in self._contestants if contestant.role in roles]

    def _keep_answers(self) -> None:
        """Let ours answer each workload once: the floor's constant is as long."""
        for given in self._workloads.values():
            with self._arena.running(OURS, given) as running:
                self._arena.keep_answer(OURS, running, given)

    def _start_often(self) -> None:
        self._tell("cold starts")
        for number in range(STARTS):
            for contestant in self._contestants:
                if number < PEER_STARTS or contestant.role != "peer":
                    with self._started(contestant, self._iris):
                        pass

    def _measure_peer(self, contestant: Contestant, model: str) -> None:
        self._tell(f"  {contestant.name}, {model}")
        with self._started(contestant, self._workloads[model, 1]) as running:
            for given in (self._workloads[model, rows] for rows in (1, 100)):
                self._arena.checked(contestant, running, given)
                for cell in cells_of(given):
                    self._measure(contestant, running, given, cell, PEER_SECONDS)
            self._weigh(contestant, running)

    def _measure_in_turns(self, given: Workload) -> None:
        """Measure ours and the floor while both are up: one that is not asked uses no processor."""
        sides = self._of("ours", "besides", "floor")
        self._tell(f"  {', '.join(side.name for side in sides)}, {given.name}")
        with contextlib.ExitStack() as stack:
            up = [(side, stack.enter_context(self._started(side, given))) for side in sides]
            for side, running in up:
                self._arena.checked(side, running, given)
            for cell in cells_of(given):
                for _ in range(TURNS):
                    for side, running in up:
                        self._measure(side, running, given, cell, TURN_SECONDS)
            for side, running in up:
                self._weigh(side, running)

    @contextlib.contextmanager
    def _started(self, contestant: Contestant, given: Workload) -> Iterator[Running]:
        with self._arena.running(contestant, given) as running:
            if given.model.name == "iris":
                starts = self._found.starts.setdefault(contestant.name, [])
                starts.append(running.cold_start_seconds)
            yield running

    def _measure(
        self, contestant: Contestant, running: Running, given: Workload, cell: Cell, seconds: float
    ) -> None:
        load, server_seconds = self._arena.loaded(
            contestant, running, given, clients=cell.clients, seconds=seconds
        )
        measured = self._found.loads.setdefault((cell, contestant.name), [])
        measured.append(Measured(load=load, server_seconds=server_seconds))

    def _weigh(self, contestant: Contestant, running: Running) -> None:
        resident, proportional = running.memory_mb()
        for kept, now in (
            (self._found.resident_mb, resident),
            (self._found.proportional_mb, proportional),
        ):
            kept[contestant.name] = max(kept.get(contestant.name, 0.0), now)

    def _rows(self) -> list[Row]:
        found = self._found
        return [
            load_row(cell, contestant, found.loads[cell, contestant.name])
            for cell in CELLS
            for contestant in self._contestants
        ] + [
            weight_row(
                contestant,
                Weighed(
                    cold_start_seconds=tuple(found.starts[contestant.name]),
                    resident_mb=found.resident_mb[contestant.name],
                    proportional_mb=found.proportional_mb[contestant.name],
                ),
            )
            for contestant in self._contestants
        ]


def cells_of(given: Workload) -> list[Cell]:
    """Return the cells of a workload."""
    return [cell for cell in CELLS if (cell.model, cell.rows) == (given.model.name, given.rows)]
