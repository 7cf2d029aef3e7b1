"""Input checks driven by botocore's shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.shapes import validated_input


def refusal(operation: str, members: Any, service: str = "sagemaker") -> str:
    with pytest.raises(ApiError) as caught:
        validated_input(service, operation, json.dumps(members).encode())
    return f"{caught.value.code}: {caught.value.message}"


@pytest.mark.source("field reports, constraint messages of the service")
@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (
            {"EndpointName": "a" * 64, "EndpointConfigName": "c"},
            f"2 validation errors detected: Value '{'a' * 64}' at 'endpointName' failed to satisfy "
            "constraint: Member must have length less than or equal to 63; "
            f"Value '{'a' * 64}' at 'endpointName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
        ),
        (
            {"EndpointName": "e"},
            "1 validation error detected: Value null at 'endpointConfigName' failed to satisfy "
            "constraint: Member must not be null",
        ),
        (
            {
                "EndpointName": "e",
                "EndpointConfigName": "c",
                "DeploymentConfig": {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": ""}]}},
            },
            "2 validation errors detected: Value '' at "
            "'deploymentConfig.autoRollbackConfiguration.alarms.1.member.alarmName' failed to "
            "satisfy constraint: Member must have length greater than or equal to 1; Value '' at "
            "'deploymentConfig.autoRollbackConfiguration.alarms.1.member.alarmName' failed to "
            "satisfy constraint: Member must satisfy regular expression pattern: (?!\\s*$).+",
        ),
    ],
)
def test_constraints_are_reported_by_path_and_rule(members: Any, expected: str) -> None:
    assert refusal("CreateEndpoint", members) == f"ValidationException: {expected}"


def test_numbers_have_bounds_too() -> None:
    policy = {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 3601},
        "MaximumExecutionTimeoutInSeconds": 599,
    }

    message = refusal(
        "UpdateEndpoint",
        {
            "EndpointName": "e",
            "EndpointConfigName": "c",
            "DeploymentConfig": {"BlueGreenUpdatePolicy": policy},
        },
    )

    assert "Value '3601' at" in message
    assert "value less than or equal to 3600" in message
    assert "value greater than or equal to 600" in message


def test_an_enum_lists_its_values() -> None:
    message = refusal("ListEndpoints", {"SortBy": "Colour"})

    assert message.endswith("Member must satisfy enum value set: [Name, CreationTime, Status]")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"EndpointName": 5}, "endpointName is int, not a string"),
        ({"Colour": "red"}, "unknown member colour of DescribeEndpointInput; it has EndpointName"),
        ([], "DescribeEndpoint takes a JSON object"),
    ],
)
def test_wrong_shapes_are_serialization_errors(members: Any, words: str) -> None:
    message = refusal("DescribeEndpoint", members)

    assert message.startswith("SerializationException: ")
    assert words in message


def test_a_body_that_is_no_json_is_refused() -> None:
    with pytest.raises(ApiError, match="body is not JSON"):
        validated_input("sagemaker", "ListModels", b"{")


def test_java_character_classes_are_understood() -> None:
    members = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/e/variant/v",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    service = "application-autoscaling"

    accepted = validated_input(
        service, "PutScalingPolicy", json.dumps({**members, "PolicyName": "a b"}).encode()
    )

    assert accepted["PolicyName"] == "a b"
    assert r"pattern: \p{Print}+" in refusal(
        "PutScalingPolicy", {**members, "PolicyName": "\u00e4"}, service
    )


@pytest.mark.parametrize("key", ["Größe", "naïve key", "数", "a_b.c:d/e=f+g-h@i", "½"])
def test_letters_numbers_and_spaces_of_any_language_may_be_in_a_tag(key: str) -> None:
    members = {"ResourceArn": "arn:aws:sagemaker:eu-west-1:123456789012:model/m"}
    good = {**members, "Tags": [{"Key": key, "Value": key}]}

    assert validated_input("sagemaker", "AddTags", json.dumps(good).encode()) == good
    assert "regular expression" in refusal(
        "AddTags", {**members, "Tags": [{"Key": f"{key}!", "Value": ""}]}
    )


def test_good_input_comes_back_as_it_was_sent() -> None:
    members = {"EndpointName": "e", "EndpointConfigName": "c", "Tags": [{"Key": "k", "Value": ""}]}

    assert validated_input("sagemaker", "CreateEndpoint", json.dumps(members).encode()) == members
