"""What a deployment came to is read from the stories the swap itself tells."""

from __future__ import annotations

from typing import Any

import pytest

from automation.deployment import Deployment, deployment_from, failed_swap, watched_verdict
from automation.endpoint import EndpointState, state_from
from automation.errors import SwapRolledBackError, UpdateFailedError
from automation.stack_settings import StackTarget
from components.swap_plan import (
    AlarmView,
    EndpointView,
    Verdict,
    broken_story,
    deadline_story,
    refusal_story,
    rollback_story,
)

VIEW = EndpointView(
    status="InService",
    endpoint_config_name="config-1",
    pending_config_name=None,
    failure_reason="alarms fired",
    last_modified=0.0,
    stages=(),
)
TARGET = StackTarget(model="wine", stage="dev", name="dev-wine", base="dev")
ALARM = AlarmView(name="errors", state="ALARM", reason="3 over 0")


def a_deployment(**changes: Any) -> Deployment:
    values: dict[str, Any] = {
        "model": "wine", "stage": "dev", "stack": "dev-wine", "verdict": Verdict.PROMOTED,
        "reason": None, "endpoint_name": "wine-dev", "endpoint_config_name": "config-2",
        "rejected_endpoint_config_name": None, "artifact_digest": "0" * 64,
    }  # fmt: skip
    return Deployment(**(values | changes))


def an_endpoint(status: str = "InService", config: str = "config-1", **more: Any) -> EndpointState:
    description = {"EndpointStatus": status, "EndpointConfigName": config, "LastModifiedTime": 0.0}
    return state_from("wine-dev", description | more)


def test_a_rollback_is_found_with_its_whole_story() -> None:
    story = rollback_story("wine-dev", "config-2", VIEW, [ALARM])
    errors = ["1 error occurred", f"components.swap_plan.RolledBackError: {story}\nupdate failed"]

    found = failed_swap(errors)

    assert found is not None
    assert found.verdict is Verdict.ROLLED_BACK
    assert found.endpoint_name == "wine-dev"
    assert found.target_config_name == "config-2"
    assert found.live_config_name == "config-1"
    assert found.reason == story


@pytest.mark.parametrize(
    "story",
    [
        deadline_story("wine-dev", "config-2", 60, VIEW),
        broken_story("wine-dev", "config-2", VIEW),
        "swap of endpoint wine-dev is inconclusive: AWS has given no answer for 300 seconds",
    ],
)
def test_a_swap_nobody_can_judge_is_inconclusive(story: str) -> None:
    found = failed_swap([story])

    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == story


@pytest.mark.parametrize("text", ["bucket exists already", refusal_story("wine-dev", VIEW)])
def test_a_failure_elsewhere_is_no_failed_swap(text: str) -> None:
    assert failed_swap([text]) is None


def test_only_a_promoted_deployment_is_good() -> None:
    a_deployment().require_promoted()
    a_deployment(verdict=None).require_promoted()
    with pytest.raises(SwapRolledBackError, match="alarms fired"):
        a_deployment(verdict=Verdict.ROLLED_BACK, reason="alarms fired").require_promoted()
    with pytest.raises(UpdateFailedError, match="deadline"):
        a_deployment(verdict=Verdict.INCONCLUSIVE, reason="deadline").require_promoted()


def test_a_watched_swap_that_ends_on_its_target_is_promoted() -> None:
    assert watched_verdict("config-2", an_endpoint(config="config-2")).verdict is Verdict.PROMOTED


def test_a_watched_swap_that_ends_elsewhere_is_rolled_back_with_the_reason() -> None:
    result = watched_verdict("config-2", an_endpoint(FailureReason="alarms fired"))

    assert result.verdict is Verdict.ROLLED_BACK
    assert result.reason == "config-2 was rolled back, config-1 is live: alarms fired"


def test_a_watch_that_stops_early_says_so() -> None:
    assert watched_verdict("config-2", an_endpoint("Updating")).verdict is Verdict.INCONCLUSIVE


def test_a_watch_without_a_swap_has_no_verdict() -> None:
    assert watched_verdict(None, an_endpoint()).verdict is None


def test_a_good_update_is_read_from_the_stacks_outputs() -> None:
    outputs = {
        "swapVerdict": "promoted", "endpointName": "wine-dev", "endpointConfigName": "config-2",
    }  # fmt: skip

    deployment = deployment_from(TARGET, "0" * 64, outputs, None)

    assert deployment == a_deployment()


def test_the_plain_endpoint_resource_gives_no_verdict() -> None:
    outputs = {"swapVerdict": "unverified", "endpointName": "wine-dev"}

    assert deployment_from(TARGET, "0" * 64, outputs, None).verdict is None


def test_a_failed_swap_says_what_is_live_and_what_was_rejected() -> None:
    failure = failed_swap([rollback_story("wine-dev", "config-2", VIEW, [])])

    deployment = deployment_from(TARGET, "0" * 64, {}, failure)

    assert deployment.verdict is Verdict.ROLLED_BACK
    assert deployment.endpoint_config_name == "config-1"
    assert deployment.rejected_endpoint_config_name == "config-2"
