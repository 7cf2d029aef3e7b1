"""Cross-field rules of endpoint configs."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.hosting.catalog import Entry
from rehearsal.cloud.hosting.config_rules import (
    UNREHEARSED_CONFIG,
    UNREHEARSED_VARIANT,
    check_config,
    check_rehearsed,
)
from rehearsal.cloud.hosting.model_rules import check_model

VARIANT = {
    "VariantName": "v",
    "ModelName": "m",
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 1,
}
SERVERLESS: dict[str, Any] = {
    "VariantName": "v",
    "ModelName": "m",
    "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 2},
}


def models(**members: Any) -> dict[str, Entry]:
    """Return a catalog with model `m` of these members."""
    whole = {"PrimaryContainer": {"Image": "image"}, **members}
    return {"m": Entry(name="m", arn="arn", creation_time=0.0, members=whole)}


def with_shadow(**more: Any) -> dict[str, Any]:
    shadow = {**VARIANT, "VariantName": "s", **more}
    return {"ProductionVariants": [VARIANT], "ShadowProductionVariants": [shadow]}


def serverless(**sizes: int) -> dict[str, Any]:
    config = {**SERVERLESS["ServerlessConfig"], **sizes}
    return {"ProductionVariants": [{**SERVERLESS, "ServerlessConfig": config}]}


@pytest.mark.source("DG serverless-endpoints-create; provider PR 45926; botocore")
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({**VARIANT, **SERVERLESS}, "has ServerlessConfig, so InstanceType"),
        ({**VARIANT, "ManagedInstanceScaling": {}}, "only supported for inference component"),
        ({**VARIANT, "InstancePools": []}, "only one of InstanceType and InstancePools"),
        ({"VariantName": "v", "ModelName": "m"}, "must specify InstanceType and Initial"),
        (
            {**VARIANT, "RoutingConfig": {"RoutingStrategy": "PREFIX_AWARE"}},
            "PrefixAwareRoutingConfig must be specified",
        ),
        ({k: v for k, v in VARIANT.items() if k != "ModelName"}, "ExecutionRoleArn must be"),
    ],
)
def test_a_variant_that_contradicts_itself_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ApiError, match=words):
        check_config({"ProductionVariants": [changed]}, models())


@pytest.mark.source("botocore ProductionVariantServerlessConfig: 1 GB increments, at most Max")
@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"MemorySizeInMB": 1536}, "1536 of variant v must be a multiple of 1024"),
        ({"ProvisionedConcurrency": 3}, "3 of variant v must be less than or equal to"),
    ],
)
def test_serverless_sizes_have_steps_and_an_order(sizes: dict[str, int], words: str) -> None:
    check_config(serverless(ProvisionedConcurrency=2), models())

    with pytest.raises(ApiError, match=words):
        check_config(serverless(**sizes), models())


@pytest.mark.source("botocore MetricPublishFrequencyInSeconds: 10, 30, 60, 120, 180, 240, 300")
def test_metrics_are_published_in_one_of_seven_intervals() -> None:
    def config(seconds: int) -> dict[str, Any]:
        metrics = {"MetricPublishFrequencyInSeconds": seconds}
        return {"ProductionVariants": [VARIANT], "MetricsConfig": metrics}

    def container(seconds: int) -> dict[str, Any]:
        endpoint = {"MetricPublishFrequencyInSeconds": seconds}
        metrics = {"ContainerMetricsConfig": {"MetricsEndpoints": [endpoint]}}
        return {"PrimaryContainer": {"Image": "image", **metrics}}

    for seconds in (10, 300):
        check_config(config(seconds), models())
        check_model(container(seconds))
    with pytest.raises(ApiError, match=r"'11' at 'metricsConfig\.metricPublish.*\[10, 30, 60, "):
        check_config(config(11), models())
    with pytest.raises(ApiError, match=r"'20' at 'containerMetricsConfig.*\[10, 30, 60, "):
        check_model(container(20))


@pytest.mark.source("DG serverless-endpoints, feature exclusions")
@pytest.mark.parametrize(
    ("config", "model", "words"),
    [
        ({"ProductionVariants": [SERVERLESS, {**SERVERLESS, "VariantName": "w"}]}, {}, "given 2"),
        ({"DataCaptureConfig": {"x": 1}}, {}, "DataCaptureConfig is not supported"),
        ({"AsyncInferenceConfig": {"x": 1}}, {}, "AsyncInferenceConfig is not supported"),
        ({"ShadowProductionVariants": [{**VARIANT, "VariantName": "s"}]}, {}, "ShadowProduction"),
        ({}, {"VpcConfig": {"Subnets": ["s"]}}, "VpcConfig is not supported"),
        ({}, {"EnableNetworkIsolation": True}, "EnableNetworkIsolation is not supported"),
        ({}, {"PrimaryContainer": {"Mode": "MultiModel"}}, "Mode MultiModel is not supported"),
        ({}, {"PrimaryContainer": {"ModelDataSource": {}}}, "ModelDataSource is not supported"),
        (
            {},
            {"PrimaryContainer": {"ImageConfig": {"RepositoryAuthConfig": {}}}},
            "A private docker registry is not supported",
        ),
        ({"CrossRegionTrafficConfig": {"x": 1}}, {}, "CrossRegionTrafficConfig is not"),
    ],
)
def test_what_serverless_excludes_is_refused(
    config: dict[str, Any], model: dict[str, Any], words: str
) -> None:
    with pytest.raises(ApiError, match=words):
        check_config({"ProductionVariants": [SERVERLESS], **config}, models(**model))


def test_a_pipeline_is_neither_serverless_nor_shadowed() -> None:
    pipeline = {"m": Entry(name="m", arn="a", creation_time=0.0, members={"Containers": [{}, {}]})}

    with pytest.raises(ApiError, match="An inference pipeline is not supported"):
        check_config({"ProductionVariants": [SERVERLESS]}, pipeline)
    with pytest.raises(ApiError, match="A model of several containers is not supported"):
        check_config(with_shadow(), pipeline)


@pytest.mark.source("botocore CrossRegionTrafficConfig: not with asynchronous inference")
def test_cross_region_traffic_is_not_for_asynchronous_endpoints() -> None:
    config = {"CrossRegionTrafficConfig": {"x": 1}, "AsyncInferenceConfig": {"x": 1}}

    with pytest.raises(ApiError, match="is not supported with AsyncInferenceConfig"):
        check_config({"ProductionVariants": [VARIANT], **config}, models())


@pytest.mark.source("DG shadow-tests: one production and one shadow variant")
def test_shadows_need_one_variant_each() -> None:
    two = [{**VARIANT, "VariantName": name} for name in "st"]

    check_config(with_shadow(), models())
    with pytest.raises(ApiError, match="exactly one production variant and one shadow"):
        check_config({**with_shadow(), "ShadowProductionVariants": two}, models())
    with pytest.raises(ApiError, match="exactly one production variant and one shadow"):
        check_config({**with_shadow(VariantName="x"), "ProductionVariants": two}, models())


@pytest.mark.source("DG shadow-tests, model-shadow-deployment: exclusions")
@pytest.mark.parametrize(
    ("shadow", "config", "model", "words"),
    [
        ({}, {"AsyncInferenceConfig": {"x": 1}}, {}, "not supported with AsyncInference"),
        ({"InstanceType": "ml.inf1.xlarge"}, {}, {}, "InstanceType ml.inf1.xlarge is not"),
        ({"AcceleratorType": "ml.eia2.medium"}, {}, {}, "AcceleratorType is not supported"),
        ({}, {}, {"PrimaryContainer": {"Mode": "MultiModel"}}, "Mode MultiModel is not"),
        ({"VariantName": "v"}, {}, {}, "Variant names must be unique"),
    ],
)
def test_what_shadow_tests_exclude_is_refused(
    shadow: dict[str, Any], config: dict[str, Any], model: dict[str, Any], words: str
) -> None:
    with pytest.raises(ApiError, match=words):
        check_config({**with_shadow(**shadow), **config}, models(**model))


@pytest.mark.parametrize("member", sorted(UNREHEARSED_CONFIG))
def test_what_is_not_rehearsed_is_named_when_it_is_to_run(member: str) -> None:
    config = {"ProductionVariants": [VARIANT], member: {"x": 1}}

    with pytest.raises(ApiError, match=f"leave {member} out"):
        check_rehearsed(config)


@pytest.mark.parametrize("member", sorted(UNREHEARSED_VARIANT))
def test_a_variant_that_is_not_rehearsed_is_named_when_it_is_to_run(member: str) -> None:
    with pytest.raises(ApiError, match=f"leave {member} out"):
        check_rehearsed({"ProductionVariants": [{**VARIANT, member: {"x": 1}}]})


def test_a_routing_that_is_not_rehearsed_is_refused_when_it_is_to_run() -> None:
    variant = {**VARIANT, "RoutingConfig": {"RoutingStrategy": "KV_AWARE"}}

    with pytest.raises(ApiError, match="use RANDOM or LEAST_OUTSTANDING_REQUESTS or PREFIX_AWARE"):
        check_rehearsed({"ProductionVariants": [variant]})


def test_an_inference_component_variant_is_refused_when_it_is_to_run() -> None:
    variant = {key: value for key, value in VARIANT.items() if key != "ModelName"}

    with pytest.raises(ApiError, match="does not do inference components"):
        check_rehearsed({"ProductionVariants": [variant]})
