"""Cross-field rules of deployments and of changes of capacity."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.hosting import deployment_rules
from rehearsal.cloud.hosting.rollout import Policy
from rehearsal.cloud.hosting.state import Endpoint, Fleet, Status, Variant

SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 4}


def a_variant(name: str, count: int, **more: Any) -> Variant:
    return Variant(
        name=name,
        desired_count=count,
        target_count=count,
        desired_weight=1.0,
        current_weight=1.0,
        **more,
    )


def a_fleet(**counts: int) -> Fleet:
    variants = tuple(a_variant(name, count) for name, count in counts.items())
    return Fleet(fleet_id="f", config_name="c", variants=variants)


def an_endpoint(live: Fleet) -> Endpoint:
    return Endpoint(
        name="e",
        arn="arn",
        status=Status.IN_SERVICE,
        config_name="c",
        creation_time=0.0,
        last_modified_time=0.0,
        live=live,
    )


def a_serverless_fleet() -> Fleet:
    variant = a_variant("v", 1, desired_serverless=SERVERLESS, current_serverless=SERVERLESS)
    return Fleet(fleet_id="f", config_name="c", variants=(variant,), kind="serverless")


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
        ({**routing("ALL_AT_ONCE"), "RollingUpdatePolicy": {}}, "Only one of BlueGreenUpdate"),
    ],
)
@pytest.mark.assumed("the service's texts for a routing without its size are not known")
def test_a_routing_type_wants_its_own_size(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ApiError, match=words):
        deployment_rules.check_deployment_config(config)


@pytest.mark.source("botocore MaximumExecutionTimeoutInSeconds: above the total of waits")
def test_a_timeout_below_the_waits_is_refused() -> None:
    config = routing("ALL_AT_ONCE")
    config["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    config["BlueGreenUpdatePolicy"]["TerminationWaitInSeconds"] = 540

    with pytest.raises(ApiError, match="600 must be above the waits of 600 seconds"):
        deployment_rules.check_deployment_config(config)


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
        deployment_rules.check_rollout(policy, before=a_fleet(v=1), after=a_fleet(v=count))
        return
    with pytest.raises(ApiError, match="is not between"):
        deployment_rules.check_rollout(policy, before=a_fleet(v=1), after=a_fleet(v=count))


@pytest.mark.source("DG deployment-guardrails-exclusions: rolling, one variant")
def test_rolling_takes_one_variant_only() -> None:
    policy = Policy(mode="ROLLING", batch_size=SIZE)

    with pytest.raises(ApiError, match="one production variant only"):
        deployment_rules.check_rollout(policy, before=a_fleet(a=2, b=2), after=a_fleet(a=2, b=2))


@pytest.mark.assumed("error or fallback for changed variant names is not known: an error here")
def test_a_traffic_shift_needs_the_same_variant_names() -> None:
    policy = Policy(mode="CANARY", first_size=SIZE)

    with pytest.raises(ApiError, match="need the same variant names"):
        deployment_rules.check_rollout(policy, before=a_fleet(a=2), after=a_fleet(b=2))


@pytest.mark.source("DG deployment-guardrails: real-time and asynchronous endpoints only")
@pytest.mark.parametrize(
    "policy",
    [
        Policy(mode="CANARY", first_size=SIZE),
        Policy(mode="ALL_AT_ONCE", alarm_names=("a",)),
        Policy(mode="ALL_AT_ONCE", termination_wait_seconds=60),
    ],
)
def test_a_serverless_endpoint_has_no_guardrails(policy: Policy) -> None:
    fleet = a_serverless_fleet()

    with pytest.raises(ApiError, match="not supported for serverless"):
        deployment_rules.check_rollout(policy, before=fleet, after=fleet)


@pytest.mark.assumed("moto's texts, modelled on AWS; not checked against it")
def test_a_scale_names_each_variant_once_and_only_those_there_are() -> None:
    fleet = a_fleet(v=1)
    endpoint = an_endpoint(fleet)

    with pytest.raises(ApiError, match=r'The variant name "v" was non-unique within the request\.'):
        deployment_rules.check_scale(endpoint, fleet, [{"VariantName": "v"}] * 2)
    with pytest.raises(ApiError) as caught:
        deployment_rules.check_scale(endpoint, fleet, [{"VariantName": n} for n in "xvy"])

    assert caught.value.message == (
        'The variant name(s) "x, y" is/are not present within endpoint configuration "c".'
    )


@pytest.mark.parametrize(
    ("fleet", "entry", "words"),
    [
        (a_fleet(v=1), {"VariantName": "v", "DesiredInstanceCount": 0}, "only supported for async"),
        (a_fleet(v=1), {"VariantName": "v", "ServerlessUpdateConfig": {}}, "runs on instances"),
        (a_serverless_fleet(), {"VariantName": "v", "DesiredInstanceCount": 1}, "is serverless"),
        (
            a_serverless_fleet(),
            {"VariantName": "v", "ServerlessUpdateConfig": {"ProvisionedConcurrency": 5}},
            "ProvisionedConcurrency 5 of variant v must be less than or equal to MaxConcurrency 4",
        ),
    ],
)
@pytest.mark.assumed("the service's texts for capacity a variant can't take are not known")
def test_capacity_a_variant_cannot_take_is_refused(
    fleet: Fleet, entry: dict[str, Any], words: str
) -> None:
    with pytest.raises(ApiError, match=words):
        deployment_rules.check_scale(an_endpoint(fleet), fleet, [entry])
