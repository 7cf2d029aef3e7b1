"""The embedded engine against recordings of the official CLI, scenario by scenario."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_scenarios.allowances import ALLOWANCES
from tests.support.engine_scenarios.catalogue import SCENARIOS
from tests.support.engine_scenarios.compare import differences, unexcused
from tests.support.engine_scenarios.recorder import run_scenario
from tests.support.engine_scenarios.scenario import Scenario
from tests.support.record import RECORDINGS, recorded

ROOT = Path(__file__).parents[2]
EMBEDDED = (sys.executable, "-m", "rehearsal.engine")
# Scenarios mostly wait for processes to start, so one more than the processors run at a time.
AT_A_TIME = 1 + (os.cpu_count() or 1)

Run = Callable[[Scenario], dict[str, Any]]


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs the selected scenarios side by side; a test waits for its own."""
    wanted = [scenario for scenario in SCENARIOS if scenario.name in selected_names(request)]
    with ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
        runs: dict[str, Future[dict[str, Any]]] = {}
        for scenario in wanted:
            place = tmp_path_factory.mktemp(scenario.name) / "s"
            variables = {"PYTHONPATH": str(ROOT)}
            runs[scenario.name] = pool.submit(run_scenario, scenario, place, EMBEDDED, variables)
        yield lambda scenario: runs[scenario.name].result()
        pool.shutdown(cancel_futures=True)


def selected_names(request: pytest.FixtureRequest) -> set[str]:
    """The names in brackets of the tests of this file that pytest will run."""
    items = [item for item in request.session.items if item.path == request.path]
    return {item.name.partition("[")[2].rstrip("]") for item in items}


def all_selected(request: pytest.FixtureRequest) -> bool:
    """Whether every scenario runs in this session."""
    return selected_names(request) >= {scenario.name for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_embedded_engine_does_what_the_official_one_did(scenario: Scenario, run: Run) -> None:
    official = recorded(scenario.name)

    ours = run(scenario)

    found = unexcused(scenario.name, differences(official, ours), ALLOWANCES)
    assert not found, "\n" + "\n".join(str(difference) for difference in found)


def test_every_allowance_excuses_a_difference(run: Run, request: pytest.FixtureRequest) -> None:
    if not all_selected(request):
        pytest.skip("only some scenarios were selected; run the whole file to check allowances")

    found = {
        scenario.name: differences(recorded(scenario.name), run(scenario)) for scenario in SCENARIOS
    }

    idle = [
        rule
        for rule in ALLOWANCES
        if not any(rule.covers(name, one) for name, many in found.items() for one in many)
    ]
    assert not idle


def test_every_scenario_has_a_recording_and_every_recording_a_scenario() -> None:
    recordings = {path.stem for path in RECORDINGS.glob("*.json")}

    assert recordings == {scenario.name for scenario in SCENARIOS}
