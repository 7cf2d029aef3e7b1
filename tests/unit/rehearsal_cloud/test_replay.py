"""A replay asks everything again in time and tells what came out different."""

from __future__ import annotations

from typing import Any

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.history.command import Answered, Command
from rehearsal.cloud.history.replay import MAXIMUM_DIFFERENCES, differences, replay
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.timekeeper import Timekeeper

EMPTY: dict[str, list[Any]] = {"events": [], "samples": []}


def command(number: int, time: float, status: int = 200) -> Command:
    request = Request(method="POST", target=f"/{number}", headers={}, raw_headers=(), body=b"")
    return Command(number=number, time=time, request=request, answered=Answered(status=status))


def test_commands_are_asked_at_their_time_and_time_goes_on_to_the_end() -> None:
    clock = ManualClock(100.0)
    asked: list[tuple[str, float]] = []

    def answer(request: Request) -> Response:
        asked.append((request.target, clock.now()))
        return Response()

    keeper = Timekeeper(clock=clock, tick=lambda: None)
    found = replay([command(1, 100.0), command(2, 107.5)], 110.0, keeper, answer)

    assert asked == [("/1", 100.0), ("/2", 107.5)]
    assert (found, clock.now()) == ([], 110.0)


def test_another_answer_is_told() -> None:
    keeper = Timekeeper(clock=ManualClock(), tick=lambda: None)

    (found,) = replay([command(1, 0.0, status=400)], None, keeper, lambda request: Response())

    assert "command 1 (POST /1)" in found
    assert "status=400" in found


def test_measured_latencies_may_differ_and_nothing_else() -> None:
    before = {**EMPTY, "samples": [{"fleets": [{"latency_ms_p99": 1.0, "invocations": 2}]}]}
    slower = {**EMPTY, "samples": [{"fleets": [{"latency_ms_p99": 9.0, "invocations": 2}]}]}
    fewer = {**EMPTY, "samples": [{"fleets": [{"latency_ms_p99": 1.0, "invocations": 1}]}]}

    assert differences(before, slower, is_paced=False) == []
    assert len(differences(before, fewer, is_paced=False)) == 1


def test_a_missing_event_is_a_difference_and_so_many_are_told() -> None:
    before = {**EMPTY, "events": [{"kind": "note", "text": str(n)} for n in range(100)]}

    found = differences(before, EMPTY, is_paced=False)

    assert len(found) == MAXIMUM_DIFFERENCES
    assert found[0] == 'event 0: was {"kind": "note", "text": "0"}, now null'


def test_a_run_paced_by_the_machine_is_compared_by_order_alone() -> None:
    def status(time: float, word: str) -> dict[str, Any]:
        kind = "endpoint_status"
        return {"time": time, "kind": kind, "endpoint_name": "shop", "status": word}

    before = {**EMPTY, "events": [status(1.0, "Creating"), status(9.0, "InService")]}
    sooner = {
        **EMPTY,
        "events": [status(1.0, "Creating"), {"kind": "fleet"}, status(2.0, "InService")],
    }
    failed = {**EMPTY, "events": [status(1.0, "Creating"), status(2.0, "Failed")]}

    assert differences(before, sooner, is_paced=True) == []
    assert differences(before, failed, is_paced=True)[0].startswith("endpoint shop: was ")
