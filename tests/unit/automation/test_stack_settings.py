"""A stack's config is the base stack's under the spec's under the artifact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from automation.driver import ROOT
from automation.errors import SettingsProblemError, UsageError
from automation.spec import ModelSpec, Runtime, load_spec
from automation.stack_settings import (
    ArtifactSetting,
    StackTarget,
    assemble,
    check,
    config_from_history,
    foundation_stack_name,
    stage_from,
    target_for,
)
from automation.workspace import base_file

BASE: dict[str, object] = {
    "aws:region": "eu-west-1",
    "greenlight:stage": "dev",
    "greenlight:model": "iris",
    "greenlight:artifact": "build/models/iris",
    "greenlight:instanceType": "ml.t2.medium",
    "greenlight:tags": {"CostCenter": "ml"},
}
ARTIFACT = ArtifactSetting(location="build/models/wine/0123", digest="0" * 64)


def a_spec(model: str = "wine", **settings: object) -> ModelSpec:
    return ModelSpec(
        model=model, script=Path("train.py"), estimator="random-forest", settings=settings
    )


def test_the_base_stacks_own_model_lives_in_the_base_stack() -> None:
    target = target_for("iris", "dev", BASE)

    assert target == StackTarget(model="iris", stage="dev", name="dev", base="dev")
    assert target.is_base


def test_any_other_model_has_a_stack_of_its_own() -> None:
    target = target_for("wine", "dev", BASE)

    assert target.name == "dev-wine"
    assert not target.is_base


def test_a_per_model_stack_shares_the_foundation_and_inherits_no_model() -> None:
    config = assemble(
        target_for("wine", "dev", BASE),
        BASE,
        a_spec(instanceType="ml.m5.large", tags={"Team": "wine"}),
        ARTIFACT,
        foundation_stack="organization/greenlight/dev",
    )

    assert config == {
        "aws:region": "eu-west-1",
        "greenlight:artifact": "build/models/wine/0123",
        "greenlight:artifactDigest": "0" * 64,
        "greenlight:foundationStack": "organization/greenlight/dev",
        "greenlight:instanceType": "ml.m5.large",
        "greenlight:model": "wine",
        "greenlight:stage": "dev",
        "greenlight:tags": {"CostCenter": "ml", "Team": "wine"},
    }


def test_the_runtime_of_an_artifact_is_set_where_it_is_not_the_usual_one() -> None:
    target = target_for("wine", "dev", BASE)
    artifact = replace(ARTIFACT, runtime=Runtime.SKLEARN)

    config = assemble(
        target,
        BASE | {"greenlight:runtime": "onnx"},
        a_spec(instanceType="ml.m5.large"),
        artifact,
        foundation_stack="organization/greenlight/dev",
    )

    assert config["greenlight:runtime"] == "sklearn"
    check(config, target)


def test_the_base_stacks_runtime_is_not_inherited() -> None:
    base = BASE | {"greenlight:runtime": "sklearn", "greenlight:sklearnImage": True}

    config = assemble(
        target_for("wine", "dev", BASE), base, a_spec(), ARTIFACT, foundation_stack="o/g/dev"
    )

    assert "greenlight:runtime" not in config


def test_the_base_stack_makes_its_own_foundation() -> None:
    target = target_for("iris", "dev", BASE)

    config = assemble(target, BASE, a_spec("iris"), ARTIFACT, foundation_stack=None)

    assert "greenlight:foundationStack" not in config
    assert config["greenlight:artifact"] == ARTIFACT.location


@pytest.mark.parametrize("stage", ["dev", "prod"])
@pytest.mark.parametrize("model", ["iris", "wine"])
def test_the_shipped_models_can_be_deployed_in_every_stage(model: str, stage: str) -> None:
    base = base_file(ROOT, stage)["config"]
    target = target_for(model, stage, base)
    foundation = None if target.is_base else foundation_stack_name("organization", stage)

    config = assemble(target, base, load_spec(ROOT, model), ARTIFACT, foundation_stack=foundation)

    check(config, target)


def test_settings_that_cannot_be_deployed_are_refused_with_every_problem() -> None:
    target = target_for("wine", "dev", BASE)
    spec = a_spec(instanceTipe="ml.m5.large", initialInstanceCount=0)
    config = assemble(target, BASE, spec, ARTIFACT, foundation_stack="organization/greenlight/dev")

    with pytest.raises(SettingsProblemError) as refusal:
        check(config, target)

    message = str(refusal.value)
    assert "greenlight:instanceTipe is not a setting" in message
    assert "greenlight:initialInstanceCount is 0" in message
    assert "Pulumi.dev.yaml and models/wine.yaml" in message


def test_secrets_are_left_to_the_program() -> None:
    target = target_for("iris", "dev", BASE)
    config = assemble(target, BASE, a_spec("iris"), ARTIFACT, foundation_stack=None)

    check({**config, "greenlight:environment": {"secure": "v1:abc"}}, target)


def test_an_unknown_stage_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"stage 'test' .* allowed are dev, prod"):
        stage_from("test")


def test_objects_of_a_history_record_become_objects_again() -> None:
    config = config_from_history(
        {
            "greenlight:deployment": '{"mode":"CANARY"}',
            "greenlight:model": "wine",
            "greenlight:odd": "{not json",
        }
    )

    assert config == {
        "greenlight:deployment": {"mode": "CANARY"},
        "greenlight:model": "wine",
        "greenlight:odd": "{not json",
    }
