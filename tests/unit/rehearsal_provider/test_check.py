"""Check: what is refused, and what is filled in."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rehearsal.provider.autoname import AutonamingMode, ProposedName
from rehearsal.provider.check import Checked, CheckRequest, check
from rehearsal.provider.registry import AWS
from rehearsal.provider.schema import read_schema
from rehearsal.provider.tagging import Tagging
from rehearsal.provider.value import UNKNOWN, Values

BUCKET = "aws:s3/bucket:Bucket"
ENDPOINT = "aws:sagemaker/endpoint:Endpoint"
CONFIGURATION = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
MODEL = "aws:sagemaker/model:Model"
SEED = bytes(range(32))


def checked(token: str, news: Values, **members: Any) -> Checked:
    """Check one resource named `wine`."""
    entry = AWS.types[token]
    request = CheckRequest(
        logical_name="wine",
        news=news,
        olds=members.pop("olds", {}),
        seed=SEED,
        region="eu-west-1",
        **members,
    )
    return check(entry, read_schema(entry.schema), request)


def reasons(token: str, news: Values, **members: Any) -> dict[str, str]:
    """The failures as {property: reason}."""
    found = checked(token, news, **members).failures
    return {failure.property: failure.reason for failure in found}


def a_variant(**members: Any) -> Values:
    return {
        "variantName": "AllTraffic",
        "modelName": "wine",
        "instanceType": "ml.m5.large",
        "initialInstanceCount": 2,
        **members,
    }


def a_deployment(**members: Any) -> Values:
    routing = {"type": "ALL_AT_ONCE", "waitIntervalInSeconds": 0}
    return {"blueGreenUpdatePolicy": {"trafficRoutingConfiguration": routing, **members}}


def test_an_unknown_property_is_refused_with_the_nearest_allowed_one() -> None:
    found = reasons(ENDPOINT, {"endpointConfigName": "c", "endpointConfigname": "d"})

    assert set(found) == {"endpointConfigname"}
    assert "unexpected argument 'endpointConfigname'" in found["endpointConfigname"]
    assert "did you mean 'endpointConfigName'" in found["endpointConfigname"]


def test_an_unknown_property_inside_a_list_is_refused_by_its_path() -> None:
    found = reasons(CONFIGURATION, {"productionVariants": [a_variant(modelname="x")]})

    assert set(found) == {"productionVariants[0].modelname"}


def test_a_missing_required_property_is_named() -> None:
    assert "required" in reasons(ENDPOINT, {})["endpointConfigName"]


def test_a_missing_required_property_inside_a_block_is_named_by_its_path() -> None:
    deployment: Values = {"blueGreenUpdatePolicy": {}}

    found = reasons(ENDPOINT, {"endpointConfigName": "c", "deploymentConfig": deployment})

    path = "deploymentConfig.blueGreenUpdatePolicy.trafficRoutingConfiguration"
    assert set(found) == {path}


def test_an_unknown_value_satisfies_what_is_required() -> None:
    assert reasons(ENDPOINT, {"endpointConfigName": UNKNOWN}) == {}


@pytest.mark.parametrize(
    ("given", "held"), [("2", 2), (2, 2), ("2.5", 2.5)], ids=["text", "number", "fraction"]
)
def test_numbers_may_come_as_texts(given: Any, held: Any) -> None:
    answer = checked(CONFIGURATION, {"productionVariants": [a_variant(initialVariantWeight=given)]})

    assert answer.failures == ()
    assert answer.inputs["productionVariants"][0]["initialVariantWeight"] == held


def test_a_value_of_the_wrong_type_is_refused() -> None:
    found = reasons(BUCKET, {"forceDestroy": "perhaps"})

    assert found == {"forceDestroy": "expected type 'boolean', got str 'perhaps'"}


def test_defaults_are_filled_in_and_listed() -> None:
    inputs = checked(BUCKET, {"bucket": "wine"}).inputs

    assert inputs == {
        "bucket": "wine",
        "forceDestroy": False,
        "tagsAll": {},
        "__defaults": ["forceDestroy"],
    }


def test_a_default_inside_a_block_needs_the_block() -> None:
    without = checked(ENDPOINT, {"endpointConfigName": "c"}).inputs
    with_block = checked(
        ENDPOINT, {"endpointConfigName": "c", "deploymentConfig": a_deployment()}
    ).inputs

    policy = with_block["deploymentConfig"]["blueGreenUpdatePolicy"]
    assert "deploymentConfig" not in without
    assert policy["terminationWaitInSeconds"] == 0
    assert policy["__defaults"] == ["terminationWaitInSeconds"]


def test_a_default_inside_a_list_is_filled_in_each_item() -> None:
    variants = [a_variant(), a_variant(variantName="b", initialVariantWeight=3)]

    inputs = checked(CONFIGURATION, {"productionVariants": variants}).inputs

    weights = [item["initialVariantWeight"] for item in inputs["productionVariants"]]
    assert weights == [1, 3]


def test_a_map_of_the_users_own_gets_no_defaults_list() -> None:
    container = {"image": "i", "environment": {"A": "1"}}
    role = "arn:aws:iam::123456789012:role/r"

    inputs = checked(MODEL, {"executionRoleArn": role, "primaryContainer": container}).inputs

    assert inputs["primaryContainer"]["environment"] == {"A": "1"}
    assert inputs["primaryContainer"]["mode"] == "SingleModel"


def test_a_name_is_made_when_none_is_given() -> None:
    inputs = checked(BUCKET, {}).inputs

    assert re.fullmatch(r"wine-[0-9a-f]{7}", inputs["bucket"])
    assert inputs["__defaults"] == ["bucket", "forceDestroy"]


def test_an_automatic_name_is_kept() -> None:
    olds = {"bucket": "wine-1234567", "__defaults": ["bucket"]}

    assert checked(BUCKET, {}, olds=olds).inputs["bucket"] == "wine-1234567"


def test_a_name_once_given_and_no_longer_is_replaced_by_an_automatic_one() -> None:
    olds = {"bucket": "my-own", "__defaults": []}

    assert checked(BUCKET, {}, olds=olds).inputs["bucket"].startswith("wine-")


def test_disabled_autonaming_is_a_failure_of_the_name() -> None:
    proposed = ProposedName(text="", mode=AutonamingMode.DISABLE)

    assert set(reasons(BUCKET, {}, proposed=proposed)) == {"bucket"}


@pytest.mark.source("pulumi-aws provider/tags.go, applyTags")
def test_default_tags_lie_under_the_resources_own_beside_them() -> None:
    tagging = Tagging(defaults={"a": "default", "b": "default"})

    inputs = checked(BUCKET, {"tags": {"a": "own"}}, tagging=tagging).inputs

    assert inputs["tags"] == {"a": "own"}
    assert inputs["tagsAll"] == {"a": "own", "b": "default"}


def test_default_tags_pass_by_what_has_no_tags() -> None:
    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    tagging = Tagging(defaults={"a": "b"})

    assert "tagsAll" not in checked(token, {"bucket": "b"}, tagging=tagging).inputs


@pytest.mark.parametrize(
    ("news", "path"),
    [
        ({"name": "no_underscores"}, "name"),
        ({"name": "x" * 64}, "name"),
        (
            {"deploymentConfig": a_deployment(maximumExecutionTimeoutInSeconds=14401)},
            "deploymentConfig.blueGreenUpdatePolicy.maximumExecutionTimeoutInSeconds",
        ),
        (
            {"deploymentConfig": a_deployment(terminationWaitInSeconds=3601)},
            "deploymentConfig.blueGreenUpdatePolicy.terminationWaitInSeconds",
        ),
    ],
)
def test_the_real_providers_own_limits_are_checked(news: Values, path: str) -> None:
    assert set(reasons(ENDPOINT, {"endpointConfigName": "c", **news})) == {path}


def test_an_unknown_instance_type_is_refused_and_a_known_one_is_not() -> None:
    bad = {"productionVariants": [a_variant(instanceType="ml.m5.tiny")]}
    good = {"productionVariants": [a_variant(instanceType="ml.g6.xlarge")]}

    assert set(reasons(CONFIGURATION, bad)) == {"productionVariants[0].instanceType"}
    assert reasons(CONFIGURATION, good) == {}


def test_a_list_has_its_own_bounds() -> None:
    assert (
        "range (1 - 10)" in reasons(CONFIGURATION, {"productionVariants": []})["productionVariants"]
    )


def test_what_a_rehearsal_cannot_honour_is_refused_by_name() -> None:
    found = reasons(BUCKET, {"versioning": {"enabled": True}})

    assert found["versioning"].startswith("not supported in a rehearsal: declare the separate")


def test_another_region_is_refused() -> None:
    assert "one region, 'eu-west-1'" in reasons(BUCKET, {"region": "us-east-1"})["region"]


def test_all_problems_are_reported_at_once() -> None:
    found = reasons(ENDPOINT, {"name": "no_underscores", "nonsense": 1})

    assert set(found) == {"name", "nonsense", "endpointConfigName"}
