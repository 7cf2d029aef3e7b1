"""Measures the server beside its peers: `python -m benchmarks.serving [--quick ours floor]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.result import goal_lines, write_result
from benchmarks.serving.arena import Arena
from benchmarks.serving.contestant import Contestant
from benchmarks.serving.environment import (
    PYTHON,
    NotInstallableError,
    locked_versions,
    make_environment,
    python_of,
)
from benchmarks.serving.figures import goals_from_rows, table_lines
from benchmarks.serving.ours import ASYNCIO_FLOOR, FLOOR, OURS, OURS_ON_ONNX
from benchmarks.serving.peers import ALL_PEERS
from benchmarks.serving.quick import CONTESTANTS, ROUNDS, quick
from benchmarks.serving.run import Run
from benchmarks.serving.server_process import ContestantError
from benchmarks.serving.workload import REPOSITORY, prepared_model
from benchmarks.serving.wrk import LoadError, check_wrk

RESULT = Path(__file__).parent / "result.json"
ALL = (OURS, OURS_ON_ONNX, FLOOR, ASYNCIO_FLOOR, *ALL_PEERS)
MODELS = REPOSITORY / "build" / "bench" / "models"


def main() -> int:
    """Measure everything and write `result.json`, or take a quick look and write nothing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument(
        "--quick",
        nargs="+",
        choices=sorted(CONTESTANTS),
        help="look at these for some seconds, under this interpreter; nothing is written",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of a quick look")
    parser.add_argument("--model", choices=("iris", "forest"), default="iris")
    options = parser.parse_args()
    try:
        check_wrk()
        if options.quick:
            quick(options.quick, rounds=options.rounds, model=options.model)
            return 0
        return measure()
    except (ContestantError, LoadError) as error:
        print(f"{error}\nno result was written", file=sys.stderr)
        return 1


def measure() -> int:
    """Make the environments, measure all contestants, write and print what was found."""
    if not made_all(ALL):
        print("no result is written unless all contestants can run", file=sys.stderr)
        return 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="greenlight-bench-") as directory:
        arena = Arena(directory=Path(directory), python=python_of)
        models = [prepared_model(name, MODELS) for name in ("iris", "forest")]
        rows = Run(arena, models, ALL, _tell).rows()
    goals = goals_from_rows(rows)
    write_result(RESULT, goals=goals, rows=rows, versions=versions())
    _print([*table_lines(rows), "", *goal_lines(goals)])
    _tell(f"measured in {time.monotonic() - began:.0f} s")
    return 0


def made_all(contestants: Sequence[Contestant]) -> bool:
    """Make every environment that is missing; say which cannot be made here, and why."""
    all_made = True
    for name in dict.fromkeys(contestant.environment for contestant in contestants):
        try:
            make_environment(name)
        except NotInstallableError as error:
            all_made = False
            print(f"{name} cannot be installed here: {error}", file=sys.stderr)
    return all_made


def versions() -> dict[str, str]:
    """Return what was measured, by the lock files it ran on."""
    named = {
        "flask": ("flask", "gunicorn"),
        "sagemaker": ("sagemaker-containers", "gevent"),
        "fastapi": ("fastapi", "uvicorn"),
        "mlserver": ("mlserver", "mlserver-sklearn"),
        "bentoml": ("bentoml",),
        "litserve": ("litserve",),
        "ours": ("granian", "onnxruntime", "orjson", "numpy"),
    }
    found = {"python": PYTHON, "scikit-learn": version("scikit-learn")}
    for environment, names in named.items():
        locked = locked_versions(environment)
        found |= {name: locked[name] for name in names}
    return found


def _tell(line: str) -> None:
    print(line, flush=True)


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        print(line)


if __name__ == "__main__":
    sys.exit(main())
