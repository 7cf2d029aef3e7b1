"""Schemas read from the installed packages."""

from __future__ import annotations

from rehearsal.provider.schema import Kind, SchemaSource, read_schema

ENDPOINT = SchemaSource(
    package="pulumi_aws.sagemaker", resource="Endpoint", arguments="EndpointArgs"
)


def test_required_inputs_and_kinds_come_from_the_arguments_class() -> None:
    inputs = read_schema(ENDPOINT).inputs

    assert {name for name, found in inputs.items() if found.required} == {"endpointConfigName"}
    assert inputs["tags"].kind is Kind.MAP
    assert inputs["name"].kind is Kind.STRING


def test_nested_blocks_are_read_to_their_leaves() -> None:
    deployment = read_schema(ENDPOINT).inputs["deploymentConfig"]

    routing = deployment.members["blueGreenUpdatePolicy"].members["trafficRoutingConfiguration"]
    alarms = deployment.members["autoRollbackConfiguration"].members["alarms"]

    assert routing.required
    assert routing.members["waitIntervalInSeconds"].kind is Kind.NUMBER
    assert alarms.kind is Kind.ARRAY
    assert alarms.element is not None
    assert alarms.element.members["alarmName"].required


def test_outputs_hold_what_only_the_service_knows() -> None:
    assert {"arn", "tagsAll", "endpointConfigName"} <= read_schema(ENDPOINT).outputs


def test_an_asset_is_told_from_a_text() -> None:
    source = SchemaSource(
        package="pulumi_aws.s3", resource="BucketObjectv2", arguments="BucketObjectv2Args"
    )

    assert read_schema(source).inputs["source"].kind is Kind.ASSET
    assert read_schema(source).inputs["content"].kind is Kind.STRING
