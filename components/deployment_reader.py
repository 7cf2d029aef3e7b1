"""Reads the setting `deployment`: how traffic moves from the blue fleet to the green one. Pure."""

from components.rollout import (
    MAXIMUM_EXECUTION_TIMEOUT_SECONDS,
    MAXIMUM_WAIT_SECONDS,
    MINIMUM_EXECUTION_TIMEOUT_SECONDS,
    CapacitySize,
    CapacityUnit,
    DeploymentSettings,
    RolloutMode,
)
from components.setting_reader import SettingReader


def deployment_from(reader: SettingReader | None) -> DeploymentSettings:
    """Read how a swap goes; left out, all at once and unwatched. Problems stay with the reader."""
    if reader is None:
        return DeploymentSettings()
    bake = reader.integer("bakeSeconds", minimum=0, maximum=MAXIMUM_WAIT_SECONDS, unit="of seconds")
    termination_wait = reader.integer(
        "terminationWaitSeconds", minimum=0, maximum=MAXIMUM_WAIT_SECONDS, unit="of seconds"
    )
    deployment = DeploymentSettings(
        mode=reader.choice("mode", RolloutMode, default=RolloutMode.ALL_AT_ONCE),
        canary_size=_capacity_size_from(reader.section("canarySize")),
        linear_step_size=_capacity_size_from(reader.section("linearStepSize")),
        maximum_batch_size=_capacity_size_from(reader.section("maximumBatchSize")),
        bake_seconds=0 if bake is None else bake,
        termination_wait_seconds=0 if termination_wait is None else termination_wait,
        maximum_execution_timeout_seconds=reader.integer(
            "maximumExecutionTimeoutSeconds",
            minimum=MINIMUM_EXECUTION_TIMEOUT_SECONDS,
            maximum=MAXIMUM_EXECUTION_TIMEOUT_SECONDS,
            unit="of seconds",
        ),
    )
    reader.refuse_unknown()
    return deployment


def _capacity_size_from(reader: SettingReader | None) -> CapacitySize | None:
    if reader is None:
        return None
    unit = reader.choice("type", CapacityUnit, default=CapacityUnit.INSTANCE_COUNT)
    value = reader.integer("value", minimum=1)
    for key in ("type", "value"):
        if not reader.has(key):
            reader.refuse(key, "is missing; a size is {type: INSTANCE_COUNT, value: 1}")
    reader.refuse_unknown()
    return CapacitySize(unit=unit, value=1 if value is None else value)
