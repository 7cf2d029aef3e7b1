"""The whole program under Pulumi's mocks, from configuration to exports."""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import config

from components.program import configured_values
from tests.support.pulumi_mocks import Recording, record

ROOT = Path(__file__).parents[3]
EXPORTS_OF_A_MODEL = {
    "endpointName",
    "endpointConfigName",
    "modelName",
    "variantName",
    "artifactUri",
    "artifactDigest",
    "rollbackAlarmNames",
    "swapVerdict",
}
EXPORTS_OF_A_FOUNDATION = {
    "bucketName",
    "bucketArn",
    "repositoryUrl",
    "imageUri",
    "sklearnImageUri",
    "roleArn",
    "alertTopicArn",
    "kmsKeyArn",
}


@pytest.fixture(autouse=True)
def _own_configuration() -> Iterator[None]:
    before = config.CONFIG.get()
    yield
    config.CONFIG.set(before)


def configure(**values: Any) -> None:
    texts = {
        f"greenlight:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
    }
    config.set_all_config({**texts, "aws:region": "eu-west-1"})


def run_program(monkeypatch: pytest.MonkeyPatch, stack_name: str, **options: Any) -> Recording:
    exported: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", exported.__setitem__)

    def program() -> Any:
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")
        return dict(exported)

    return record(program, stack_name=stack_name, **options)


def model_values() -> dict[str, Any]:
    return {
        "stage": "dev",
        "model": "iris",
        "artifact": "s3://bucket/model.tar.gz",
        "instanceType": "ml.m5.large",
        "initialInstanceCount": 2,
        "minCapacity": 2,
        "maxCapacity": 5,
    }


def test_namespace_is_listed_without_its_name() -> None:
    configure(stage="dev", initialInstanceCount=2)

    assert configured_values() == {"stage": "dev", "initialInstanceCount": "2"}


def test_base_stack_holds_a_foundation_and_a_whole_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(**model_values(), imageUri="registry/server:1")

    recording = run_program(monkeypatch, "dev")

    components = {
        (entry.type_token.rpartition(":")[2], entry.name)
        for entry in recording.registrations
        if entry.type_token.startswith("greenlight:components:") and entry.parent == ""
    }
    assert components == {
        ("Foundation", "greenlight-dev"),
        ("ModelPackage", "iris-dev"),
        ("InferenceEndpoint", "iris-dev"),
        ("EndpointAutoscaling", "iris-dev"),
        ("EndpointMonitoring", "iris-dev"),
    }
    assert set(recording.exports) == EXPORTS_OF_A_MODEL | EXPORTS_OF_A_FOUNDATION
    assert recording.exports["variantName"] == "AllTraffic"
    assert recording.exports["swapVerdict"] == "promoted"


def test_autoscaling_waits_for_the_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(**model_values(), imageUri="registry/server:1")

    target = run_program(monkeypatch, "dev").only("aws:appautoscaling/target:Target")

    assert "iris-dev-swap" in target.depends_on


def test_stack_without_a_model_is_a_foundation(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(stage="prod", imageUri="registry/server:1")

    recording = run_program(monkeypatch, "prod")

    assert set(recording.exports) == EXPORTS_OF_A_FOUNDATION
    assert recording.all("aws:sagemaker/endpoint:Endpoint") == []


def test_per_model_stack_builds_on_its_base_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(**model_values(), imageUri="registry/server:1")
    base = run_program(monkeypatch, "dev").exports
    configure(**model_values(), foundationStack="organization/greenlight/dev")

    recording = run_program(
        monkeypatch,
        "dev-iris",
        stack_outputs={key: base[key] for key in EXPORTS_OF_A_FOUNDATION},
    )

    assert recording.all("aws:s3/bucket:Bucket") == []
    assert recording.exports["bucketName"] == base["bucketName"]
    assert recording.only("aws:sagemaker/model:Model").inputs["tags"]["Stack"] == "dev-iris"


def test_wrong_settings_end_the_program_with_one_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(stage="test", colour="blue")

    with pytest.raises(pulumi.RunError, match="2 problems in the settings"):
        run_program(monkeypatch, "dev")


def test_missing_artifact_ends_the_program_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(**(model_values() | {"artifact": "build/nowhere"}), imageUri="registry/server:1")

    with pytest.raises(pulumi.RunError, match="run `greenlight package`"):
        run_program(monkeypatch, "dev")
