"""Makes the recordings of the official CLI: `python -m tests.support.record [NAME ...]`.

Needs the official `pulumi` and its Python language host on PATH (or `--pulumi PATH`). Each scenario
runs twice, and its recording is written only if both runs agree, so that none holds an accident of
timing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.engine_scenarios.catalogue import SCENARIOS
from tests.support.engine_scenarios.compare import differences
from tests.support.engine_scenarios.recorder import run_scenario
from tests.support.engine_scenarios.scenario import Scenario

RECORDINGS = Path(__file__).parents[1] / "recordings"
WIDTH = 140


def main() -> int:
    """Record the named scenarios, or all; exit 1 if the CLI is absent or a scenario is unsteady."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios; all when left out")
    parser.add_argument("--pulumi", default="pulumi", help="the official CLI (default: on PATH)")
    parser.add_argument("--once", action="store_true", help="skip the second, checking run")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    arguments = parser.parse_args()
    found = shutil.which(arguments.pulumi)
    if found is None:
        print(
            f"{arguments.pulumi} is not on PATH; install the official Pulumi CLI", file=sys.stderr
        )
        return 1
    known = {scenario.name: scenario for scenario in SCENARIOS}
    unknown = sorted(set(arguments.names) - known.keys())
    if unknown:
        print(f"no scenario {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 1
    chosen = arguments.names if arguments.names else list(known)
    if arguments.check:
        return 0 if all([still_holds(known[name], found) for name in chosen]) else 1
    return 0 if all([record(known[name], found, once=arguments.once) for name in chosen]) else 1


def record(scenario: Scenario, pulumi: str, *, once: bool) -> bool:
    """Run one scenario with the official CLI and write its recording.

    Returns:
        Whether the runs agreed; if not, nothing is written and the differences are printed.
    """
    runs = [official_run(scenario, pulumi) for _ in range(1 if once else 2)]
    found = differences(runs[0], runs[-1])
    if found:
        print(f"unsteady {scenario.name}", *found, sep="\n", file=sys.stderr)
        return False
    RECORDINGS.mkdir(exist_ok=True)
    (RECORDINGS / f"{scenario.name}.json").write_text(pretty(runs[0]) + "\n", encoding="utf-8")
    print(f"recorded {scenario.name}", flush=True)
    return True


def still_holds(scenario: Scenario, pulumi: str) -> bool:
    """Whether the official CLI does what the recording says; differences are printed."""
    found = differences(recorded(scenario.name), official_run(scenario, pulumi))
    print("differs" if found else "holds", scenario.name, flush=True)
    print(*found, sep="\n", end="", flush=True)
    return not found


def official_run(scenario: Scenario, pulumi: str) -> dict[str, Any]:
    """The recording of one run with the official CLI, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="scenario-") as folder:
        path = f"{Path(pulumi).resolve().parent}:{sys.prefix}/bin:/usr/bin:/bin"
        return run_scenario(scenario, Path(folder) / "s", [pulumi], {"PATH": path})


def recorded(name: str) -> dict[str, Any]:
    """The committed recording of a scenario."""
    document: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def pretty(value: Any, indent: int = 0) -> str:
    """JSON with every value that fits on one line of 140 columns on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    inner = ",\n".join(" " * (indent + 1) + line for line in _members(value, indent + 1))
    return f"{opening}\n{inner}\n{' ' * indent}{closing}"


def _members(value: dict[str, Any] | list[Any], indent: int) -> Iterator[str]:
    if isinstance(value, list):
        yield from (pretty(item, indent) for item in value)
        return
    for key, member in value.items():
        yield f"{json.dumps(key)}: {pretty(member, indent)}"


if __name__ == "__main__":
    sys.exit(main())
