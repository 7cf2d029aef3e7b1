"""Waits, retries and error texts, on a clock that does not make one wait."""

from __future__ import annotations

import pytest

from rehearsal.provider.aws import (
    AwsError,
    CancelledError,
    CloudClock,
    WaitError,
    go_duration,
)
from tests.support.scripted_aws import ScriptedAws, an_error


def states(*names: str) -> list[tuple[str, str]]:
    """A script of states, in the order in which `pop()` takes them."""
    return [(name, "") for name in reversed(names)]


def test_a_wait_ends_when_the_target_is_seen() -> None:
    script = states("Creating", "Creating", "InService")

    ScriptedAws({}).wait_for_state(60, script.pop, pending=("Creating",), target="InService")

    assert script == []


def test_a_state_that_is_neither_pending_nor_the_target_ends_the_wait_with_its_reason() -> None:
    script = [("Failed", "no capacity"), ("Creating", "")]

    with pytest.raises(
        WaitError,
        match=r"unexpected state 'Failed', wanted target 'InService'\. last error: no capacity",
    ):
        ScriptedAws({}).wait_for_state(60, script.pop, pending=("Creating",), target="InService")


def test_a_wait_says_what_it_waited_for_and_how_long() -> None:
    with pytest.raises(
        WaitError,
        match=(
            r"timeout while waiting for state to become 'InService' "
            r"\(last state: 'Updating', timeout: 1h0m0s\)"
        ),
    ):
        ScriptedAws({}).wait_for_state(
            3600, lambda: ("Updating", ""), pending=("Updating",), target="InService"
        )


def test_a_wait_stops_when_the_engine_cancels() -> None:
    aws = ScriptedAws({}, is_cancelled=lambda: True)

    with pytest.raises(CancelledError, match="cancelled while waiting"):
        aws.wait_for_state(60, lambda: ("Updating", ""), pending=("Updating",), target="x")


def test_a_retried_error_is_retried_until_it_works() -> None:
    answers = [{"ok": True}, an_error("ValidationException", "not yet")]

    def attempt() -> object:
        answer = answers.pop()
        if isinstance(answer, AwsError):
            raise answer
        return answer

    result = ScriptedAws({}).retry(120, attempt, lambda err: err.code == "ValidationException")

    assert result == {"ok": True}


def test_the_last_error_is_raised_when_patience_ends() -> None:
    attempts: list[int] = []

    def attempt() -> object:
        attempts.append(1)
        raise an_error("ValidationException", "never")

    with pytest.raises(AwsError, match="never"):
        ScriptedAws({}).retry(120, attempt, lambda err: True)

    # The clock moves ten seconds a pause.
    assert len(attempts) == 13


def test_another_error_is_raised_at_once() -> None:
    attempts: list[int] = []

    def attempt() -> object:
        attempts.append(1)
        raise an_error("ResourceLimitExceeded", "too many")

    with pytest.raises(AwsError, match="too many"):
        ScriptedAws({}).retry(120, attempt, lambda err: err.code == "ValidationException")

    assert len(attempts) == 1


def test_an_error_reads_as_the_go_sdk_words_it() -> None:
    assert str(an_error("ValidationException", "bad", "CreateEndpoint")) == (
        "operation error SageMaker: CreateEndpoint, https response error StatusCode: 400,"
        " RequestID: r, api error ValidationException: bad"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(3600, "1h0m0s"), (600, "10m0s"), (30, "30s"), (3725, "1h2m5s")]
)
def test_durations_read_as_go_prints_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_the_clouds_time_is_that_of_its_last_answer() -> None:
    clock = CloudClock()

    clock.saw("Sat, 21 Nov 2026 11:00:00 GMT")
    clock.saw(None)

    assert clock.now() == 1795258800.0
