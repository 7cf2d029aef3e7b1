import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from components.capacity import ScalingSettings
from components.rollout import CapacitySize, CapacityUnit, DeploymentSettings, RolloutMode
from components.settings import (
    FoundationSettings,
    ModelRuntime,
    RollbackAlarmSettings,
    SettingsError,
    Stage,
    SwapMode,
    parse_settings,
    resource_tags,
    setting_keys,
)

ROOT = Path(__file__).parents[3]
DIGEST = "ab" * 32


def some_values(**changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "stage": "dev",
        "model": "iris",
        "artifact": "build/models/iris",
        "instanceType": "ml.m5.large",
    }
    values.update(changes)
    return {key: value for key, value in values.items() if value is not None}


def problems_of(values: Mapping[str, object]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(values)
    return caught.value.problems


def problems_in(values: Mapping[str, object]) -> tuple[str, ...]:
    try:
        parse_settings(values)
    except SettingsError as error:
        return error.problems
    return ()


def only_problem_of(values: Mapping[str, object]) -> str:
    (problem,) = problems_of(values)
    return problem


def test_smallest_stack_is_a_foundation_alone() -> None:
    settings = parse_settings({"stage": "prod"})

    assert settings.stage is Stage.PROD
    assert settings.model is None
    assert settings.foundation_stack is None
    assert settings.foundation == FoundationSettings()
    assert settings.tags == {}


def test_settings_left_out_have_the_documented_values() -> None:
    model = parse_settings(some_values()).model

    assert model is not None
    assert model.initial_instance_count == 1
    assert model.variant_name == "AllTraffic"
    assert model.artifact_digest is None
    assert model.environment == {}
    assert model.scaling is None
    assert model.deployment == DeploymentSettings()
    assert model.rollback_alarms == RollbackAlarmSettings(
        enabled=True, maximum_5xx_errors=0, maximum_model_latency_ms=1000
    )
    assert model.swap is SwapMode.MANAGED
    assert model.runtime is ModelRuntime.ONNX


def all_values() -> dict[str, object]:
    return {
        "stage": "prod",
        "foundationStack": "organization/greenlight/prod",
        "model": "iris",
        "artifact": "s3://bucket/model.tar.gz",
        "artifactDigest": DIGEST,
        "instanceType": "ml.m5.large",
        "initialInstanceCount": 4,
        "variantName": "Main",
        "minCapacity": 2,
        "maxCapacity": 5,
        "targetInvocationsPerInstance": 70,
        "scaleInCooldownSeconds": 120,
        "scaleOutCooldownSeconds": 30,
        "environment": {"LOG_LEVEL": "info", "WORKERS": 2, "DEBUG": False},
        "tags": {"CostCenter": "ml"},
        "deployment": {
            "mode": "CANARY",
            "canarySize": {"type": "INSTANCE_COUNT", "value": 1},
            "bakeSeconds": 120,
            "terminationWaitSeconds": 30,
            "maximumExecutionTimeoutSeconds": 1800,
        },
        "rollbackAlarms": {
            "enabled": False,
            "maximum5xxErrors": 3,
            "maximumModelLatencyMs": 250,
        },
        "swap": "plain",
        "runtime": "sklearn",
        "sklearnImage": True,
        "imageUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/server:1",
        "roleArn": "arn:aws:iam::123456789012:role/serving",
        "forceDestroy": True,
        "customerManagedKey": True,
    }


def as_pulumi_hands_them_over(values: Mapping[str, Any]) -> dict[str, object]:
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()
    }


def test_every_setting_arrives() -> None:
    settings = parse_settings(all_values())

    model = settings.model
    assert model is not None
    assert settings.foundation_stack == "organization/greenlight/prod"
    assert settings.foundation == FoundationSettings(
        force_destroy=True,
        customer_managed_key=True,
        image_uri="123456789012.dkr.ecr.eu-west-1.amazonaws.com/server:1",
        sklearn_image=True,
        role_arn="arn:aws:iam::123456789012:role/serving",
    )
    assert model.artifact_digest == DIGEST
    assert model.environment == {"LOG_LEVEL": "info", "WORKERS": "2", "DEBUG": "false"}
    assert model.scaling == ScalingSettings(
        min_capacity=2,
        max_capacity=5,
        target_invocations_per_instance=70,
        scale_in_cooldown_seconds=120,
        scale_out_cooldown_seconds=30,
    )
    assert model.deployment == DeploymentSettings(
        mode=RolloutMode.CANARY,
        canary_size=CapacitySize(unit=CapacityUnit.INSTANCE_COUNT, value=1),
        bake_seconds=120,
        termination_wait_seconds=30,
        maximum_execution_timeout_seconds=1800,
    )
    assert model.rollback_alarms == RollbackAlarmSettings(
        enabled=False, maximum_5xx_errors=3, maximum_model_latency_ms=250
    )
    assert model.swap is SwapMode.PLAIN
    assert model.runtime is ModelRuntime.SKLEARN


def test_text_from_pulumi_and_values_from_yaml_mean_the_same() -> None:
    assert parse_settings(as_pulumi_hands_them_over(all_values())) == parse_settings(all_values())


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_base_stacks_hold_settings_that_can_be_deployed(stage: str) -> None:
    config = YAML(typ="safe").load((ROOT / f"Pulumi.{stage}.yaml").read_text())["config"]

    settings = parse_settings(
        {
            key.removeprefix("greenlight:"): value
            for key, value in config.items()
            if key.startswith("greenlight:")
        }
    )

    assert settings.stage == stage
    assert settings.model is not None
    assert settings.model.name == "iris"
    assert config["aws:region"] == "eu-west-1"


def test_a_model_of_scikit_learn_needs_an_image_that_holds_it() -> None:
    problem = only_problem_of(some_values(runtime="sklearn"))

    assert problem == (
        "greenlight:runtime is sklearn, and this stack's Foundation has no image with "
        "scikit-learn; set greenlight:sklearnImage to true, or give an imageUri that has it"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"sklearnImage": True},
        {"imageUri": "registry/server:1"},
        {"foundationStack": "organization/greenlight/dev"},
    ],
)
def test_an_image_for_scikit_learn_may_come_from_three_places(changes: dict[str, object]) -> None:
    model = parse_settings(some_values(runtime="sklearn", **changes)).model

    assert model is not None
    assert model.runtime is ModelRuntime.SKLEARN


def test_every_key_of_a_full_stack_is_a_known_one() -> None:
    assert set(all_values()) == {key for key in setting_keys() if "." not in key}


def test_all_problems_are_reported_at_once() -> None:
    problems = problems_of(
        {"stage": "test", "model": "Iris!", "initialInstanceCount": "zero", "colour": "blue"}
    )

    assert len(problems) == 6
    assert [problem.split(" ")[0] for problem in problems] == [
        "greenlight:stage",
        "greenlight:model",
        "greenlight:artifact",
        "greenlight:instanceType",
        "greenlight:initialInstanceCount",
        "greenlight:colour",
    ]


def test_error_counts_and_lists_its_problems() -> None:
    with pytest.raises(SettingsError, match=r"^1 problem in the settings:\n- greenlight:stage is"):
        parse_settings({"stage": "test"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage": None}, "greenlight:stage is missing; give dev or prod"),
        ({"stage": "test"}, "greenlight:stage is 'test'; give one of dev, prod"),
        ({"artifact": None}, "greenlight:artifact is missing, and a model needs it; "),
        ({"instanceType": None}, "greenlight:instanceType is missing, and a model needs it; "),
        ({"instanceType": "m5.large"}, "greenlight:instanceType is 'm5.large'; give an instance"),
        ({"model": "a" * 33}, "greenlight:model is "),
        ({"model": None, "foundationStack": "a/b/c"}, "greenlight:model is missing; "),
        ({"foundationStack": "dev"}, "greenlight:foundationStack is 'dev'; give the full name"),
        ({"initialInstanceCount": 0}, "greenlight:initialInstanceCount is 0; give a whole number"),
        ({"initialInstanceCount": True}, "greenlight:initialInstanceCount is true; give a whole"),
        ({"artifactDigest": "abc"}, "greenlight:artifactDigest is 'abc'; give the SHA-256"),
        ({"variantName": "a b"}, "greenlight:variantName is 'a b'; give letters"),
        ({"roleArn": "serving"}, "greenlight:roleArn is 'serving'; give the ARN"),
        ({"forceDestroy": "yes"}, "greenlight:forceDestroy is 'yes'; give true or false"),
        ({"swap": "auto"}, "greenlight:swap is 'auto'; give one of managed, plain"),
        ({"tags": {"Stack": "x"}}, "greenlight:tags.Stack is 'x'; the program sets Stack itself"),
        ({"tags": "x"}, "greenlight:tags is 'x'; give an object"),
        ({"tags": [1]}, "greenlight:tags is [1]; give an object"),
        ({"tags": {f"t{n}": "x" for n in range(47)}}, "greenlight:tags has 47 entries"),
        ({"environment": {"A": [1]}}, "greenlight:environment.A is [1]; give a text"),
        ({"environment": {f"E{n}": "x" for n in range(101)}}, "greenlight:environment has 101"),
        ({"maxCapacity": 3}, "greenlight:minCapacity is missing; autoscaling needs"),
        ({"scaleInCooldownSeconds": 5}, "greenlight:scaleInCooldownSeconds is given without"),
        (
            {"minCapacity": 1, "maxCapacity": 2, "instanceType": "ml.t2.medium"},
            "greenlight:minCapacity and maxCapacity are given, but instanceType ml.t2.medium",
        ),
        (
            {"deployment": {"mode": "CANARY", "canarySize": {"type": "INSTANCE_COUNT"}}},
            "greenlight:deployment.canarySize.value is missing; a size is",
        ),
        ({"deployment": {"bakeSeconds": 3601}}, "greenlight:deployment.bakeSeconds is 3601; "),
        ({"rollbackAlarms": {"maximum5xxErrors": -1}}, "greenlight:rollbackAlarms.maximum5xx"),
    ],
)
def test_wrong_setting_is_named_with_the_value_and_what_to_give(
    changes: dict[str, object], message: str
) -> None:
    problems = problems_of(some_values(**changes))

    assert problems[0].startswith(message)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"instancetype": "x"},
            "greenlight:instancetype is not a setting; did you mean greenlight:instanceType?",
        ),
        (
            {"deployment": {"bakeSecond": 1}},
            "greenlight:deployment.bakeSecond is not a setting; "
            "did you mean greenlight:deployment.bakeSeconds?",
        ),
        (
            {"rollbackAlarms": {"xyz": 1}},
            "greenlight:rollbackAlarms.xyz is not a setting; "
            "the settings here are enabled, maximum5xxErrors, maximumModelLatencyMs",
        ),
    ],
)
def test_unknown_key_is_refused_with_the_nearest_known_one(
    values: dict[str, object], message: str
) -> None:
    assert only_problem_of(some_values(**values)) == message


def test_canary_that_autoscaling_could_leave_one_instance_is_refused() -> None:
    values = some_values(
        initialInstanceCount=2,
        minCapacity=1,
        maxCapacity=5,
        deployment={"mode": "CANARY", "canarySize": {"type": "CAPACITY_PERCENT", "value": 50}},
    )

    assert "needs at least 2 instances, and the variant may have 1" in only_problem_of(values)


def test_plain_swap_takes_no_timeout_that_its_provider_refuses() -> None:
    deployment = {"maximumExecutionTimeoutSeconds": 20000}

    assert parse_settings(some_values(deployment=deployment)).model is not None
    assert "is above 14400" in only_problem_of(some_values(deployment=deployment, swap="plain"))


@given(
    st.dictionaries(
        st.sampled_from([*all_values(), "other"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-5, 5000),
            st.text(max_size=8),
            st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
        ),
    )
)
def test_any_values_are_parsed_or_refused_by_name(values: dict[str, object]) -> None:
    assert all(problem.startswith("greenlight:") for problem in problems_in(values))


def test_programs_tags_win_over_the_users() -> None:
    settings = parse_settings(some_values(tags={"CostCenter": "ml"}))

    assert resource_tags(settings, "dev-iris") == {
        "CostCenter": "ml",
        "Project": "greenlight",
        "Environment": "dev",
        "Stack": "dev-iris",
        "Model": "iris",
    }


def test_foundation_alone_has_no_model_tag() -> None:
    assert "Model" not in resource_tags(parse_settings({"stage": "dev"}), "dev")
