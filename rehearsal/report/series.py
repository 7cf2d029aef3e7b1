"""Turn a cloud's record into what the page draws: one timeline per endpoint, numbers only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Sample = Mapping[str, Any]
Event = Mapping[str, Any]
# More points than this can't be told apart at the page's width; neighbours are merged.
MAXIMUM_POINTS = 400


@dataclass(frozen=True, kw_only=True)
class FleetPoint:
    """One fleet during one sample: shares and counts, latency in milliseconds."""

    traffic_percent: float
    instances: int
    invocations: int
    errors_4xx: int
    errors_5xx: int
    latency_ms_p50: float | None
    latency_ms_p99: float | None


@dataclass(frozen=True, kw_only=True)
class Point:
    """One endpoint at one moment; `time` in rehearsal seconds since the first sample."""

    time: float
    status: str
    blue: FleetPoint | None
    green: FleetPoint | None
    alarms: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something that happened at a moment, to be drawn as a line with a label."""

    time: float
    kind: str
    text: str
    verdict: str | None


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Everything the page draws of one endpoint."""

    endpoint_name: str
    points: tuple[Point, ...]
    marks: tuple[Mark, ...]

    @property
    def alarm_names(self) -> list[str]:
        """Every alarm seen on this endpoint, in order of name."""
        return sorted({name for point in self.points for name in point.alarms})

    @property
    def duration_seconds(self) -> float:
        """Rehearsal seconds from the first sample to the last."""
        return self.points[-1].time if self.points else 0.0

    @property
    def invocations(self) -> int:
        """Requests answered by either fleet."""
        return sum(fleet.invocations for fleet in self._fleets())

    @property
    def errors_5xx(self) -> int:
        """Requests either fleet answered with a 5xx."""
        return sum(fleet.errors_5xx for fleet in self._fleets())

    def _fleets(self) -> Iterable[FleetPoint]:
        return (
            fleet
            for point in self.points
            for fleet in (point.blue, point.green)
            if fleet is not None
        )


def timelines_of(record: Mapping[str, Any]) -> list[Timeline]:
    """Split a record by endpoint, times made relative to the record's first moment."""
    samples: list[Sample] = record["samples"]
    events: list[Event] = record["events"]
    names = list(dict.fromkeys(sample["endpoint_name"] for sample in samples))
    start = min((sample["time"] for sample in samples), default=0.0)
    return [
        Timeline(
            endpoint_name=name,
            points=_merged([_point(s, start) for s in samples if s["endpoint_name"] == name]),
            marks=tuple(
                _mark(event, start)
                for event in events
                if event.get("endpoint_name") == name and _is_marked(event)
            ),
        )
        for name in names
    ]


MARKED = ("endpoint_status", "deployment_stage", "note")


def _is_marked(event: Event) -> bool:
    # A fault may meet every request; the first time says enough.
    is_first_fault = event["kind"] == "fault" and event["used"] == 1
    return event["kind"] in MARKED or is_first_fault


def _point(sample: Sample, start: float) -> Point:
    fleets = {fleet["role"]: fleet for fleet in sample["fleets"]}
    return Point(
        time=sample["time"] - start,
        status=sample["status"],
        blue=_fleet_point(fleets.get("blue")),
        green=_fleet_point(fleets.get("green")),
        alarms=dict(sample["alarms"]),
    )


def _fleet_point(fleet: Mapping[str, Any] | None) -> FleetPoint | None:
    if fleet is None:
        return None
    return FleetPoint(
        traffic_percent=float(fleet["traffic_percent"]),
        instances=int(fleet["instances"]),
        invocations=int(fleet["invocations"]),
        errors_4xx=int(fleet["errors_4xx"]),
        errors_5xx=int(fleet["errors_5xx"]),
        latency_ms_p50=fleet["latency_ms_p50"],
        latency_ms_p99=fleet["latency_ms_p99"],
    )


def _mark(event: Event, start: float) -> Mark:
    text = event.get("text")
    if event["kind"] == "fault":
        text = f"{event['fault_kind']} on purpose ({event['fault_id']})"
    if text is None:
        text = " ".join(
            str(event[key]) for key in ("status", "stage", "message") if event.get(key) is not None
        )
    return Mark(
        time=event["time"] - start, kind=event["kind"], text=text, verdict=event.get("verdict")
    )


def _merged(points: list[Point]) -> tuple[Point, ...]:
    """Merge neighbours until the points fit: counts add up, the latest state stands."""
    stride = -(-len(points) // MAXIMUM_POINTS)
    if stride <= 1:
        return tuple(points)
    groups = [points[i : i + stride] for i in range(0, len(points), stride)]
    return tuple(_merge(group) for group in groups)


def _merge(group: list[Point]) -> Point:
    last = group[-1]
    states = {name: _worst(p.alarms.get(name) for p in group) for name in last.alarms}
    return Point(
        time=last.time,
        status=last.status,
        blue=_merge_fleets([p.blue for p in group]),
        green=_merge_fleets([p.green for p in group]),
        alarms=states,
    )


def _merge_fleets(fleets: list[FleetPoint | None]) -> FleetPoint | None:
    present = [fleet for fleet in fleets if fleet is not None]
    if not present:
        return None
    last = present[-1]
    return FleetPoint(
        traffic_percent=last.traffic_percent,
        instances=last.instances,
        invocations=sum(fleet.invocations for fleet in present),
        errors_4xx=sum(fleet.errors_4xx for fleet in present),
        errors_5xx=sum(fleet.errors_5xx for fleet in present),
        latency_ms_p50=_largest(fleet.latency_ms_p50 for fleet in present),
        latency_ms_p99=_largest(fleet.latency_ms_p99 for fleet in present),
    )


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _worst(states: Iterable[str | None]) -> str:
    """An alarm that fired inside a merged point must stay visible."""
    seen = {state for state in states if state is not None}
    return next((s for s in ("ALARM", "OK", "INSUFFICIENT_DATA") if s in seen), "INSUFFICIENT_DATA")
