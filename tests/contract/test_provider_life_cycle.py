"""Every AWS type through create, preview, refresh, import, update and delete, against moto."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.provider.registry import AWS
from rehearsal.provider.schema import read_schema
from rehearsal.provider.server import start_server
from rehearsal.provider.value import ASSET, UNKNOWN, Asset, Values
from tests.support.moto_cloud import CountingCloud, counting_cloud
from tests.support.provider_client import Client, FastClock, Held

BUCKET = "aws:s3/bucket:Bucket"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
READING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
)
LISTING = READING.replace("GetObject", "ListBucket")
RULE = {
    "rulePriority": 1,
    "selection": {
        "tagStatus": "untagged",
        "countType": "imageCountMoreThan",
        "countNumber": 5,
    },
    "action": {"type": "expire"},
}
TARGET = {
    "serviceNamespace": "sagemaker",
    "resourceId": "endpoint/wine/variant/AllTraffic",
    "scalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
TARGET_ID = "sagemaker/endpoint/wine/variant/AllTraffic/sagemaker:variant:DesiredInstanceCount"
ROLE_ARN = "arn:aws:iam::123456789012:role/execution"
ALARM = {
    "comparisonOperator": "GreaterThanThreshold",
    "evaluationPeriods": 1,
    "threshold": 1,
}
METRIC = {"metricName": "Invocation5XXErrors", "namespace": "AWS/SageMaker", "period": 60}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One type's life: what it is made from, one in-place update, and what must hold then.

    Args:
        needs: resources made first, as (name, type, inputs)
        updated: properties that the update changes
        read_back: where the update must show: output name -> value
        import_id: the id to import by, from the resource's own; equal to it unless given
        imports_as: properties that an import can't know, so that a diff is right
        stays: a delete leaves something that a read still finds
    """

    token: str
    inputs: Values
    updated: Values
    read_back: Values = field(default_factory=dict)
    needs: tuple[tuple[str, str, Values], ...] = ()
    import_id: Callable[[Held], str] = lambda held: held.identifier
    imports_as: frozenset[str] = frozenset()
    stays: bool = False


A_BUCKET = ("artifacts", BUCKET, {"bucket": "artifacts"})
A_REPOSITORY = ("server", "aws:ecr/repository:Repository", {"name": "server"})
A_ROLE = ("execution", "aws:iam/role:Role", {"name": "execution", "assumeRolePolicy": TRUST})
A_MODEL = (
    "wine",
    "aws:sagemaker/model:Model",
    {"name": "wine", "executionRoleArn": ROLE_ARN, "primaryContainer": {"image": "i:1"}},
)
VARIANT = {
    "variantName": "AllTraffic",
    "modelName": "wine",
    "initialInstanceCount": 2,
    "instanceType": "ml.m5.large",
}
A_CONFIGURATION = (
    "wine",
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration",
    {"name": "wine", "productionVariants": [VARIANT]},
)
AN_ENDPOINT = (
    "wine",
    "aws:sagemaker/endpoint:Endpoint",
    {"name": "wine", "endpointConfigName": "wine"},
)
A_TARGET = ("t", "aws:appautoscaling/target:Target", {**TARGET, "minCapacity": 1, "maxCapacity": 4})
TAGS = {"tags": {"a": "2", "c": "3"}}
TAGGED = {"tags": {"a": "2", "c": "3"}, "tagsAll": {"a": "2", "c": "3"}}


def an_asset(text: str) -> Asset:
    return Asset(signature=ASSET, members=(("hash", text), ("text", text)))


CASES = (
    Case(
        token=BUCKET,
        inputs={"forceDestroy": True, "tags": {"a": "1", "b": "2"}},
        updated=TAGS,
        read_back=TAGGED,
        imports_as=frozenset({"forceDestroy"}),
    ),
    Case(
        token="aws:s3/bucketVersioning:BucketVersioning",
        needs=(A_BUCKET,),
        inputs={"bucket": "artifacts", "versioningConfiguration": {"status": "Enabled"}},
        updated={"versioningConfiguration": {"status": "Suspended"}},
        read_back={"versioningConfiguration": {"status": "Suspended"}},
        stays=True,
    ),
    Case(
        token=next(token for token in AWS.types if "Encryption" in token),
        needs=(A_BUCKET,),
        inputs={
            "bucket": "artifacts",
            "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}],
        },
        updated={
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": "k",
                    },
                    "bucketKeyEnabled": True,
                }
            ]
        },
    ),
    Case(
        token="aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        needs=(A_BUCKET,),
        inputs={"bucket": "artifacts", "blockPublicAcls": True},
        updated={"blockPublicPolicy": True},
        read_back={"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": False},
    ),
    Case(
        token="aws:s3/bucketObjectv2:BucketObjectv2",
        needs=(A_BUCKET,),
        inputs={"bucket": "artifacts", "key": "models/a", "source": an_asset("one")},
        updated={"source": an_asset("two"), "contentType": "text/plain", **TAGS},
        read_back={
            "etag": "b8a9f715dbb64fd5c56e7783c6820a61",
            "contentType": "text/plain",
            **TAGGED,
        },
        import_id=lambda held: f"artifacts/{held.identifier}",
        imports_as=frozenset({"source"}),
    ),
    Case(
        token="aws:ecr/repository:Repository",
        inputs={"forceDelete": True, "imageScanningConfiguration": {"scanOnPush": True}},
        updated={"imageTagMutability": "IMMUTABLE", **TAGS},
        read_back={"imageTagMutability": "IMMUTABLE", **TAGGED},
        imports_as=frozenset({"forceDelete"}),
    ),
    Case(
        token="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        needs=(A_REPOSITORY,),
        inputs={"repository": "server", "policy": json.dumps({"rules": [RULE]})},
        updated={"policy": json.dumps({"rules": [{**RULE, "description": "few"}]})},
    ),
    Case(
        token="aws:iam/role:Role",
        inputs={"assumeRolePolicy": TRUST, "forceDetachPolicies": True},
        updated={
            "description": "runs endpoints",
            "maxSessionDuration": 7200,
            **TAGS,
        },
        read_back={"description": "runs endpoints", "maxSessionDuration": 7200, **TAGGED},
        imports_as=frozenset({"forceDetachPolicies"}),
    ),
    Case(
        token="aws:iam/rolePolicy:RolePolicy",
        needs=(A_ROLE,),
        inputs={"role": "execution", "policy": READING},
        updated={"policy": LISTING},
    ),
    Case(
        token="aws:sns/topic:Topic",
        inputs={"displayName": "alerts"},
        updated={"displayName": "alarms", **TAGS},
        read_back={"displayName": "alarms", **TAGGED},
    ),
    Case(
        token="aws:kms/key:Key",
        inputs={"description": "artifacts", "deletionWindowInDays": 7},
        updated={"description": "models", "enableKeyRotation": True, **TAGS},
        read_back={"description": "models", "enableKeyRotation": True, **TAGGED},
        imports_as=frozenset({"deletionWindowInDays"}),
    ),
    Case(
        token="aws:sagemaker/model:Model",
        inputs={
            "executionRoleArn": ROLE_ARN,
            "primaryContainer": {"image": "i:1", "environment": {"A": "1"}},
        },
        updated=TAGS,
        read_back=TAGGED,
    ),
    Case(
        token="aws:sagemaker/endpointConfiguration:EndpointConfiguration",
        needs=(A_MODEL,),
        inputs={"productionVariants": [VARIANT]},
        updated=TAGS,
        read_back=TAGGED,
    ),
    Case(
        token="aws:sagemaker/endpoint:Endpoint",
        needs=(A_MODEL, A_CONFIGURATION),
        inputs={"name": "wine", "endpointConfigName": "wine"},
        updated=TAGS,
        read_back=TAGGED,
    ),
    Case(
        token="aws:appautoscaling/target:Target",
        needs=(A_MODEL, A_CONFIGURATION, AN_ENDPOINT),
        inputs={**TARGET, "minCapacity": 1, "maxCapacity": 4},
        updated={"maxCapacity": 8},
        read_back={"maxCapacity": 8},
        import_id=lambda held: TARGET_ID,
    ),
    Case(
        token="aws:appautoscaling/policy:Policy",
        needs=(A_MODEL, A_CONFIGURATION, AN_ENDPOINT, A_TARGET),
        inputs={
            **TARGET,
            "policyType": "TargetTrackingScaling",
            "targetTrackingScalingPolicyConfiguration": {
                "targetValue": 70,
                "predefinedMetricSpecification": {
                    "predefinedMetricType": "SageMakerVariantInvocationsPerInstance"
                },
            },
        },
        updated={
            "targetTrackingScalingPolicyConfiguration": {
                "targetValue": 90,
                "scaleInCooldown": 60,
                "predefinedMetricSpecification": {
                    "predefinedMetricType": "SageMakerVariantInvocationsPerInstance"
                },
            }
        },
        import_id=lambda held: f"{TARGET_ID}/{held.identifier}",
    ),
    Case(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        inputs={**ALARM, **METRIC, "statistic": "Sum", "dimensions": {"EndpointName": "wine"}},
        updated={"threshold": 5, "dimensions": {"EndpointName": "iris"}},
        read_back={"threshold": 5, "dimensions": {"EndpointName": "iris"}},
    ),
    Case(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        inputs={
            **ALARM,
            "metricQueries": [
                {"id": "rate", "expression": "errors / 2", "label": "rate", "returnData": True},
                {"id": "errors", "metric": {**METRIC, "stat": "Sum"}},
            ],
        },
        updated={"alarmDescription": "too many errors"},
        read_back={"alarmDescription": "too many errors"},
    ),
    Case(
        token="aws:cloudwatch/dashboard:Dashboard",
        inputs={"dashboardName": "wine", "dashboardBody": json.dumps({"widgets": []})},
        updated={"dashboardBody": json.dumps({"widgets": [], "start": "-PT1H"})},
    ),
)


def name_of(case: Case) -> str:
    return case.token.rpartition(":")[2]


@pytest.fixture(scope="module")
def cloud() -> Iterator[CountingCloud]:
    with counting_cloud() as running:
        yield running


@pytest.fixture(scope="module")
def port(cloud: CountingCloud) -> Iterator[int]:
    server, port = start_server(AWS, cloud.url, FastClock())
    yield port
    server.stop(None).wait()


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    client = Client(port)
    client.configure()
    yield client
    client.close()


@pytest.fixture(params=CASES, ids=name_of)
def case(request: pytest.FixtureRequest, client: Client) -> Iterator[Case]:
    """A case whose needs are there, and gone after."""
    found: Case = request.param
    needed = [client.create(token, name, inputs) for name, token, inputs in found.needs]
    yield found
    for held in reversed(needed):
        client.delete(held)


def changed_paths(answer: Any) -> set[str]:
    return set(answer.detailedDiff)


def test_a_resource_lives_as_with_the_real_provider(client: Client, case: Case) -> None:
    made = client.create(case.token, "logical", case.inputs)
    assert made.identifier
    assert made.outputs.keys() <= read_schema(AWS.types[case.token].schema).outputs

    same = client.diff(made, client.check(case.token, "logical", case.inputs, made.inputs))
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE, changed_paths(same)

    refreshed = client.refresh(made)
    assert refreshed == made

    wanted = {**case.inputs, **case.updated}
    differs = client.diff(made, client.check(case.token, "logical", wanted, made.inputs))
    assert set(differs.diffs) == set(case.updated)
    assert list(differs.replaces) == []

    changed = client.update(made, wanted)
    assert {name: changed.outputs[name] for name in case.read_back} == case.read_back
    settled = client.diff(changed, client.check(case.token, "logical", wanted, changed.inputs))
    assert changed_paths(settled) == set()
    assert client.refresh(changed) == changed

    client.delete(changed)
    assert case.stays or client.refresh(changed) is None
    client.delete(changed)


def test_an_imported_resource_needs_no_change(client: Client, case: Case) -> None:
    made = client.create(case.token, "logical", case.inputs)

    imported = client.read(case.token, "logical", case.import_id(made))

    assert imported is not None
    inputs = client.check(case.token, "logical", case.inputs, imported.inputs)
    differs = client.diff(imported, inputs)
    assert set(differs.diffs) == case.imports_as
    client.delete(made)


def test_a_preview_calls_nothing_and_leaves_unknown_what_only_aws_knows(
    client: Client, cloud: CountingCloud, case: Case
) -> None:
    before = list(cloud.calls)
    entry = AWS.types[case.token]

    outputs = client.preview_create(case.token, "logical", case.inputs)

    assert cloud.calls == before
    unknown = {name for name, value in outputs.items() if value is UNKNOWN}
    known = case.inputs.keys() | {"tagsAll", "region"} | set(entry.defaults)
    assert not unknown & known
    assert outputs.keys() == read_schema(entry.schema).outputs


def test_a_previewed_update_calls_nothing(client: Client, cloud: CountingCloud, case: Case) -> None:
    made = client.create(case.token, "logical", case.inputs)
    before = list(cloud.calls)

    previewed = client.update(made, {**case.inputs, **case.updated}, preview=True)

    assert cloud.calls == before
    shown: Mapping[str, Any] = {
        name: value for name, value in previewed.outputs.items() if name in case.updated
    }
    assert shown == case.updated
    client.delete(made)


def test_managed_policies_are_attached_and_detached(client: Client, cloud: CountingCloud) -> None:
    iam = boto3.client("iam", endpoint_url=cloud.url)
    arns = [
        iam.create_policy(PolicyName=name, PolicyDocument=READING)["Policy"]["Arn"]
        for name in ("one", "other")
    ]
    role = {"assumeRolePolicy": TRUST}
    made = client.create("aws:iam/role:Role", "r", {**role, "managedPolicyArns": arns[:1]})

    changed = client.update(made, {**role, "managedPolicyArns": arns[1:]})

    assert made.outputs["managedPolicyArns"] == arns[:1]
    assert changed.outputs["managedPolicyArns"] == arns[1:]
    client.delete(changed)


def test_a_bucket_with_objects_is_deleted_only_by_force(client: Client) -> None:
    kept = client.create(BUCKET, "kept", {"bucket": "kept", "forceDestroy": False})
    token = "aws:s3/bucketObjectv2:BucketObjectv2"
    client.create(token, "models/a", {"bucket": "kept", "content": "a"})

    with pytest.raises(grpc.RpcError) as caught:
        client.delete(kept)
    forced = client.update(kept, {"bucket": "kept", "forceDestroy": True})
    client.delete(forced)

    assert "BucketNotEmpty" in caught.value.details()
    assert client.refresh(forced) is None


def test_a_drift_is_seen_by_a_refresh_and_set_right_by_an_update(
    client: Client, cloud: CountingCloud
) -> None:
    token, inputs = "aws:sns/topic:Topic", {"name": "drift", "displayName": "ours"}
    made = client.create(token, "t", inputs)
    boto3.client("sns", endpoint_url=cloud.url).set_topic_attributes(
        TopicArn=made.identifier, AttributeName="DisplayName", AttributeValue="theirs"
    )

    drifted = client.refresh(made)
    assert drifted is not None
    differs = client.diff(drifted, client.check(token, "t", inputs, drifted.inputs))
    mended = client.update(drifted, inputs)

    assert drifted.outputs["displayName"] == drifted.inputs["displayName"] == "theirs"
    assert list(differs.diffs) == ["displayName"]
    assert mended.outputs["displayName"] == "ours"
    client.delete(mended)


def test_every_type_is_covered() -> None:
    assert {case.token for case in CASES} == set(AWS.types)
