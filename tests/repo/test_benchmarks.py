"""Rules about benchmarks: each can be run, and its committed figures say what they mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.result import Goal, goal_lines, write_result

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NAMES = sorted(path.name for path in BENCHMARKS.iterdir() if path.joinpath("__main__.py").exists())


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_has_committed_figures_with_goals_and_rows(name: str) -> None:
    result = json.loads((BENCHMARKS / name / "result.json").read_text(encoding="utf-8"))

    assert result["rows"]
    for goal in result["goals"]:
        stated = Goal(**{key: goal[key] for key in ("name", "value", "goal", "better")})
        assert stated.met is goal["met"]


def test_a_goal_is_met_on_its_better_side_and_the_result_says_so(tmp_path: Path) -> None:
    goals = [
        Goal(name="overhead ms", value=1.5, goal=1.0, better="lower"),
        Goal(name="requests/s", value=1500, goal=1500, better="higher"),
    ]

    write_result(tmp_path / "result.json", goals=goals, rows=[{"run": 1}], versions={"moto": "5"})

    written = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert [goal["met"] for goal in written["goals"]] == [False, True]
    assert goal_lines(goals)[0] == "NOT met  overhead ms: 1.5 (goal: at most 1)"
