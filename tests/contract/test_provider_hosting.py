"""Everything hosting can do, through the stand-in's model, configuration and endpoint.

Each kind of endpoint is made on the rehearsal's own cloud, serves, is seen without drift by a
refresh and an import, and is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.provider.registry import AWS
from rehearsal.provider.server import start_server
from tests.support.cloud import BUCKET, IMAGE_URI, ROLE_ARN, CloudUser
from tests.support.cloud_process import CloudProcess
from tests.support.instances import add_images, image_uri, put_model
from tests.support.provider_client import Client, Held

MODEL = "aws:sagemaker/model:Model"
CONFIGURATION = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
ENDPOINT = "aws:sagemaker/endpoint:Endpoint"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of endpoint, as a program would write it.

    Args:
        model: inputs of the model beside its role
        variant: inputs of the variant beside its name and model
        configuration: further inputs of the configuration
        deployment: the endpoint's deploymentConfig
        described: what DescribeEndpointConfig must then say, by member
    """

    name: str
    model: dict[str, Any] = field(
        default_factory=lambda: {"primaryContainer": {"image": IMAGE_URI}}
    )
    variant: dict[str, Any] = field(
        default_factory=lambda: {"instanceType": "ml.m5.large", "initialInstanceCount": 1}
    )
    configuration: dict[str, Any] = field(default_factory=dict)
    deployment: dict[str, Any] | None = None
    described: frozenset[str] = frozenset()


KINDS = (
    Kind(name="plain"),
    Kind(
        name="async",
        configuration={
            "asyncInferenceConfig": {
                "clientConfig": {"maxConcurrentInvocationsPerInstance": 2},
                "outputConfig": {
                    "s3OutputPath": f"s3://{BUCKET}/out",
                    "s3FailurePath": f"s3://{BUCKET}/failed",
                },
            }
        },
        described=frozenset({"AsyncInferenceConfig"}),
    ),
    Kind(
        name="serverless",
        variant={
            "serverlessConfig": {
                "maxConcurrency": 2,
                "memorySizeInMb": 1024,
                "provisionedConcurrency": 1,
            }
        },
    ),
    Kind(
        name="capture",
        configuration={
            "dataCaptureConfig": {
                "enableCapture": True,
                "initialSamplingPercentage": 100,
                "destinationS3Uri": f"s3://{BUCKET}/captured",
                "captureOptions": [{"captureMode": "Input"}, {"captureMode": "Output"}],
                "captureContentTypeHeader": {
                    "csvContentTypes": ["text/csv"],
                    "jsonContentTypes": ["application/json"],
                },
            }
        },
        described=frozenset({"DataCaptureConfig"}),
    ),
    Kind(
        name="shadow",
        configuration={
            "shadowProductionVariants": [
                {
                    "variantName": "copy",
                    "modelName": "shadow",
                    "instanceType": "ml.m5.large",
                    "initialInstanceCount": 1,
                    "initialVariantWeight": 0.5,
                }
            ]
        },
        described=frozenset({"ShadowProductionVariants"}),
    ),
    Kind(
        name="multi-model",
        model={
            "primaryContainer": {
                "image": image_uri("multi"),
                "mode": "MultiModel",
                "modelDataUrl": f"s3://{BUCKET}/models/",
                "multiModelConfig": {"modelCacheSetting": "Disabled"},
            }
        },
    ),
    Kind(
        name="pipeline",
        model={
            "containers": [
                {"image": image_uri("step"), "containerHostname": "first"},
                {"image": image_uri("step"), "containerHostname": "second"},
            ],
            "inferenceExecutionConfig": {"mode": "Serial"},
        },
    ),
    Kind(
        name="canary",
        variant={
            "instanceType": "ml.m5.large",
            "initialInstanceCount": 1,
            "containerStartupHealthCheckTimeoutInSeconds": 120,
            "routingConfigs": [{"routingStrategy": "LEAST_OUTSTANDING_REQUESTS"}],
        },
        deployment={
            "blueGreenUpdatePolicy": {
                "terminationWaitInSeconds": 60,
                "maximumExecutionTimeoutInSeconds": 1200,
                "trafficRoutingConfiguration": {
                    "type": "CANARY",
                    "waitIntervalInSeconds": 60,
                    "canarySize": {"type": "CAPACITY_PERCENT", "value": 50},
                },
            },
            "autoRollbackConfiguration": {"alarms": [{"alarmName": "errors"}]},
        },
    ),
    Kind(
        name="rolling",
        deployment={
            "rollingUpdatePolicy": {
                "maximumBatchSize": {"type": "CAPACITY_PERCENT", "value": 50},
                "waitIntervalInSeconds": 60,
            }
        },
    ),
)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    # In a process of its own: gRPC does not stand it when its process forks servers.
    cloud = CloudProcess(tmp_path_factory.mktemp("cloud"), "--speed", "60")
    someone = CloudUser(cast(Any, cloud))
    someone.prepare()
    add_images(someone)
    put_model(someone, "models/a.tar.gz", "a")
    someone.put_error_alarm("errors", "canary")
    yield someone
    cloud.stop()


@pytest.fixture(scope="module")
def client(user: CloudUser) -> Iterator[Client]:
    server, port = start_server(AWS, user.cloud.url)
    client = Client(port)
    client.configure()
    yield client
    client.close()
    server.stop(None).wait()


def inputs_of(kind: Kind) -> list[tuple[str, dict[str, Any]]]:
    """Return the types and inputs of what a program makes, in order."""
    variant = {"variantName": "main", "modelName": kind.name, **kind.variant}
    endpoint: dict[str, Any] = {"name": kind.name, "endpointConfigName": kind.name}
    if kind.deployment is not None:
        endpoint["deploymentConfig"] = kind.deployment
    return [
        (MODEL, {"name": kind.name, "executionRoleArn": ROLE_ARN, **kind.model}),
        (
            CONFIGURATION,
            {"name": kind.name, "productionVariants": [variant], **kind.configuration},
        ),
        (ENDPOINT, endpoint),
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_endpoint_is_made_and_read_without_drift(
    client: Client, user: CloudUser, kind: Kind
) -> None:
    made: list[Held] = []
    for token, inputs in inputs_of(kind):
        made.append(client.create(token, kind.name, inputs))

    assert user.describe(kind.name)["EndpointStatus"] == "InService"
    config = user.sagemaker.describe_endpoint_config(EndpointConfigName=kind.name)
    assert kind.described <= config.keys()
    for held, (token, inputs) in zip(made, inputs_of(kind), strict=True):
        assert_unchanged(client, held, inputs)
        assert client.refresh(held) == held
        imported = client.read(token, kind.name, held.identifier)
        assert imported is not None
        assert_unchanged(client, imported, inputs)

    for held in reversed(made):
        client.delete(held)
    assert client.refresh(made[2]) is None


def assert_unchanged(client: Client, held: Held, inputs: dict[str, Any]) -> None:
    answer = client.diff(held, client.check(held.token, held.name, inputs, held.inputs))
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE, dict(answer.detailedDiff)
