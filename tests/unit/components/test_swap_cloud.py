from typing import Any

import pytest
from botocore.exceptions import ClientError

from components.swap_cloud import (
    CloudUnreachableError,
    ConfigNotVisibleError,
    EndpointBusyError,
    SwapCloud,
    answer,
)
from components.swap_plan import RefusedError
from tests.support.swap_substitute import (
    BLUE,
    ENDPOINT_NAME,
    GREEN,
    Account,
    client_error,
    no_connection,
)


def failing(error: Exception) -> Any:
    def operation(**_parameters: Any) -> None:
        raise error

    return operation


@pytest.mark.parametrize(
    "error",
    [
        client_error("ThrottlingException", "slow down"),
        client_error("TooManyRequestsException", "slow down", 429),
        client_error("Whatever", "broken", 500),
        client_error("ServiceUnavailable", "later", 503),
        no_connection(),
    ],
)
def test_throttles_server_errors_and_lost_connections_are_worth_asking_again(
    error: Exception,
) -> None:
    with pytest.raises(CloudUnreachableError):
        answer(failing(error))


def test_refusal_is_passed_on() -> None:
    with pytest.raises(ClientError, match="not allowed"):
        answer(failing(client_error("AccessDeniedException", "not allowed", 403)))


def cloud_of(account: Account) -> SwapCloud:
    return SwapCloud(account.clients(), ENDPOINT_NAME)


def test_endpoint_that_does_not_exist_is_nothing() -> None:
    assert cloud_of(Account(is_gone=True)).look() is None


def test_config_that_does_not_exist_is_told_apart() -> None:
    with pytest.raises(ConfigNotVisibleError):
        cloud_of(Account()).variants("nowhere")


def test_variants_of_a_config_have_name_and_type() -> None:
    (variant,) = cloud_of(Account()).variants(BLUE)

    assert (variant.name, variant.instance_type) == ("AllTraffic", "ml.m5.large")


def test_busy_endpoint_is_told_apart() -> None:
    account = Account()
    account.begin_update(None)

    with pytest.raises(EndpointBusyError):
        cloud_of(account).update(GREEN, {}, retains_count=False)


def test_missing_live_config_is_refused_with_the_way_out() -> None:
    account = Account()
    del account.instance_types[BLUE]

    with pytest.raises(RefusedError, match="create one of that name again"):
        cloud_of(account).update(GREEN, {}, retains_count=False)


def test_alarms_that_do_not_exist_are_left_out() -> None:
    account = Account(alarm_states={"errors": "ALARM"})

    (alarm,) = cloud_of(account).alarms(["errors", "nowhere"])

    assert (alarm.name, alarm.state) == ("errors", "ALARM")


def test_no_alarms_ask_nothing() -> None:
    account = Account()

    assert cloud_of(account).alarms([]) == ()
    assert account.calls == []


def test_without_owner_tags_no_endpoint_is_looked_for() -> None:
    account = Account(others={f"{ENDPOINT_NAME[:-7]}7777777": {}})

    assert cloud_of(account).delete_failed_endpoints({}) == ()
    assert account.calls == []
