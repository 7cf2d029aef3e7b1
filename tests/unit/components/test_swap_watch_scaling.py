"""A swap of an autoscaled endpoint: what is kept, set aside and put back, also after a crash."""

import pytest

from components.swap_plan import RefusedError, RolledBackError, SwapError
from tests.support.swap_run import swap
from tests.support.swap_substitute import (
    GREEN,
    RESOURCE_ID,
    Account,
    Stopped,
    autoscaled,
    client_error,
)


def test_live_count_is_retained_when_the_variant_is_autoscaled() -> None:
    account = autoscaled(Account())

    swap(account, is_autoscaled=True)

    (request,) = account.called("update_endpoint")
    assert request["RetainAllVariantProperties"] is True
    assert request["ExcludeRetainedVariantProperties"] == [{"VariantPropertyType": "DesiredWeight"}]
    assert account.called("deregister_scalable_target") == []


def test_declared_count_applies_when_autoscaling_is_not_declared_any_more() -> None:
    account = autoscaled(Account())

    swap(account, is_autoscaled=False)

    (request,) = account.called("update_endpoint")
    assert "RetainAllVariantProperties" not in request


def with_new_instance_type(account: Account) -> Account:
    account.instance_types[GREEN] = {"AllTraffic": "ml.c5.xlarge"}
    return account


def assert_autoscaling_is_back(account: Account) -> None:
    target = account.targets[RESOURCE_ID]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 5)
    assert [policy["PolicyName"] for policy in account.policies[RESOURCE_ID]] == ["invocations"]
    assert [action["ScheduledActionName"] for action in account.actions[RESOURCE_ID]] == ["night"]
    assert account.stored == {}


def test_new_instance_type_under_autoscaling_takes_one_swap() -> None:
    account = with_new_instance_type(autoscaled(Account()))

    result = swap(account, is_autoscaled=True)

    assert result.live_endpoint_config_name == GREEN
    assert account.called("update_endpoint")[0]["RetainAllVariantProperties"] is True
    assert_autoscaling_is_back(account)


def test_autoscaling_is_back_after_a_rollback() -> None:
    account = with_new_instance_type(autoscaled(Account(outcome="roll_back")))

    with pytest.raises(RolledBackError):
        swap(account, is_autoscaled=True)

    assert_autoscaling_is_back(account)


def test_autoscaling_is_back_after_a_refused_update() -> None:
    refused = client_error("ValidationException", "no such thing")
    account = with_new_instance_type(autoscaled(Account(raises={"update_endpoint": [refused]})))

    with pytest.raises(RefusedError):
        swap(account, is_autoscaled=True)

    assert_autoscaling_is_back(account)


@pytest.mark.parametrize(
    "operation",
    [
        "put_parameter",
        "deregister_scalable_target",
        "update_endpoint",
        "describe_alarms",
        "register_scalable_target",
        "put_scaling_policy",
    ],
)
def test_run_after_a_crash_brings_autoscaling_back(operation: str) -> None:
    account = with_new_instance_type(autoscaled(Account(stops_after=operation)))
    with pytest.raises(Stopped):
        swap(account, is_autoscaled=True)

    account.stops_after = None
    result = swap(account, is_autoscaled=True)

    assert result.live_endpoint_config_name == GREEN
    assert_autoscaling_is_back(account)
    assert len(account.called("update_endpoint")) == 1


def test_autoscaling_of_a_removed_variant_is_not_brought_back() -> None:
    account = autoscaled(Account())
    account.instance_types[GREEN] = {"Renamed": "ml.m5.large"}

    swap(account, is_autoscaled=True)

    assert account.targets == {}
    assert account.stored == {}


def test_inconclusive_swap_keeps_what_was_set_aside_for_the_next_run() -> None:
    account = with_new_instance_type(autoscaled(Account(outcome="hang")))
    with pytest.raises(SwapError):
        swap(account, is_autoscaled=True)
    assert account.stored != {}

    account.outcome = "promote"
    swap(account, is_autoscaled=True)

    assert_autoscaling_is_back(account)
