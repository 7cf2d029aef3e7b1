"""The deployment engine over a manual clock and a world that does as it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.hosting.deployment import polled
from rehearsal.cloud.hosting.rollout import Bake, Policy
from rehearsal.cloud.hosting.state import PlannedRollback, Status
from tests.support.endpoint_world import NAME, SIZE, World

CANARY = Policy(
    mode="CANARY",
    first_size=SIZE,
    bake_seconds=120,
    termination_wait_seconds=30,
    alarm_names=("errors",),
)


def test_a_create_ends_in_service_on_the_new_fleet() -> None:
    world = World(live=None)

    world.create(2)
    assert world.endpoint.status is Status.CREATING
    endpoint = world.look()

    assert endpoint.status is Status.IN_SERVICE
    assert endpoint.live is not None
    assert endpoint.live.fleet_id == "green"
    assert endpoint.pending is None


@pytest.mark.source("DG deploy-model-troubleshoot; CreateEndpoint, FailureReason")
def test_a_create_that_cannot_launch_ends_failed_and_says_why() -> None:
    world = World(live=None)
    world.failures["green"] = "no ping"

    world.create(1)
    endpoint = world.look()

    assert endpoint.status is Status.FAILED
    assert endpoint.failure_reason == "no ping"
    assert endpoint.live is None


@pytest.mark.source("botocore UpdateEndpoint, EndpointStatus Updating")
def test_an_update_says_updating_and_names_the_old_config_until_it_is_done() -> None:
    world = World()
    world.stuck.add("green")

    world.update(2, CANARY)
    endpoint = world.look()

    assert endpoint.status is Status.UPDATING
    assert endpoint.config_name == "config-blue"
    assert endpoint.green_shares == {NAME: 0.0}


@pytest.mark.source("DG deployment-guardrails-blue-green-canary, sequence")
def test_a_canary_bakes_on_its_share_and_is_promoted() -> None:
    world = World()
    config = {"marker": True}

    world.update(2, CANARY, config)
    baking = world.look()
    world.look(119)
    still = world.endpoint
    final = world.look(1)
    done = world.look(30)

    assert baking.deployment is not None
    assert isinstance(baking.deployment.step, Bake)
    assert baking.green_shares == {NAME: 0.5}
    assert still.green_shares == {NAME: 0.5}
    assert final.green_shares == {NAME: 1.0}
    assert done.status is Status.IN_SERVICE
    assert done.config_name == "config-green"
    assert done.last_deployment_config == config
    assert done.failure_reason is None


@pytest.mark.source("DG deployment-guardrails-configuration, alarms")
@pytest.mark.parametrize("passed", [10, 120 + 10])
def test_green_fleet_is_removed_when_an_alarm_trips_during_a_bake(passed: float) -> None:
    world = World()

    world.update(2, CANARY)
    world.look()
    if passed > 120:
        world.look(120)
    world.alarms = frozenset({"errors", "someone else's"})
    endpoint = world.look(10)

    assert endpoint.status is Status.IN_SERVICE
    assert endpoint.config_name == "config-blue"
    assert endpoint.pending is None
    assert endpoint.failure_reason is not None
    assert "errors" in endpoint.failure_reason
    assert "someone" not in endpoint.failure_reason


@pytest.mark.assumed("an alarm in ALARM at the start is found by the first bake's look")
def test_an_alarm_already_in_alarm_trips_at_the_first_bake() -> None:
    world = World()
    world.alarms = frozenset({"errors"})

    world.update(2, CANARY)
    endpoint = world.look()

    assert endpoint.status is Status.IN_SERVICE
    assert endpoint.config_name == "config-blue"


def test_alarms_of_nobody_do_not_stop_a_deployment() -> None:
    world = World()
    world.alarms = frozenset({"unlisted"})

    world.update(2, CANARY)
    world.look(0)
    world.look(120)
    endpoint = world.look(30)

    assert endpoint.config_name == "config-green"


@pytest.mark.source("ACK e2e test_endpoint; DG deployment-guardrails-blue-green, failed health")
def test_a_failed_health_check_returns_to_the_old_fleet() -> None:
    world = World()
    world.failures["green"] = "no ping"

    world.update(2, CANARY)
    endpoint = world.look()

    assert (endpoint.status, endpoint.config_name) == (Status.IN_SERVICE, "config-blue")
    assert endpoint.failure_reason == "no ping"
    assert endpoint.live is not None
    assert endpoint.live.target_counts == {NAME: 2}


@pytest.mark.source("botocore MaximumExecutionTimeoutInSeconds")
def test_a_deployment_that_takes_too_long_rolls_back() -> None:
    world = World()
    world.stuck.add("green")

    world.update(2, replace(CANARY, maximum_execution_timeout_seconds=600))
    world.look(600)
    waiting = world.endpoint
    world.stuck.clear()
    world.clock.advance(0)
    endpoint = world.look(0)

    assert waiting.status is Status.UPDATING
    assert endpoint.status is Status.UPDATING
    endpoint = world.look(1)
    assert endpoint.failure_reason is not None
    assert "600" in endpoint.failure_reason


def test_the_next_update_clears_the_failure_reason() -> None:
    world = World()
    world.failures["green"] = "no ping"
    world.update(2, CANARY)
    world.look()

    world.failures.clear()
    world.update(2, Policy(mode="ALL_AT_ONCE"))

    assert world.endpoint.failure_reason is None
    assert world.look().config_name == "config-green"


@pytest.mark.source("DG deployment-guardrails-rolling; EndpointStatus UpdateRollbackFailed")
def test_a_rolling_update_whose_rollback_cannot_launch_stays_mixed() -> None:
    world = World()
    policy = Policy(mode="ROLLING", batch_size=SIZE, bake_seconds=60, alarm_names=("errors",))

    world.update(2, policy)
    world.look()
    world.look(60)
    world.alarms = frozenset({"errors"})
    world.failures["blue"] = "no capacity"
    endpoint = world.look()

    assert endpoint.status is Status.UPDATE_ROLLBACK_FAILED
    assert endpoint.pending is not None


@pytest.mark.source("botocore UpdateEndpointWeightsAndCapacities")
def test_a_scale_sets_count_and_weight_and_comes_back_in_service() -> None:
    world = World()

    world.scale(5)
    assert world.endpoint.status is Status.UPDATING
    endpoint = world.look()

    assert endpoint.status is Status.IN_SERVICE
    assert endpoint.live is not None
    assert endpoint.live.target_counts == {NAME: 5}
    assert endpoint.live.variants[0].current_weight == 3.0


@pytest.mark.source("botocore EndpointStatus RollingBack")
def test_a_scale_that_fails_is_rolling_back_and_keeps_the_old_count() -> None:
    world = World()
    world.failures["blue"] = "no capacity"

    world.scale(5)
    endpoint = world.look()
    rolling_back = next(seen for seen in world.seen if seen.status is Status.ROLLING_BACK)

    assert rolling_back.live is not None
    assert rolling_back.live.desired_counts == {NAME: 2}
    assert endpoint.status is Status.IN_SERVICE
    assert endpoint.failure_reason == "no capacity"
    assert endpoint.live is not None
    assert endpoint.live.target_counts == {NAME: 2}


def test_a_delete_ends_absent() -> None:
    world = World()

    world.delete()
    assert world.endpoint.status is Status.DELETING

    assert world.look().status is Status.ABSENT


@pytest.mark.source("provider PR 49020: an update that comes back may show RollingBack, or not")
@pytest.mark.parametrize("polls", [0, 1, 3])
def test_an_update_can_come_back_in_silence_and_show_rolling_back_to_so_many_polls(
    polls: int,
) -> None:
    world = World()
    world.stuck.add("green")

    world.update(2, CANARY, rollback=PlannedRollback(rolling_back_polls=polls))
    launching = world.look()
    world.stuck.clear()
    world.look()
    shown = 0
    while world.endpoint.status is Status.ROLLING_BACK:
        world.endpoint = polled(world.endpoint)
        shown += 1
        world.look()
    endpoint = world.endpoint

    assert launching.status is Status.UPDATING
    assert shown == polls
    assert (endpoint.status, endpoint.config_name) == (Status.IN_SERVICE, "config-blue")
    assert endpoint.failure_reason is None
    assert all(seen.green_shares in ({}, {NAME: 0.0}) for seen in world.seen)


def test_a_planned_rollback_may_leave_a_reason() -> None:
    world = World()

    world.update(2, CANARY, rollback=PlannedRollback(failure_reason="on purpose"))

    assert world.look().failure_reason == "on purpose"


def test_a_look_at_any_other_endpoint_changes_nothing() -> None:
    endpoint = World().endpoint

    assert polled(endpoint) is endpoint


@pytest.mark.source("botocore EndpointStatus SystemUpdating: no change a customer sees")
def test_a_patch_shows_system_updating_and_changes_nothing_else() -> None:
    world = World()
    before = world.endpoint

    world.patch(600)
    world.look()
    during = world.look(599)
    after = world.look(1)

    assert during.status is Status.SYSTEM_UPDATING
    assert after == before


def test_fewer_provisioned_processes_do_not_wait_for_busy_ones() -> None:
    world = World()
    live = world.endpoint.live
    assert live is not None
    sizes = {"MaxConcurrency": 4, "ProvisionedConcurrency": 2}
    variant = replace(live.variants[0], desired_serverless=sizes, current_serverless=sizes)
    world.endpoint = replace(world.endpoint, live=replace(live, variants=(variant,)))

    world.scale(1)
    world.busy = 2
    endpoint = world.look()

    assert endpoint.status is Status.IN_SERVICE


def test_a_role_that_cannot_be_assumed_fails_before_anything_is_launched() -> None:
    world = World(live=None)
    world.create(1)
    assert world.endpoint.pending is not None
    refused = replace(world.endpoint.pending, refusal="Could not assume role")
    world.endpoint = replace(world.endpoint, pending=refused)

    endpoint = world.look()

    assert endpoint.status is Status.FAILED
    assert endpoint.failure_reason == "Could not assume role"


@given(
    mode=st.sampled_from(["ALL_AT_ONCE", "CANARY", "LINEAR", "ROLLING"]),
    blue=st.integers(2, 6),
    green=st.integers(2, 6),
    events=st.lists(st.sampled_from(["wait", "alarm", "calm", "fail", "heal"]), max_size=12),
)
def test_whatever_happens_an_update_settles_with_capacity_to_serve(
    mode: str, blue: int, green: int, events: list[str]
) -> None:
    world = World(live=blue)
    policy = replace(CANARY, mode=mode, batch_size=SIZE)

    world.update(green, policy)
    for event in [*events, "calm", "heal", *["wait"] * 20]:
        if event == "alarm":
            world.alarms = frozenset({"errors"})
        elif event == "calm":
            world.alarms = frozenset()
        elif event == "fail":
            world.failures["green"] = "no ping"
        elif event == "heal":
            world.failures.clear()
        endpoint = world.look(120 if event == "wait" else 1)
        for share in endpoint.green_shares.values():
            assert 0.0 <= share <= 1.0
        total = sum(
            sum(fleet.target_counts.values())
            for fleet in (endpoint.live, endpoint.pending)
            if fleet is not None
        )
        assert total >= min(blue, green)

    assert world.endpoint.status is Status.IN_SERVICE
    assert world.endpoint.config_name in ("config-blue", "config-green")
    rolled_back = world.endpoint.failure_reason is not None
    assert rolled_back == (world.endpoint.config_name == "config-blue")
