"""What every benchmark writes: goals with their verdicts, and the rows behind them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One figure that was promised.

    Args:
        name: what was measured, with its unit
        value: what came out of this run
        goal: what was promised
        better: on which side of `goal` the promise is kept
    """

    name: str
    value: float
    goal: float
    better: Literal["lower", "higher"]

    @property
    def met(self) -> bool:
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal

    def as_dict(self) -> dict[str, Any]:
        """Return the members `result.json` holds."""
        return {**asdict(self), "met": self.met}


def write_result(
    path: Path,
    *,
    goals: Sequence[Goal],
    rows: Sequence[Mapping[str, Any]],
    versions: Mapping[str, str],
) -> None:
    """Write one run's figures; rows are in the order they were measured."""
    result = {
        "machine": {
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 2),
        },
        "versions": dict(versions),
        "goals": [goal.as_dict() for goal in goals],
        "rows": [dict(row) for row in rows],
    }
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def goal_lines(goals: Sequence[Goal]) -> list[str]:
    """Return one line per goal for the terminal."""
    return [
        f"{'met    ' if goal.met else 'NOT met'}  {goal.name}: {goal.value:g} "
        f"(goal: {'at most' if goal.better == 'lower' else 'at least'} {goal.goal:g})"
        for goal in goals
    ]
