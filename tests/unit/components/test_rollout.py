from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from components.rollout import (
    CapacitySize,
    CapacityUnit,
    DeploymentSettings,
    RolloutMode,
    deployment_config,
    deployment_problems,
    shift_step_count,
    swap_deadline_seconds,
    waiting_seconds,
)


def percent(value: int) -> CapacitySize:
    return CapacitySize(unit=CapacityUnit.CAPACITY_PERCENT, value=value)


def instances(value: int) -> CapacitySize:
    return CapacitySize(unit=CapacityUnit.INSTANCE_COUNT, value=value)


def a_canary(**changes: Any) -> DeploymentSettings:
    values: dict[str, Any] = {
        "mode": RolloutMode.CANARY,
        "canary_size": instances(1),
        "bake_seconds": 120,
        "termination_wait_seconds": 30,
    }
    return DeploymentSettings(**(values | changes))


@cache
def botocore_shape() -> Any:
    return boto3.client("sagemaker").meta.service_model.shape_for("DeploymentConfig")


SIZES = st.one_of(st.builds(percent, st.integers(1, 120)), st.builds(instances, st.integers(1, 12)))


@st.composite
def deployments(draw: st.DrawFn) -> DeploymentSettings:
    mode = draw(st.sampled_from(RolloutMode))
    size = draw(SIZES)
    return DeploymentSettings(
        mode=mode,
        canary_size=size if mode is RolloutMode.CANARY else None,
        linear_step_size=size if mode is RolloutMode.LINEAR else None,
        maximum_batch_size=size if mode is RolloutMode.ROLLING else None,
        bake_seconds=draw(st.integers(0, 3600)),
        termination_wait_seconds=draw(st.integers(0, 3600)),
        maximum_execution_timeout_seconds=draw(st.none() | st.integers(600, 28800)),
    )


def test_canary_becomes_the_deployment_config_of_update_endpoint() -> None:
    config = deployment_config(
        a_canary(maximum_execution_timeout_seconds=1800), ["errors", "latency"]
    )

    assert config == {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "WaitIntervalInSeconds": 120,
                "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
            },
            "TerminationWaitInSeconds": 30,
            "MaximumExecutionTimeoutInSeconds": 1800,
        },
        "AutoRollbackConfiguration": {
            "Alarms": [{"AlarmName": "errors"}, {"AlarmName": "latency"}]
        },
    }


def test_rolling_has_a_policy_of_its_own_and_no_alarms_when_none_are_given() -> None:
    deployment = DeploymentSettings(
        mode=RolloutMode.ROLLING, maximum_batch_size=percent(25), bake_seconds=60
    )

    assert deployment_config(deployment, []) == {
        "RollingUpdatePolicy": {
            "WaitIntervalInSeconds": 60,
            "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 25},
        }
    }


@given(deployments(), st.lists(st.sampled_from(["a", "b"]), unique=True))
def test_every_rollout_has_the_shape_botocore_knows(
    deployment: DeploymentSettings, alarms: list[str]
) -> None:
    report = ParamValidator().validate(deployment_config(deployment, alarms), botocore_shape())

    assert not report.has_errors(), ParamValidationError(report=report.generate_report())


@pytest.mark.parametrize(
    ("deployment", "instance_count", "message"),
    [
        (a_canary(canary_size=None), 2, "canarySize is missing; mode CANARY needs one"),
        (a_canary(), 1, "mode CANARY needs at least 2 instances, and the variant may have 1"),
        (a_canary(canary_size=instances(2)), 3, "canarySize 2 INSTANCE_COUNT is 66.6667 percent"),
        (
            a_canary(canary_size=percent(60)),
            4,
            "canarySize 60 CAPACITY_PERCENT is 60 percent of 4 instances; "
            "SageMaker allows at most half of the variant",
        ),
        (
            a_canary(linear_step_size=percent(20)),
            2,
            "linearStepSize only goes with mode LINEAR, and mode is CANARY",
        ),
        (
            DeploymentSettings(mode=RolloutMode.LINEAR, linear_step_size=percent(9)),
            4,
            "linearStepSize 9 CAPACITY_PERCENT is 9 percent of 4 instances; "
            "SageMaker allows 10 to 50 percent of the variant",
        ),
        (
            DeploymentSettings(mode=RolloutMode.ROLLING, maximum_batch_size=percent(4)),
            40,
            "maximumBatchSize 4 CAPACITY_PERCENT is 4 percent of 40 instances; "
            "SageMaker allows 5 to 50 percent of the variant",
        ),
        (
            DeploymentSettings(
                mode=RolloutMode.ROLLING,
                maximum_batch_size=percent(50),
                termination_wait_seconds=30,
            ),
            2,
            "terminationWaitSeconds 30 does not exist with mode ROLLING",
        ),
        (DeploymentSettings(bake_seconds=60), 2, "bakeSeconds 60 has no effect with mode ALL_AT"),
        (
            a_canary(bake_seconds=900, maximum_execution_timeout_seconds=600),
            2,
            "maximumExecutionTimeoutSeconds 600 is not above the 930 seconds",
        ),
    ],
)
def test_what_sagemaker_would_refuse_is_refused_first(
    deployment: DeploymentSettings, instance_count: int, message: str
) -> None:
    (problem,) = deployment_problems(deployment, instance_count)

    assert problem.startswith(message)


@pytest.mark.parametrize(
    ("deployment", "instance_count"),
    [
        (DeploymentSettings(), 1),
        (a_canary(), 2),
        (a_canary(canary_size=percent(50)), 2),
        (DeploymentSettings(mode=RolloutMode.LINEAR, linear_step_size=percent(10)), 10),
        (DeploymentSettings(mode=RolloutMode.ROLLING, maximum_batch_size=percent(5)), 20),
    ],
)
def test_rollouts_at_the_bounds_are_accepted(
    deployment: DeploymentSettings, instance_count: int
) -> None:
    assert deployment_problems(deployment, instance_count) == []


@pytest.mark.parametrize(
    ("deployment", "instance_count", "steps", "seconds"),
    [
        (DeploymentSettings(termination_wait_seconds=60), 2, 1, 60),
        (a_canary(), 2, 2, 150),
        (
            DeploymentSettings(
                mode=RolloutMode.LINEAR,
                linear_step_size=percent(30),
                bake_seconds=100,
                termination_wait_seconds=5,
            ),
            10,
            4,
            305,
        ),
        (
            DeploymentSettings(
                mode=RolloutMode.ROLLING, maximum_batch_size=instances(1), bake_seconds=100
            ),
            4,
            4,
            400,
        ),
    ],
)
def test_waits_of_a_rollout_add_up(
    deployment: DeploymentSettings, instance_count: int, steps: int, seconds: int
) -> None:
    assert shift_step_count(deployment, instance_count) == steps
    assert waiting_seconds(deployment, instance_count) == seconds


@given(deployments(), st.integers(1, 40))
def test_deadline_outlives_every_wait_and_the_timeout(
    deployment: DeploymentSettings, instance_count: int
) -> None:
    deadline = swap_deadline_seconds(deployment, instance_count)

    timeout = deployment.maximum_execution_timeout_seconds
    if timeout is not None:
        assert deadline > timeout
    else:
        assert deadline > waiting_seconds(deployment, instance_count)


@given(deployments(), st.integers(1, 40))
def test_accepted_portions_are_at_most_half_and_end_at_all(
    deployment: DeploymentSettings, instance_count: int
) -> None:
    if deployment_problems(deployment, instance_count):
        return

    steps = shift_step_count(deployment, instance_count)
    size = deployment.canary_size or deployment.linear_step_size or deployment.maximum_batch_size
    if size is None:
        assert steps == 1
    else:
        assert size.share_percent(instance_count) <= 50
        assert steps >= 2
        if deployment.mode is not RolloutMode.CANARY:
            assert (steps - 1) * size.share_percent(instance_count) < 100 + 1e-9
            assert steps * size.share_percent(instance_count) >= 100 - 1e-9
