"""Random commands on a live endpoint under traffic, compared with a model of what they do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cloud import ACCOUNT, REGION, CloudUser, Traffic, start_cloud, wait_for

NAME = "commanded"
IN_PROGRESS = (
    f'Cannot update in-progress endpoint "arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{NAME}".'
)
SPEED = 600.0
HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}
POLICIES: dict[str, dict[str, Any]] = {
    "none": {},
    "canary": {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "CanarySize": HALF,
                "WaitIntervalInSeconds": 60,
            }
        }
    },
    "linear": {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "LINEAR",
                "LinearStepSize": HALF,
                "WaitIntervalInSeconds": 60,
            },
            "TerminationWaitInSeconds": 60,
        }
    },
    "rolling": {
        "RollingUpdatePolicy": {"MaximumBatchSize": HALF, "WaitIntervalInSeconds": 60},
    },
}
# Instances by config; the server of `broken` exits at once, so an update to it comes back.
CONFIGS = {"two": 2, "three": 3, "broken": 2}

updates = st.tuples(
    st.just("update"), st.sampled_from(list(CONFIGS)), st.sampled_from(list(POLICIES))
)
scales = st.tuples(st.just("scale"), st.integers(1, 3), st.just(""))
waits = st.tuples(st.just("wait"), st.just(0), st.just(""))
commands = st.lists(st.one_of(updates, scales, waits, updates), min_size=4, max_size=7)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=SPEED)
    started.prepare()
    for config, count in CONFIGS.items():
        environment = {"TINY_EXIT": "1"} if config == "broken" else None
        started.make_config(config, instance_count=count, environment=environment)
    yield started
    started.cloud.stop()


class Model:
    """What the endpoint should be, told from the commands alone."""

    def __init__(self) -> None:
        self.config, self.count = "two", 2

    def accepted(self, command: str, value: Any) -> None:
        """Take a command on; the one before it has ended."""
        if command == "scale":
            self.count = value
        elif value != "broken":
            self.config, self.count = value, CONFIGS[value]


def send(user: CloudUser, command: str, value: Any, policy: str) -> None:
    if command == "scale":
        user.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=NAME,
            DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": value}],
        )
        return
    more = {"DeploymentConfig": POLICIES[policy]} if POLICIES[policy] else {}
    user.sagemaker.update_endpoint(EndpointName=NAME, EndpointConfigName=value, **more)


def is_expected_refusal(message: str, model: Model) -> bool:
    """Tell a refusal the model allows: another change runs, or a batch of too small a fleet."""
    return IN_PROGRESS in message or ("is not between" in message and model.count < 2)


@pytest.mark.source("DG deployment-guardrails: old fleet serves throughout; wrong-state errors")
@settings(max_examples=3)
@given(sequence=commands)
def test_whatever_is_commanded_no_request_is_lost_and_the_model_is_right(
    user: CloudUser, sequence: list[tuple[str, Any, str]]
) -> None:
    user.make_endpoint(NAME, "two")
    model = Model()

    with Traffic(user, NAME) as traffic:
        for command, value, policy in sequence:
            if command == "wait":
                user.wait(NAME)
                continue
            try:
                send(user, command, value, policy)
            except ClientError as err:
                assert is_expected_refusal(str(err), model), err  # noqa: PT017
            else:
                model.accepted(command, value)
        seen = user.wait(NAME)
        traffic.wait_for_next()

    assert traffic.errors == []
    assert set(traffic.names) <= {"two", "three"}
    assert seen["EndpointStatus"] == "InService"
    assert seen["EndpointConfigName"] == model.config
    (variant,) = seen["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == variant["DesiredInstanceCount"] == model.count
    assert traffic.names[-1] == model.config
    user.sagemaker.delete_endpoint(EndpointName=NAME)
    wait_for(lambda: NAME not in user.cloud.engine.endpoints, "the endpoint to go")
