"""A swap's run against a small stand-in of AWS, on a clock that only sleeping moves."""

import pytest

from components.rollout import DeploymentSettings, deployment_config
from components.swap_cloud import SwapCloud
from components.swap_plan import (
    InconclusiveError,
    RefusedError,
    RolledBackError,
    Verdict,
)
from components.swap_watch import (
    FIRING_ALARM_LIMIT_SECONDS,
    INVISIBLE_CONFIG_LIMIT_SECONDS,
    UNREACHABLE_LIMIT_SECONDS,
    SwapResult,
    wait_until_settled,
)
from tests.support.swap_run import DEADLINE_SECONDS, swap
from tests.support.swap_substitute import (
    ALARM_NAME,
    BLUE,
    ENDPOINT_NAME,
    GREEN,
    OTHER,
    Account,
    ManualClock,
    client_error,
    no_connection,
)


def test_endpoint_on_the_target_is_promoted_without_a_call() -> None:
    account = Account(live=GREEN)

    result = swap(account)

    assert result.verdict is Verdict.PROMOTED
    assert result.previous_endpoint_config_name == GREEN
    assert account.called("update_endpoint") == []


def test_endpoint_is_moved_once_and_watched_to_promotion() -> None:
    account = Account()
    lines: list[str] = []

    result = swap(account, lines=lines)

    assert result == SwapResult(
        verdict=Verdict.PROMOTED,
        live_endpoint_config_name=GREEN,
        previous_endpoint_config_name=BLUE,
    )
    assert account.called("update_endpoint") == [
        {
            "EndpointName": ENDPOINT_NAME,
            "EndpointConfigName": GREEN,
            "DeploymentConfig": deployment_config(DeploymentSettings(), [ALARM_NAME]),
        }
    ]
    assert [line.split(": ", 1)[1] for line in lines] == [
        f"moving from {BLUE} to {GREEN}",
        "baking: Baking for 120 seconds",
        f"promoted: {GREEN} is live",
    ]


def test_update_to_the_target_under_way_is_attached_to_and_not_called_again() -> None:
    account = Account()
    account.begin_update(GREEN)

    result = swap(account)

    assert result.live_endpoint_config_name == GREEN
    assert account.called("update_endpoint") == []


def test_rolled_back_update_that_was_attached_to_is_red() -> None:
    account = Account(outcome="roll_back")
    account.begin_update(GREEN)

    with pytest.raises(RolledBackError):
        swap(account)

    assert account.called("update_endpoint") == []


@pytest.mark.parametrize("pending", [OTHER, None])
def test_another_update_is_waited_for_before_the_call(pending: str | None) -> None:
    account = Account()
    account.begin_update(pending)

    result = swap(account)

    assert result.live_endpoint_config_name == GREEN
    assert len(account.called("update_endpoint")) == 1


def test_scaling_that_begins_between_look_and_call_is_waited_for() -> None:
    account = Account(
        raises={
            "update_endpoint": [
                client_error("ValidationException", 'Cannot update in-progress endpoint "arn".')
            ]
        }
    )

    result = swap(account)

    assert result.live_endpoint_config_name == GREEN
    assert len(account.called("update_endpoint")) == 2


def test_rollback_shows_as_in_service_on_the_old_config_without_a_reason() -> None:
    account = Account(outcome="roll_back", failure_reason=None)

    with pytest.raises(RolledBackError) as caught:
        swap(account)

    assert account.status == "InService"
    assert f"{BLUE} is live and still there" in str(caught.value)
    assert "SageMaker gives none" in str(caught.value)


def test_rollback_tells_the_reason_the_alarms_and_the_log_group() -> None:
    account = Account(
        outcome="roll_back",
        failure_reason="alarm tripped",
        alarm_states_during_update={ALARM_NAME: "ALARM"},
    )

    with pytest.raises(RolledBackError) as caught:
        swap(account)

    story = str(caught.value)
    assert "failure reason: alarm tripped" in story
    assert f"rollback alarm {ALARM_NAME}: ALARM (4 datapoints were above 0)" in story
    assert f"log group /aws/sagemaker/Endpoints/{ENDPOINT_NAME}" in story


def test_alarm_that_fired_during_the_swap_is_told_even_if_it_is_quiet_again() -> None:
    account = Account(outcome="roll_back", alarm_states_during_update={ALARM_NAME: "ALARM"})
    lines: list[str] = []

    class Quiet(ManualClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.sleeps) == 3:
                account.alarm_states[ALARM_NAME] = "OK"

    with pytest.raises(RolledBackError, match=f"{ALARM_NAME}: ALARM"):
        swap(account, clock=Quiet(), lines=lines)

    assert any(f"rollback alarm {ALARM_NAME} fires" in line for line in lines)


def test_update_whose_rollback_failed_is_inconclusive_and_names_the_state() -> None:
    account = Account(outcome="break")

    with pytest.raises(InconclusiveError, match="UpdateRollbackFailed"):
        swap(account)


def test_endpoint_whose_earlier_rollback_failed_takes_a_new_update() -> None:
    account = Account(status="UpdateRollbackFailed")

    assert swap(account).live_endpoint_config_name == GREEN


@pytest.mark.parametrize("status", ["Failed", "OutOfService", "Deleting"])
def test_endpoint_that_takes_no_update_is_refused(status: str) -> None:
    account = Account(status=status)

    with pytest.raises(RefusedError, match=f"is {status}"):
        swap(account)

    assert account.called("update_endpoint") == []


def test_endpoint_that_is_gone_is_refused_with_the_next_step() -> None:
    with pytest.raises(RefusedError, match="pulumi refresh"):
        swap(Account(is_gone=True))


def test_swap_past_its_deadline_is_inconclusive_and_says_what_was_seen() -> None:
    clock = ManualClock()

    with pytest.raises(InconclusiveError, match=r"it is Updating .*Baking for 120 seconds"):
        swap(Account(outcome="hang"), clock=clock)

    assert DEADLINE_SECONDS <= clock.seconds - 1000.0 < DEADLINE_SECONDS + 10


def test_throttled_looks_and_a_lost_connection_are_ridden_out() -> None:
    account = Account(
        raises={
            "describe_endpoint": [client_error("ThrottlingException", "slow down")] * 4,
            "update_endpoint": [no_connection()],
        }
    )

    result = swap(account)

    assert result.live_endpoint_config_name == GREEN
    assert len(account.called("update_endpoint")) == 2


def test_call_whose_answer_was_lost_is_not_made_twice() -> None:
    account = Account()

    class LosesTheAnswer(ManualClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.sleeps) == 1:
                # SageMaker took the call; only its answer was lost.
                account.begin_update(GREEN)

    account.raises["update_endpoint"] = [no_connection()]
    result = swap(account, clock=LosesTheAnswer())

    assert result.live_endpoint_config_name == GREEN
    assert len(account.called("update_endpoint")) == 1


def test_cloud_that_stays_away_ends_the_watch() -> None:
    clock = ManualClock()
    account = Account(raises={"describe_endpoint": [no_connection() for _ in range(1000)]})

    with pytest.raises(InconclusiveError, match="has given no answer"):
        swap(account, clock=clock)

    assert clock.seconds - 1000.0 == pytest.approx(UNREACHABLE_LIMIT_SECONDS, abs=10)


def test_denied_look_says_that_the_swap_goes_on() -> None:
    denied = client_error("AccessDeniedException", "not allowed: sagemaker:DescribeEndpoint", 403)
    account = Account(raises={"describe_endpoint": [denied]})

    with pytest.raises(InconclusiveError, match=r"not allowed.*goes on in SageMaker"):
        swap(account)


def test_deleted_live_config_is_refused_before_any_call() -> None:
    account = Account()
    del account.instance_types[BLUE]

    with pytest.raises(RefusedError, match=f"{BLUE}, which was deleted"):
        swap(account)

    assert account.called("update_endpoint") == []


def test_target_config_that_becomes_visible_late_is_waited_for() -> None:
    account = Account()
    types = account.instance_types.pop(GREEN)

    class ShowsLate(ManualClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.sleeps) == 3:
                account.instance_types[GREEN] = types

    assert swap(account, clock=ShowsLate()).live_endpoint_config_name == GREEN


def test_target_config_that_never_shows_is_refused() -> None:
    clock = ManualClock()

    with pytest.raises(RefusedError, match="endpoint config nowhere does not exist"):
        swap(Account(), target="nowhere", clock=clock)

    assert clock.seconds - 1000.0 == pytest.approx(INVISIBLE_CONFIG_LIMIT_SECONDS, abs=10)


def test_refused_update_says_what_sagemaker_said_and_what_to_do() -> None:
    quota = client_error("ResourceLimitExceeded", "limit 'ml.m5.large for endpoint usage' is 2")
    account = Account(raises={"update_endpoint": [quota]})

    with pytest.raises(RefusedError, match=r"(?s)endpoint usage' is 2.*raise the quota"):
        swap(account)


def test_alarm_left_firing_by_the_last_swap_is_waited_for() -> None:
    account = Account(alarm_states={ALARM_NAME: "ALARM"})

    class Settles(ManualClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.sleeps) == 5:
                account.alarm_states[ALARM_NAME] = "OK"

    clock = Settles()
    result = swap(account, clock=clock)

    assert result.live_endpoint_config_name == GREEN


def test_alarm_that_goes_on_firing_refuses_the_swap_before_any_call() -> None:
    clock = ManualClock()
    account = Account(alarm_states={ALARM_NAME: "ALARM"})

    with pytest.raises(RefusedError, match=f"{ALARM_NAME} has been in ALARM"):
        swap(account, clock=clock)

    assert account.called("update_endpoint") == []
    assert clock.seconds - 1000.0 == pytest.approx(FIRING_ALARM_LIMIT_SECONDS, abs=10)


def settle(account: Account, clock: ManualClock, limit_seconds: int = 600) -> None:
    lines: list[str] = []
    wait_until_settled(
        SwapCloud(account.clients(), ENDPOINT_NAME),
        clock=clock,
        tell=lines.append,
        poll_interval_seconds=5,
        limit_seconds=limit_seconds,
    )


def test_deletion_waits_for_an_update_under_way() -> None:
    account = Account(looks_per_update=4)
    account.begin_update(GREEN)
    clock = ManualClock()

    settle(account, clock)

    assert account.status == "InService"
    assert clock.sleeps == [5, 5, 5, 5]


def test_deletion_of_an_endpoint_that_is_gone_waits_for_nothing() -> None:
    clock = ManualClock()

    settle(Account(is_gone=True), clock)

    assert clock.sleeps == []


def test_deletion_gives_up_on_an_update_that_never_ends() -> None:
    account = Account(outcome="hang")
    account.begin_update(GREEN)

    with pytest.raises(InconclusiveError, match="still Updating after 600 seconds"):
        settle(account, ManualClock())
