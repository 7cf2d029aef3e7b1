"""The counters as Prometheus text, as the platform's container metrics read it.

Source: Prometheus documentation, "Exposition formats", text-based format 0.0.4
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from .metrics import BATCH_BOUNDS, LATENCY_BOUNDS_SECONDS, ROUTES, Metrics, Totals

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


def text_of(metrics: Metrics, model: Labels, gauges: Sequence[tuple[str, str, float]] = ()) -> str:
    """Write everything that is counted.

    Args:
        model: labels of the model in service, such as its name; empty where there is none
        gauges: more values, each with its name and what it is
    """
    totals = metrics.totals()
    lines = [*_requests(totals), *_model_calls(totals)]
    if model:
        lines += _family("greenlight_model_info", "gauge", "The model in service.", [(model, 1)])
    for name, text, value in gauges:
        lines += _family(name, "gauge", text, [({}, value)])
    lines += _processes(metrics.pids())
    return "\n".join(lines) + "\n"


def _requests(totals: Totals) -> list[str]:
    by_outcome = [
        (
            {"route": outcome.route, "status": str(outcome.status), "code": outcome.code},
            sum(buckets),
        )
        for outcome, buckets in totals.latencies.items()
    ]
    seen = [
        (labels, count)
        for labels, count in by_outcome
        # A series of zeros for each code there could be is noise; the good one is never missing.
        if count or labels["code"] == "ok"
    ]
    lines = _family(
        "greenlight_requests_total", "counter", "Requests answered, by how they ended.", seen
    )
    name = "greenlight_request_duration_seconds"
    lines += _head(name, "histogram", "Time from a request's head to its answer.")
    for route in ROUTES:
        parts = [buckets for outcome, buckets in totals.latencies.items() if outcome.route == route]
        counts = [sum(part) for part in zip(*parts, strict=True)]
        lines += _histogram(
            name, {"route": route}, LATENCY_BOUNDS_SECONDS, counts, totals.seconds[route]
        )
    return lines


def _model_calls(totals: Totals) -> list[str]:
    lines = _family(
        "greenlight_requests_in_flight",
        "gauge",
        "Invocations begun and not yet answered.",
        [({}, totals.in_flight)],
    )
    lines += _family(
        "greenlight_rows_total", "counter", "Rows predicted in answers.", [({}, totals.rows)]
    )
    name = "greenlight_batch_requests"
    lines += _head(name, "histogram", "Requests answered together by one call of the model.")
    return lines + _histogram(name, {}, BATCH_BOUNDS, totals.batches, totals.batched_requests)


def _processes(pids: Sequence[int]) -> list[str]:
    usages = [(worker, usage_of(pid)) for worker, pid in enumerate(pids)]
    alive = [({"worker": str(worker)}, usage) for worker, usage in usages if usage is not None]
    lines = _family("greenlight_workers", "gauge", "Worker processes.", [({}, len(alive))])
    lines += _family(
        "greenlight_worker_resident_memory_bytes",
        "gauge",
        "Resident memory of a worker, with what it shares with the others.",
        [(labels, usage[0]) for labels, usage in alive],
    )
    return lines + _family(
        "greenlight_worker_cpu_seconds_total",
        "counter",
        "User and system time of a worker since it started.",
        [(labels, usage[1]) for labels, usage in alive],
    )


def usage_of(pid: int) -> tuple[int, float] | None:
    """Give a process's resident bytes and its seconds of processor time; None where it is gone."""
    if pid == 0:
        return None
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            # The command stands in parentheses and may hold spaces.
            fields = file.read().rpartition(")")[2].split()
    except (OSError, IndexError):
        return None
    ticks = int(fields[11]) + int(fields[12])
    return resident, ticks / os.sysconf("SC_CLK_TCK")


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[Labels, float]]) -> list[str]:
    return [
        *_head(name, kind, text),
        *(f"{name}{_labels(labels)} {value!r}" for labels, value in samples),
    ]


def _histogram(
    name: str, labels: Labels, bounds: Sequence[float], counts: Sequence[int], total: float
) -> list[str]:
    ends = [*(repr(float(bound)) for bound in bounds), "+Inf"]
    cumulated = list(accumulate(counts))
    return [
        *(
            f"{name}_bucket{_labels({**labels, 'le': end})} {count}"
            for end, count in zip(ends, cumulated, strict=True)
        ),
        f"{name}_sum{_labels(labels)} {total!r}",
        f"{name}_count{_labels(labels)} {cumulated[-1]}",
    ]


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
