"""A manual clock moves by hand alone, and what falls due on the way has happened then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.settings import ClockKind
from tests.support.cloud import CloudUser, start_cloud

START = 1_800_000_000.0


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(
        tmp_path_factory.mktemp("cloud"), clock=ClockKind.MANUAL, start_time=START, speed=60
    )
    started.prepare()
    started.make_config("one")
    yield started
    started.cloud.stop()


def advance(user: CloudUser, seconds: float) -> float:
    answer = user.tell("clock", {"advance_seconds": seconds})
    assert answer.status_code == 200, answer.text
    return float(answer.json()["now"])


def test_nothing_happens_until_the_clock_is_moved(user: CloudUser) -> None:
    began = user.control("status")["now"]
    user.sagemaker.create_endpoint(EndpointName="shop", EndpointConfigName="one")

    still = [user.describe("shop")["EndpointStatus"] for _ in range(3)]
    now = advance(user, 2)
    role = user.client("iam").get_role(RoleName="execution")["Role"]

    assert still == ["Creating"] * 3
    assert now == began + 2
    assert user.control("status")["clock"] == "manual"
    described = user.describe("shop")
    assert described["EndpointStatus"] == "InService"
    assert described["CreationTime"].timestamp() == began
    assert described["LastModifiedTime"].timestamp() == began + 2
    assert role["CreateDate"].timestamp() == START


def test_a_hanging_launch_waits_for_the_clock_and_for_nothing_else(user: CloudUser) -> None:
    user.make_config("hang", variant={"ContainerStartupHealthCheckTimeoutInSeconds": 60})
    user.tell("faults", {"kind": "health-check-hang", "endpoint_config_name": "hang"})
    user.sagemaker.create_endpoint(EndpointName="stuck", EndpointConfigName="hang")

    advance(user, 50)
    before = user.describe("stuck")["EndpointStatus"]
    advance(user, 20)

    described = user.describe("stuck")
    assert (before, described["EndpointStatus"]) == ("Creating", "Failed")
    assert "did not pass the ping health check" in described["FailureReason"]


def test_an_alarm_is_evaluated_at_each_minute_on_the_way(user: CloudUser) -> None:
    user.put_error_alarm("quiet", "nowhere")

    advance(user, 180)

    (alarm,) = user.client("cloudwatch").describe_alarms(AlarmNames=["quiet"])["MetricAlarms"]
    now = user.control("status")["now"]
    assert alarm["StateValue"] == "OK"
    assert now - 180 < alarm["StateUpdatedTimestamp"].timestamp() <= now - 60


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"advance_seconds": -1}, "advance_seconds is -1; allowed is 0 to 86400"),
        ({"advance_seconds": 100_000}, "allowed is 0 to 86400"),
        ({"advance_seconds": "1"}, 'the body must be {"advance_seconds": <number>}'),
        ({"advance_seconds": True}, 'the body must be {"advance_seconds": <number>}'),
        ({}, 'the body must be {"advance_seconds": <number>}'),
    ],
)
def test_the_clock_refuses_what_it_can_not_do(
    user: CloudUser, members: dict[str, Any], words: str
) -> None:
    answer = user.tell("clock", members)

    assert (answer.status_code, words in answer.json()["error"]) == (400, True)


def test_a_clock_that_runs_by_itself_is_not_moved(user: CloudUser, tmp_path: Path) -> None:
    user.cloud.stop()
    running = start_cloud(tmp_path, speed=10)
    try:
        answer = running.tell("clock", {"advance_seconds": 1})

        assert answer.status_code == 400
        assert "--clock manual" in answer.json()["error"]
    finally:
        running.cloud.stop()
