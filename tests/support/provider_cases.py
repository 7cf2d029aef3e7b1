"""Every AWS type of the provider as a test case: what it is made from and one update."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from rehearsal.provider.registry import AWS
from rehearsal.provider.value import ASSET, Asset, Values
from tests.support.provider_client import Held

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
