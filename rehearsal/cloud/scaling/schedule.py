"""When a scheduled action runs: at, rate and cron expressions, read by hand; pure.

No library of the lock file reads AWS's cron (years, ?, L, W, #), and one for five fields would
read it wrongly.

Source: Application Auto Scaling User Guide, "Schedule recurring scaling actions using cron
expressions"; EventBridge Scheduler User Guide, schedule types, read 2026. A rate without a start
runs first one interval after it was put (assumed).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

AT = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")
RATE = re.compile(r"rate\((\d+) (minute|minutes|hour|hours|day|days)\)")
CRON = re.compile(r"cron\((.*)\)")
RATE_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}
MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
FIRST_YEAR, LAST_YEAR = 1970, 2199
# A cron that matches no day within so many years never runs.
SEARCHED_DAYS = 366 * 9

Next = Callable[[float], float | None]


class BadSchedule(Exception):
    """The expression can't be read; the text says what is allowed."""


def next_run(schedule: str, zone: tzinfo, created: float, start: float | None) -> Next:
    """Return a function from an epoch to the first run after it, or None for never again.

    Args:
        zone: what at and cron are told in
        created: when the action was put, which a rate counts from
        start: StartTime, which a rate counts from when it is given
    """
    at, rate, cron = AT.fullmatch(schedule), RATE.fullmatch(schedule), CRON.fullmatch(schedule)
    if at is not None:
        moment = _parsed(at[1]).replace(tzinfo=zone).timestamp()
        return lambda after: moment if moment > after else None
    if rate is not None:
        return _rate(int(rate[1]), rate[2], created, start)
    if cron is not None:
        return _Cron.read(cron[1], zone).next_after
    raise BadSchedule(
        f"Schedule {schedule} is not at(yyyy-mm-ddThh:mm:ss), rate(value unit) or cron(fields)"
    )


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as err:
        raise BadSchedule(f"at({text}) is no date and time: {err}") from err


def _rate(value: int, unit: str, created: float, start: float | None) -> Next:
    singular = unit.removesuffix("s")
    if value < 1 or (value == 1) is not (unit == singular):
        raise BadSchedule(f"rate({value} {unit}) needs a positive value and its unit's number")
    seconds = value * RATE_SECONDS[singular]
    first = start if start is not None else created + seconds

    def following(after: float) -> float:
        if after < first:
            return first
        return first + (int((after - first) // seconds) + 1) * float(seconds)

    return following


@dataclass(frozen=True, kw_only=True)
class _Cron:
    """Six fields: minutes, hours, days of month, months, days of week, years."""

    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    is_day: Callable[[date], bool]
    zone: tzinfo

    @classmethod
    def read(cls, text: str, zone: tzinfo) -> _Cron:
        fields = text.split()
        if len(fields) != 6:
            raise BadSchedule(f"cron({text}) has {len(fields)} fields, not 6")
        minutes, hours, days, months, weekdays, years = (field.upper() for field in fields)
        if (days == "?") == (weekdays == "?"):
            raise BadSchedule(f"cron({text}) needs ? in one of day of month and day of week")
        return cls(
            minutes=_numbers(minutes, 0, 59),
            hours=_numbers(hours, 0, 23),
            months=_numbers(months, 1, 12, MONTHS),
            years=_numbers(years, FIRST_YEAR, LAST_YEAR),
            is_day=_weekday_test(weekdays) if days == "?" else _day_test(days),
            zone=zone,
        )

    def next_after(self, after: float) -> float | None:
        local = datetime.fromtimestamp(after, UTC).astimezone(self.zone)
        for day in self._days(local.date()):
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    moment = datetime.combine(day, time(hour, minute), self.zone).timestamp()
                    if moment > after:
                        return moment
        return None

    def _days(self, first: date) -> Iterator[date]:
        for offset in range(SEARCHED_DAYS):
            day = first + timedelta(days=offset)
            if day.year in self.years and day.month in self.months and self.is_day(day):
                yield day


def _numbers(
    field: str, low: int, high: int, names: Mapping[str, int] | None = None
) -> frozenset[int]:
    """Return what a field of stars, lists, ranges and steps stands for."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        else:
            begin, _, end = span.partition("-")
            first = _number(begin, low, high, names)
            last = _number(end, low, high, names) if end else (high if step else first)
        every = _number(step, 1, high, None) if step else 1
        if last < first and names is WEEKDAYS:
            found.update((*range(first, high + 1, every), *range(low, last + 1, every)))
            continue
        found.update(range(first, last + 1, every))
    if not found:
        raise BadSchedule(f"cron field {field} matches nothing")
    return frozenset(found)


def _number(text: str, low: int, high: int, names: Mapping[str, int] | None) -> int:
    number = (names or {}).get(text)
    if number is None and text.isdigit():
        number = int(text)
    if number is None or not low <= number <= high:
        raise BadSchedule(f"cron value {text or 'nothing'} is not between {low} and {high}")
    return number


def _day_test(field: str) -> Callable[[date], bool]:
    """Days of the month: numbers, L for the last, 15W for the weekday nearest to the 15th."""
    if field in ("L", "LW"):
        return lambda day: day.day == _last(day) if field == "L" else day == _nearest(day, 31)
    if field.endswith("W"):
        wanted = _number(field[:-1], 1, 31, None)
        return lambda day: day == _nearest(day, wanted)
    days = _numbers(field, 1, 31)
    return lambda day: day.day in days


def _weekday_test(field: str) -> Callable[[date], bool]:
    """Days of the week: 1 (Sunday) to 7, 6L for the last Friday, 2#1 for the first Monday."""
    if field.endswith("L") and len(field) > 1:
        wanted = _number(field[:-1], 1, 7, WEEKDAYS)
        return lambda day: _weekday(day) == wanted and day.day + 7 > _last(day)
    if field == "L":
        return lambda day: _weekday(day) == 7
    if "#" in field:
        name, _, number = field.partition("#")
        wanted, place = _number(name, 1, 7, WEEKDAYS), _number(number, 1, 5, None)
        return lambda day: _weekday(day) == wanted and (day.day - 1) // 7 + 1 == place
    days = _numbers(field, 1, 7, WEEKDAYS)
    return lambda day: _weekday(day) in days


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def _last(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest(day: date, wanted: int) -> date:
    """Return the weekday of the same month that is nearest to a day of it."""
    target = day.replace(day=min(wanted, _last(day)))
    if target.isoweekday() == 6:
        return target - timedelta(days=1) if target.day > 1 else target + timedelta(days=2)
    if target.isoweekday() == 7:
        return target + timedelta(days=1) if target.day < _last(day) else target - timedelta(days=2)
    return target
