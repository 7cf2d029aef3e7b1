"""When scheduled actions run."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from rehearsal.cloud.scaling.schedule import BadSchedule, next_run

CRON = "AAS scheduled-scaling-using-cron-expressions; EventBridge Scheduler, schedule types"
BERLIN = ZoneInfo("Europe/Berlin")


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def following(schedule: str, after: str, zone: object = UTC) -> str | None:
    run = next_run(schedule, zone, epoch(after), None)(epoch(after))  # type: ignore[arg-type]
    return datetime.fromtimestamp(run, UTC).strftime("%Y-%m-%dT%H:%M:%S") if run else None


@pytest.mark.source(CRON)
@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cron(15 10 * * ? *)", "2026-11-22T10:15:00"),
        ("cron(0/15 * * * ? *)", "2026-11-21T14:15:00"),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-23T18:00:00"),
        ("cron(0 8 1 * ? *)", "2026-12-01T08:00:00"),
        ("cron(0 8 L * ? *)", "2026-11-30T08:00:00"),
        ("cron(0 8 29W * ? *)", "2026-11-30T08:00:00"),
        ("cron(0 8 ? * 2#1 *)", "2026-12-07T08:00:00"),
        ("cron(0 8 ? * 6L *)", "2026-11-27T08:00:00"),
        ("cron(0 8 ? JAN,MAR 1 2027-2028)", "2027-01-03T08:00:00"),
        ("cron(0 0 29 2 ? *)", "2028-02-29T00:00:00"),
        ("cron(0 0 1 1 ? 2020)", None),
    ],
)
def test_a_cron_runs_at_the_next_time_that_matches(schedule: str, expected: str | None) -> None:
    assert following(schedule, "2026-11-21T14:08:31") == expected


@pytest.mark.source("botocore PutScheduledAction, Timezone")
def test_a_time_zone_moves_at_and_cron_over_its_change_of_clocks() -> None:
    assert following("cron(0 8 * * ? *)", "2026-03-28T12:00:00", BERLIN) == "2026-03-29T06:00:00"
    assert following("cron(0 8 * * ? *)", "2026-01-28T12:00:00", BERLIN) == "2026-01-29T07:00:00"
    assert following("at(2026-12-01T08:00:00)", "2026-11-21T00:00:00", BERLIN) == (
        "2026-12-01T07:00:00"
    )


@pytest.mark.source("botocore PutScheduledAction, Schedule")
def test_an_at_runs_once() -> None:
    assert following("at(2026-12-01T08:00:00)", "2026-12-01T07:59:59") == "2026-12-01T08:00:00"
    assert following("at(2026-12-01T08:00:00)", "2026-12-01T08:00:00") is None


@pytest.mark.assumed("when a rate without a start runs first is not documented")
def test_a_rate_runs_an_interval_after_its_start() -> None:
    put = epoch("2026-11-21T14:00:00")
    plain = next_run("rate(5 minutes)", UTC, put, None)
    started = next_run("rate(1 hour)", UTC, put, put + 60)

    assert [plain(put), plain(put + 300), plain(put + 301)] == [put + 300, put + 600, put + 600]
    assert [started(put), started(put + 60)] == [put + 60, put + 3_660]


@pytest.mark.parametrize(
    "schedule",
    [
        "daily",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(2 hour)",
        "cron(* * * * *)",
        "cron(* * * * * *)",
        "cron(60 * * * ? *)",
        "cron(0 0 ? * FUNDAY *)",
        "at(2026-13-01T08:00:00)",
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused(schedule: str) -> None:
    with pytest.raises(BadSchedule):
        next_run(schedule, UTC, 0.0, None)
