"""The report draws what the record says and nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from rehearsal.report.chart import Band, Frame, Line, band_chart, line_chart
from rehearsal.report.page import render, write_report
from rehearsal.report.series import MAXIMUM_POINTS, timelines_of


def a_fleet(role: str, **changes: Any) -> dict[str, Any]:
    return {
        "role": role,
        "endpoint_config_name": f"{role}-config",
        "variant_name": "AllTraffic",
        "traffic_percent": 100,
        "instances": 2,
        "invocations": 10,
        "errors_4xx": 0,
        "errors_5xx": 0,
        "latency_ms_p50": 1.5,
        "latency_ms_p99": 4.0,
    } | changes


def a_sample(time: float, *fleets: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "time": time,
        "endpoint_name": "wine",
        "status": "InService",
        "endpoint_config_name": "blue-config",
        "fleets": list(fleets),
        "alarms": {"wine-5xx": "OK"},
    } | changes


def a_record(samples: list[dict[str, Any]], *events: dict[str, Any]) -> dict[str, Any]:
    return {"samples": samples, "events": list(events)}


def test_times_are_relative_to_the_first_sample_of_the_record() -> None:
    record = a_record([a_sample(1000, a_fleet("blue")), a_sample(1005, a_fleet("blue"))])

    (timeline,) = timelines_of(record)

    assert [point.time for point in timeline.points] == [0, 5]
    assert timeline.duration_seconds == 5


def test_counts_of_both_fleets_add_up() -> None:
    blue, green = a_fleet("blue"), a_fleet("green", invocations=3, errors_5xx=2)

    (timeline,) = timelines_of(a_record([a_sample(0, blue, green), a_sample(5, blue)]))

    assert timeline.invocations == 23
    assert timeline.errors_5xx == 2


def test_merging_many_points_keeps_every_invocation_and_every_alarm() -> None:
    samples = [a_sample(i * 5.0, a_fleet("blue", invocations=1)) for i in range(3 * MAXIMUM_POINTS)]
    samples[100]["alarms"] = {"wine-5xx": "ALARM"}

    (timeline,) = timelines_of(a_record(samples))

    assert len(timeline.points) <= MAXIMUM_POINTS
    assert timeline.invocations == 3 * MAXIMUM_POINTS
    assert "ALARM" in {point.alarms["wine-5xx"] for point in timeline.points}


def test_a_gap_in_a_series_is_drawn_as_a_gap() -> None:
    frame = Frame(times=[0, 5, 10, 15], duration_seconds=15)
    line = Line(label="green", colour="#000", values=[1.0, None, None, 2.0])

    drawn = line_chart(frame, [line], height=100, unit="%")

    assert drawn.count("<polyline") == 2


@pytest.mark.parametrize("state", ["ALARM", "OK", "INSUFFICIENT_DATA"])
def test_alarm_states_become_one_rectangle_per_run(state: str) -> None:
    frame = Frame(times=[0, 5, 10], duration_seconds=10)

    drawn = band_chart(frame, [Band(label="wine-5xx", states=["OK", state, state])])

    assert drawn.count("<rect") == (1 if state == "OK" else 2)
    ElementTree.fromstring(drawn)


def test_page_shows_verdicts_and_escapes_what_the_record_says() -> None:
    note = {
        "time": 3,
        "kind": "note",
        "text": "<script>alert(1)</script>",
        "verdict": "rolled_back",
        "endpoint_name": "wine",
    }

    page = render(a_record([a_sample(0, a_fleet("blue"))], note))

    assert "rolled back" in page
    assert "<script>" not in page


def test_page_shows_a_fault_on_purpose_once() -> None:
    uses = [
        {
            "time": 3 + used,
            "kind": "fault",
            "fault_id": "fault-1",
            "fault_kind": "latency",
            "used": used,
            "endpoint_name": "wine",
        }
        for used in (1, 2, 3)
    ]

    page = render(a_record([a_sample(0, a_fleet("blue"))], *uses))

    assert page.count("latency on purpose (fault-1)") == 1


def test_page_loads_nothing_from_anywhere() -> None:
    page = render(a_record([a_sample(0, a_fleet("blue"), a_fleet("green"))]))

    assert "http" not in page
    assert "src=" not in page


def test_an_empty_record_says_so() -> None:
    assert "The record holds no endpoint" in render(a_record([]))


def test_report_is_written_whole(tmp_path: Path) -> None:
    output = tmp_path / "report.html"

    write_report(a_record([a_sample(0, a_fleet("blue"))]), output)

    assert output.read_text().rstrip().endswith("</html>")
    assert list(tmp_path.iterdir()) == [output]
