import json

from components.swap_scaling import SwapScaling
from tests.support.swap_substitute import ENDPOINT_NAME, RESOURCE_ID, Account, autoscaled


def scaling_of(account: Account) -> SwapScaling:
    return SwapScaling(account.clients(), ENDPOINT_NAME)


def test_scaled_variants_are_those_with_a_registered_target() -> None:
    assert scaling_of(autoscaled(Account())).scaled_variants(["AllTraffic", "Other"]) == {
        "AllTraffic"
    }
    assert scaling_of(Account()).scaled_variants(["AllTraffic"]) == frozenset()


def test_no_variants_ask_nothing() -> None:
    account = Account()

    assert scaling_of(account).scaled_variants([]) == frozenset()
    assert account.calls == []


def test_targets_are_written_down_before_they_are_deregistered() -> None:
    account = autoscaled(Account())

    scaling_of(account).set_aside(["AllTraffic"])

    operations = [name for name, _ in account.calls]
    assert operations.index("put_parameter") < operations.index("deregister_scalable_target")
    (saved,) = json.loads(account.stored[scaling_of(account).parameter_name])
    assert saved["ResourceId"] == RESOURCE_ID
    assert (saved["MinCapacity"], saved["MaxCapacity"]) == (2, 5)
    assert [policy["PolicyName"] for policy in saved["Policies"]] == ["invocations"]
    assert "PolicyARN" not in saved["Policies"][0]
    assert [action["ScheduledActionName"] for action in saved["ScheduledActions"]] == ["night"]
    assert account.targets == {}


def test_what_was_set_aside_before_is_kept() -> None:
    account = autoscaled(Account())
    scaling = scaling_of(account)
    earlier = {"ResourceId": f"endpoint/{ENDPOINT_NAME}/variant/Other", "MinCapacity": 1}
    account.stored[scaling.parameter_name] = json.dumps([earlier])

    scaling.set_aside(["AllTraffic"])

    saved = json.loads(account.stored[scaling.parameter_name])
    assert [target["ResourceId"] for target in saved] == [earlier["ResourceId"], RESOURCE_ID]


def test_set_aside_and_put_back_leave_everything_as_it_was() -> None:
    account = autoscaled(Account())
    scaling = scaling_of(account)
    before = dict(account.targets[RESOURCE_ID])

    scaling.set_aside(["AllTraffic"])
    restored = scaling.put_back(["AllTraffic"])

    assert restored == ("AllTraffic",)
    after = account.targets[RESOURCE_ID]
    assert {key: after[key] for key in ("MinCapacity", "MaxCapacity", "SuspendedState")} == {
        key: before[key] for key in ("MinCapacity", "MaxCapacity", "SuspendedState")
    }
    assert not scaling.has_set_aside()


def test_nothing_set_aside_is_nothing_to_put_back() -> None:
    account = Account()

    assert scaling_of(account).put_back(["AllTraffic"]) == ()
    assert account.called("register_scalable_target") == []


def test_forgetting_twice_is_fine() -> None:
    scaling = scaling_of(Account())

    scaling.forget()
    scaling.forget()

    assert not scaling.has_set_aside()
