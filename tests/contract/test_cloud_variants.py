"""Shadow variants, asynchronous endpoints and what Describe says of them, by boto3."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import BUCKET, CloudUser, start_cloud, wait_for


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60)
    started.prepare()
    yield started
    started.cloud.stop()


@pytest.fixture
def name() -> str:
    return f"n-{uuid.uuid4().hex[:12]}"


def a_variant(name: str, model: str, **more: Any) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        **more,
    }


@pytest.mark.source("botocore ShadowProductionVariants, PendingDeploymentSummary; DG shadow-tests")
def test_a_shadow_variant_is_launched_described_and_scaled_beside_the_other(
    user: CloudUser, name: str, tmp_path: Path
) -> None:
    sick = tmp_path / "sick"
    sick.touch()
    model = user.make_config(name, environment={"TINY_SICK": str(sick)})
    user.sagemaker.create_endpoint_config(
        EndpointConfigName=f"{name}-s",
        ProductionVariants=[a_variant("main", model)],
        ShadowProductionVariants=[a_variant("copy", model, InitialVariantWeight=0.5)],
    )

    user.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-s")
    pending = user.describe(name)["PendingDeploymentSummary"]
    sick.unlink()
    seen = user.wait(name)
    user.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name,
        DesiredWeightsAndCapacities=[{"VariantName": "copy", "DesiredInstanceCount": 2}],
    )
    scaled = user.wait(name)["ShadowProductionVariants"]
    answer = user.invoke(name)
    user.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=name)
    plain = user.wait(name)

    assert [v["VariantName"] for v in pending["ShadowProductionVariants"]] == ["copy"]
    assert pending["ShadowProductionVariants"][0]["InstanceType"] == "ml.m5.large"
    assert [v["VariantName"] for v in seen["ProductionVariants"]] == ["main"]
    (shadow,) = seen["ShadowProductionVariants"]
    assert (shadow["VariantName"], shadow["CurrentWeight"]) == ("copy", 0.5)
    assert shadow["CurrentInstanceCount"] == 1
    assert [v["CurrentInstanceCount"] for v in scaled] == [2]
    assert answer["name"] == name
    assert plain["EndpointConfigName"] == name
    assert "ShadowProductionVariants" not in plain


@pytest.mark.source("botocore AsyncInferenceConfig; DG async-inference-autoscale: down to zero")
def test_an_asynchronous_endpoint_may_have_no_instance(user: CloudUser, name: str) -> None:
    model = user.make_config(name)
    asynchronous = {"OutputConfig": {"S3OutputPath": f"s3://{BUCKET}/out"}}
    user.sagemaker.create_endpoint_config(
        EndpointConfigName=f"{name}-a",
        ProductionVariants=[a_variant("main", model)],
        AsyncInferenceConfig=asynchronous,
    )
    user.make_endpoint(name, f"{name}-a")

    def scaled(count: int) -> dict[str, Any]:
        user.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=name,
            DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": count}],
        )
        return user.wait(name)

    none, one = scaled(0), scaled(1)

    assert none["AsyncInferenceConfig"] == asynchronous
    assert none["EndpointStatus"] == one["EndpointStatus"] == "InService"
    assert none["ProductionVariants"][0]["CurrentInstanceCount"] == 0
    assert one["ProductionVariants"][0]["CurrentInstanceCount"] == 1


@pytest.mark.source("botocore DataCaptureConfigSummary, five required members")
@pytest.mark.parametrize(("enabled", "status"), [(None, "Started"), (False, "Stopped")])
def test_data_capture_is_described_in_its_own_shape(
    user: CloudUser, name: str, enabled: bool | None, status: str
) -> None:
    model = user.make_config(name)
    capture: dict[str, Any] = {
        "InitialSamplingPercentage": 25,
        "DestinationS3Uri": f"s3://{BUCKET}/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    if enabled is not None:
        capture["EnableCapture"] = enabled
    user.sagemaker.create_endpoint_config(
        EndpointConfigName=f"{name}-d",
        ProductionVariants=[a_variant("main", model)],
        DataCaptureConfig=capture,
    )
    user.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-d")

    seen = wait_for(lambda: user.describe(name).get("DataCaptureConfig"), "the capture's summary")

    assert seen == {
        "EnableCapture": enabled is not False,
        "CaptureStatus": status,
        "CurrentSamplingPercentage": 25,
        "DestinationS3Uri": f"s3://{BUCKET}/capture",
        "KmsKeyId": "",
    }
