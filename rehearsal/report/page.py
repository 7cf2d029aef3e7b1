"""Lay the timelines out as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2

from rehearsal.report.chart import COLOURS, Band, Frame, Line, band_chart, line_chart
from rehearsal.report.series import FleetPoint, Timeline, timelines_of

CHART_HEIGHT = 110


def write_report(record: Mapping[str, Any], output: Path) -> None:
    """Render a cloud's record to `output`, replacing it whole or not at all."""
    temporary = output.with_name(f".{output.name}.new")
    temporary.write_text(render(record), encoding="utf-8")
    temporary.replace(output)


def render(record: Mapping[str, Any]) -> str:
    """Render a cloud's record (`GET /rehearsal/record`) as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    timelines = timelines_of(record)
    notes = [event for event in record["events"] if event["kind"] == "note"]
    start = min((sample["time"] for sample in record["samples"]), default=0.0)
    return environment.get_template("page.html.j2").render(
        sections=[_section(timeline) for timeline in timelines],
        story=[
            {
                "clock": _clock(event["time"] - start),
                "endpoint_name": event.get("endpoint_name"),
                "text": event.get("text", ""),
                "verdict": event.get("verdict"),
            }
            for event in notes
        ],
    )


def _section(timeline: Timeline) -> dict[str, Any]:
    frame = Frame(
        times=[point.time for point in timeline.points],
        duration_seconds=timeline.duration_seconds,
        verdicts=[(mark.time, mark.verdict) for mark in timeline.marks if mark.verdict is not None],
    )
    latency = [*_pair(timeline, "latency_ms_p50"), *_pair(timeline, "latency_ms_p99")]
    answers = [*_pair(timeline, "invocations"), _errors(timeline)]
    shares = _stacked(_pair(timeline, "traffic_percent", filled=True))
    charts = [
        ("Traffic", line_chart(frame, shares, height=CHART_HEIGHT, unit="%", top=100)),
        ("Instances", _plain(frame, _pair(timeline, "instances"), "")),
        ("Invocations per sample, and 5xx", _plain(frame, answers, "")),
        ("Model latency p50 and p99", _plain(frame, latency, " ms")),
    ]
    names = timeline.alarm_names
    if names:
        bands = [
            Band(label=name, states=[point.alarms.get(name, "") for point in timeline.points])
            for name in names
        ]
        charts.append(("Alarms", band_chart(frame, bands)))
    return {
        "endpoint_name": timeline.endpoint_name,
        "invocations": timeline.invocations,
        "errors_5xx": timeline.errors_5xx,
        "charts": charts,
        "marks": [
            {"clock": _clock(mark.time), "kind": mark.kind.replace("_", " "), "text": mark.text,
             "verdict": mark.verdict}
            for mark in timeline.marks
        ],
    }  # fmt: skip


def _plain(frame: Frame, lines: list[Line], unit: str) -> str:
    return line_chart(frame, lines, height=CHART_HEIGHT, unit=unit)


def _pair(timeline: Timeline, field: str, *, filled: bool = False) -> list[Line]:
    return [
        Line(
            label=f"{role} {field}",
            colour=COLOURS[role],
            filled=filled,
            values=_values(timeline, role, field),
        )
        for role in ("blue", "green")
    ]


def _stacked(lines: list[Line]) -> list[Line]:
    """Put the blue share on top of the green one, so that equal shares don't hide each other."""
    blue, green = lines
    values = [
        None
        if below is None and above is None
        else sum(share for share in (below, above) if share is not None)
        for below, above in zip(green.values, blue.values, strict=True)
    ]
    return [replace(blue, values=values), green]


def _values(timeline: Timeline, role: str, field: str) -> list[float | None]:
    fleets: list[FleetPoint | None] = [getattr(point, role) for point in timeline.points]
    return [None if fleet is None else getattr(fleet, field) for fleet in fleets]


def _errors(timeline: Timeline) -> Line:
    values: list[float | None] = [
        float(sum(f.errors_5xx for f in (point.blue, point.green) if f is not None))
        for point in timeline.points
    ]
    return Line(label="5xx", colour=COLOURS["red"], filled=True, values=values)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    return f"{minutes}:{rest:02d}"
