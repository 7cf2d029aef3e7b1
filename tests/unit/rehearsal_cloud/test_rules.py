"""Cross-field rules of models, configs and deployments."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.hosting import rules
from rehearsal.cloud.hosting.rollout import Policy

VARIANT = {
    "VariantName": "v",
    "ModelName": "m",
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 1,
}


def routing(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 60, **more}
        }
    }


SIZE = {"Type": "INSTANCE_COUNT", "Value": 1}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (routing("CANARY"), "must specify CanarySize"),
        (routing("LINEAR"), "must specify LinearStepSize"),
        (routing("ALL_AT_ONCE", CanarySize=SIZE), "must not specify CanarySize"),
        (routing("CANARY", CanarySize=SIZE, LinearStepSize=SIZE), "must not specify Linear"),
    ],
)
@pytest.mark.assumed("the service's texts for a routing without its size are not known")
def test_a_routing_type_wants_its_own_size(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ApiError, match=words):
        rules.check_deployment_config(config)


@pytest.mark.source("botocore MaximumExecutionTimeoutInSeconds: above the total of waits")
def test_a_timeout_below_the_waits_is_refused() -> None:
    config = routing("ALL_AT_ONCE")
    config["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    config["BlueGreenUpdatePolicy"]["TerminationWaitInSeconds"] = 540

    with pytest.raises(ApiError, match="600 must be above the waits of 600 seconds"):
        rules.check_deployment_config(config)


@pytest.mark.source("botocore CanarySize, LinearStepSize, MaximumBatchSize: percent bounds")
@pytest.mark.parametrize(
    ("mode", "value", "count", "is_good"),
    [
        ("CANARY", 1, 2, True),
        ("CANARY", 2, 3, False),
        ("CANARY", 1, 1, False),
        ("LINEAR", 1, 10, True),
        ("LINEAR", 1, 11, False),
        ("ROLLING", 1, 20, True),
        ("ROLLING", 1, 21, False),
        ("ALL_AT_ONCE", 1, 1, True),
    ],
)
def test_a_size_is_a_bounded_part_of_the_new_fleet(
    mode: str, value: int, count: int, is_good: bool
) -> None:
    size = {"Type": "INSTANCE_COUNT", "Value": value}
    policy = Policy(mode=mode, first_size=size, batch_size=size)

    if is_good:
        rules.check_rollout(policy, before={"v": 1}, after={"v": count})
        return
    with pytest.raises(ApiError, match="is not between"):
        rules.check_rollout(policy, before={"v": 1}, after={"v": count})


@pytest.mark.source("DG deployment-guardrails-exclusions: rolling, one variant")
def test_rolling_takes_one_variant_only() -> None:
    policy = Policy(mode="ROLLING", batch_size=SIZE)

    with pytest.raises(ApiError, match="one production variant only"):
        rules.check_rollout(policy, before={"a": 2, "b": 2}, after={"a": 2, "b": 2})


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({**VARIANT, "ServerlessConfig": {}}, "has ServerlessConfig, so InstanceType"),
        ({**VARIANT, "ManagedInstanceScaling": {}}, "only supported for inference component"),
    ],
)
def test_a_variant_that_contradicts_itself_is_refused(members: dict[str, Any], words: str) -> None:
    with pytest.raises(ApiError, match=words):
        rules.check_config({"ProductionVariants": [members]})


@pytest.mark.source("botocore ContainerDefinition Environment: 32 KB in all")
def test_too_much_environment_is_refused() -> None:
    container = {"Environment": {f"K{index}": "x" * 1_000 for index in range(40)}}

    with pytest.raises(ApiError, match="above the limit of 32768 bytes"):
        rules.check_model({"PrimaryContainer": container})


@pytest.mark.parametrize("member", sorted(rules.UNREHEARSED_CONFIG))
def test_what_is_not_rehearsed_is_named_when_it_is_to_run(member: str) -> None:
    config = {"ProductionVariants": [VARIANT], member: {"x": 1}}

    with pytest.raises(ApiError, match=f"leave {member} out"):
        rules.check_rehearsed(config)


def test_a_routing_that_is_not_rehearsed_is_refused_when_it_is_to_run() -> None:
    variant = {**VARIANT, "RoutingConfig": {"RoutingStrategy": "RANDOM"}}

    with pytest.raises(ApiError, match="use LEAST_OUTSTANDING_REQUESTS"):
        rules.check_rehearsed({"ProductionVariants": [variant]})


def test_a_rolling_rollback_by_batches_is_refused() -> None:
    size = {"Type": "INSTANCE_COUNT", "Value": 1}
    policy = {"MaximumBatchSize": size, "WaitIntervalInSeconds": 60}

    with pytest.raises(ApiError, match="leave RollbackMaximumBatchSize out"):
        rules.check_deployment_config(
            {"RollingUpdatePolicy": {**policy, "RollbackMaximumBatchSize": size}}
        )


@pytest.mark.source("DG shadow-tests: one production and one shadow variant")
def test_shadows_need_one_variant_each() -> None:
    shadows = [VARIANT, {**VARIANT, "VariantName": "w"}]

    with pytest.raises(ApiError, match="exactly one production variant and one shadow"):
        rules.check_config({"ProductionVariants": [VARIANT], "ShadowProductionVariants": shadows})
