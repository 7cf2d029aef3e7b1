"""Measures the rehearsal cloud and moto side by side: `python -m benchmarks.cloud`."""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import requests

from benchmarks.cloud import measure
from benchmarks.cloud.client import Target
from benchmarks.cloud.measure import Row
from benchmarks.cloud.servers import IMAGE, IMAGE_URI, moto_alone, prepare, rehearsal_cloud
from benchmarks.result import Goal, goal_lines, write_result

RESULT = Path(__file__).parent / "result.json"


def main() -> int:
    """Measure everything, write `result.json`, print the goals."""
    with tempfile.TemporaryDirectory(prefix="greenlight-bench-") as directory:
        rows = rehearsal_rows(Path(directory)) + moto_rows()
    goals = goals_from_rows(rows)
    versions = {name: version(name) for name in ("moto", "boto3", "werkzeug")}
    write_result(RESULT, goals=goals, rows=rows, versions=versions)
    for row in rows:
        print(row)
    for line in [*ratio_lines(rows), *goal_lines(goals)]:
        print(line)
    return 0


def rehearsal_rows(directory: Path) -> list[Row]:
    """Measure the rehearsal cloud; the one endpoint is measured before there are many."""
    with rehearsal_cloud(directory) as side:
        prepare(side)
        members = {"image_uri": IMAGE_URI, "context": str(IMAGE)}
        url = f"http://127.0.0.1:{side.port}/rehearsal/images"
        requests.post(url, json=members, timeout=30).raise_for_status()
        measure.make_endpoint(side, "one")
        measure.await_endpoints(side, ["one"])
        (port,) = measure.container_ports(side)
        through = measure.target_of(side, "one")
        direct = Target(port=port, path="/invocations")
        return [
            *measure.latency_rows({"container directly": direct, side.name: through}),
            measure.rate_row(side, through),
            measure.update_row(side),
            measure.held_row(side),
        ]


def moto_rows() -> list[Row]:
    """Measure moto where it has the operation; it has no UpdateEndpoint and no containers."""
    with moto_alone() as side:
        prepare(side)
        measure.make_endpoint(side, "one")
        target = measure.target_of(side, "one")
        return [
            *measure.latency_rows({side.name: target}),
            measure.rate_row(side, target),
            measure.held_row(side),
        ]


def ratio_lines(rows: list[Row]) -> list[str]:
    """Return how often each of the rehearsal's figures holds moto's, of the same run."""
    by = {(row["what"], row["side"]): row for row in rows}
    return [
        f"{ours[figure] / theirs[figure]:.2f} times moto's  {what}: {figure}"
        for (what, side), ours in by.items()
        if side == "rehearsal" and (theirs := by.get((what, "moto alone"))) is not None
        for figure in ("p50", "median", "create_endpoint_ms_p50", "server_kb_per_endpoint")
        if figure in ours
    ]


def goals_from_rows(rows: list[Row]) -> list[Goal]:
    """Return the promised figures as these rows have them."""
    by = {(row["what"], row["side"]): row for row in rows}
    latency = "latency of one request at a time, ms"
    through = by[latency, "rehearsal"]["p50"]
    overhead = through - by[latency, "container directly"]["p50"]
    rate = by["requests/s, server process on one core", "rehearsal"]["median"]
    held = by[f"{measure.HELD_ENDPOINTS} endpoints held at once", "rehearsal"]["containers"]
    return [
        Goal(
            name="InvokeEndpoint over the container directly, median ms",
            value=round(overhead, 3),
            goal=1.0,
            better="lower",
        ),
        Goal(
            name="InvokeEndpoint on one core, requests/s",
            value=rate,
            goal=1_500,
            better="higher",
        ),
        Goal(
            name="endpoints held at once, each with its container",
            value=held,
            goal=measure.HELD_ENDPOINTS,
            better="higher",
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
