"""Small SVG charts over time; every function is pure and returns markup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 940
LEFT = 56
RIGHT = 10
TOP = 8
BOTTOM = 18
TICKS = 8
COLOURS = {
    "blue": "#2f6fde",
    "green": "#1f9d55",
    "red": "#d33a2c",
    "grey": "#8a94a3",
    "amber": "#d98c00",
}
ALARM_COLOURS = {"OK": "#bfe3cd", "ALARM": "#d33a2c", "INSUFFICIENT_DATA": "#e3e6ea"}
NICE_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series: a value per time, None where nothing was measured."""

    label: str
    colour: str
    values: Sequence[float | None]
    filled: bool = False


@dataclass(frozen=True, kw_only=True)
class Band:
    """One row of states, a text per time."""

    label: str
    states: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The shared time axis: every chart of an endpoint lines up under the others."""

    times: Sequence[float]
    duration_seconds: float
    verdicts: Sequence[tuple[float, str]] = ()

    def x(self, time: float) -> float:
        """Place a moment, in pixels from the left."""
        span = max(self.duration_seconds, 1.0)
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(time / span, 0.0), 1.0)


def line_chart(
    frame: Frame, lines: Sequence[Line], *, height: int, unit: str, top: float | None = None
) -> str:
    """Draw series as steps; what was measured over a sample holds until the next."""
    largest = max((v for line in lines for v in line.values if v is not None), default=0.0)
    ceiling = top if top is not None else _ceiling(largest)
    plot = height - TOP - BOTTOM

    def y(value: float) -> float:
        return TOP + plot * (1 - min(value / ceiling, 1.0))

    parts = [_open(height), *_axis(frame, height)]
    for fraction in (0.0, 0.5, 1.0):
        at = y(ceiling * fraction)
        label = f"{ceiling * fraction:g}{unit}"
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{label}</text>'
        )
    for line in lines:
        parts.extend(_steps(frame, line, y, y(0.0)))
    parts.extend(_verdicts(frame, height))
    return "".join([*parts, "</svg>"])


def band_chart(frame: Frame, bands: Sequence[Band]) -> str:
    """Draw alarm states as coloured rows under the same time axis."""
    row = 20
    height = TOP + row * len(bands) + BOTTOM
    parts = [_open(height), *_axis(frame, height)]
    for index, band in enumerate(bands):
        at = TOP + index * row
        for start, end, state in _runs(frame, band.states):
            width = max(frame.x(end) - frame.x(start), 1.0)
            colour = ALARM_COLOURS.get(state, COLOURS["grey"])
            parts.append(
                f'<rect x="{frame.x(start):.1f}" y="{at}" width="{width:.1f}" height="{row - 4}" '
                f'fill="{colour}"><title>{escape(band.label)}: {escape(state)}</title></rect>'
            )
        parts.append(f'<text class="band" x="{LEFT + 6}" y="{at + 12}">{escape(band.label)}</text>')
    return "".join([*parts, "</svg>"])


def _open(height: int) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" width="100%" role="img">'


def _axis(frame: Frame, height: int) -> list[str]:
    step = next((s for s in NICE_STEPS if frame.duration_seconds / s <= TICKS), NICE_STEPS[-1])
    count = int(frame.duration_seconds // step) + 1
    return [
        f'<line class="grid" x1="{frame.x(i * step):.1f}" x2="{frame.x(i * step):.1f}" '
        f'y1="{TOP}" y2="{height - BOTTOM}"/>'
        f'<text class="tick" x="{frame.x(i * step):.1f}" y="{height - 4}" '
        f'text-anchor="middle">{_clock(i * step)}</text>'
        for i in range(count)
    ]


def _verdicts(frame: Frame, height: int) -> list[str]:
    """Mark the moments of the verdicts, so that a chart can be read against them."""
    parts = []
    for time, verdict in frame.verdicts:
        colour = COLOURS["green"] if verdict == "promoted" else COLOURS["red"]
        parts.append(
            f'<line x1="{frame.x(time):.1f}" x2="{frame.x(time):.1f}" y1="{TOP}" '
            f'y2="{height - BOTTOM}" stroke="{colour}" stroke-dasharray="3 3">'
            f"<title>{escape(verdict.replace('_', ' '))}</title></line>"
        )
    return parts


def _steps(frame: Frame, line: Line, y: Callable[[float], float], floor: float) -> list[str]:
    parts = []
    for run in _present_runs(line.values):
        path: list[str] = []
        for i in run:
            value = line.values[i]
            assert value is not None  # _present_runs gives only measured indexes
            end = frame.times[i + 1] if i + 1 < len(frame.times) else frame.times[i]
            x1, x2, at = frame.x(frame.times[i]), frame.x(end), y(value)
            path += [f"{x1:.1f},{at:.1f}", f"{x2:.1f},{at:.1f}"]
        points = " ".join(path)
        if line.filled:
            first, last = path[0].split(",")[0], path[-1].split(",")[0]
            parts.append(
                f'<polygon points="{first},{floor:.1f} {points} {last},{floor:.1f}" '
                f'fill="{line.colour}" opacity="0.3"/>'
            )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{line.colour}" stroke-width="1.6"/>'
        )
    return parts


def _present_runs(values: Sequence[float | None]) -> list[list[int]]:
    """Split the indexes into runs without a gap, so that a gap is drawn as one."""
    runs: list[list[int]] = []
    for i, value in enumerate(values):
        if value is None:
            continue
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def _runs(frame: Frame, states: Sequence[str]) -> list[tuple[float, float, str]]:
    runs: list[tuple[float, float, str]] = []
    for i, state in enumerate(states):
        end = frame.times[i + 1] if i + 1 < len(frame.times) else frame.times[i]
        if runs and runs[-1][2] == state:
            runs[-1] = (runs[-1][0], end, state)
        else:
            runs.append((frame.times[i], end, state))
    return [run for run in runs if run[2]]


def _ceiling(largest: float) -> float:
    """Round up to a number whose half reads well."""
    if largest <= 0:
        return 1.0
    magnitude = 1.0
    while magnitude * 10 <= largest:
        magnitude *= 10
    while magnitude > largest:
        magnitude /= 10
    return next(magnitude * step for step in (1, 2, 4, 5, 10) if magnitude * step >= largest)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
