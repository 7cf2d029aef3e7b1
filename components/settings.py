"""The settings of a stack, typed and frozen, with every problem reported at once.

Read from a plain mapping, pure and free of Pulumi, so that the driver checks a stack's settings
with the same code as the program. Every key is described in `docs/settings.md`.

    SettingsError    one or more settings are wrong; `problems` holds one sentence for each
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from components.capacity import (
    INSTANCE_TYPE_PATTERN,
    ScalingSettings,
    capacity_problems,
    smallest_fleet,
)
from components.deployment_reader import deployment_from
from components.names import MAXIMUM_MODEL_NAME_LENGTH, MODEL_NAME_PATTERN, PROJECT
from components.rollout import DeploymentSettings, deployment_problems
from components.setting_reader import SettingReader

NAMESPACE = PROJECT

_VARIANT_NAME_PATTERN = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
_STACK_REFERENCE_PATTERN = r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+"
_DIGEST_PATTERN = r"[0-9a-f]{64}"
_ROLE_ARN_PATTERN = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+"
# Source: botocore 1.44.5, ContainerDefinition, Environment.
_MAXIMUM_ENVIRONMENT_ENTRIES = 100
# SageMaker takes 50 tags, of which this program sets four.
_MAXIMUM_TAGS = 46
_PROGRAM_TAGS = ("Project", "Environment", "Stack", "Model")


class SettingsError(ValueError):
    """Settings that cannot be deployed; the message lists every problem."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{count} in the settings:\n" + "\n".join(f"- {p}" for p in problems))


class Stage(StrEnum):
    """Where a model runs; each stage has a base stack of the same name."""

    DEV = "dev"
    PROD = "prod"


class SwapMode(StrEnum):
    """Who moves the endpoint to a new config.

    `plain` is Pulumi's own endpoint resource, for comparison only: it reports a rolled-back update
    as good.
    """

    MANAGED = "managed"
    PLAIN = "plain"


class ModelRuntime(StrEnum):
    """What answers in the container: ONNX Runtime (or the forest kernel), or scikit-learn itself.

    The second needs an image that holds scikit-learn.
    """

    ONNX = "onnx"
    SKLEARN = "sklearn"


@dataclass(frozen=True, kw_only=True)
class RollbackAlarmSettings:
    """When SageMaker gives up on a green fleet.

    Args:
        maximum_5xx_errors: 5xx answers of the green fleet in one minute that are still accepted.
        maximum_model_latency_ms: average answer time of the green fleet over one minute that is
            still accepted.
    """

    enabled: bool = True
    maximum_5xx_errors: int = 0
    maximum_model_latency_ms: int = 1000


@dataclass(frozen=True, kw_only=True)
class FoundationSettings:
    """What the models of a stage share.

    Args:
        force_destroy: whether destroying the stack also deletes artifacts and images.
        customer_managed_key: whether artifacts are encrypted by a KMS key of ours instead of
            AES256.
        image_uri: a server image made elsewhere, for models of either runtime; left out, the image
            is built from `container/`.
        sklearn_image: whether a second image is built, with scikit-learn in it.
        role_arn: an execution role made elsewhere; left out, one is made with the least rights.
    """

    force_destroy: bool = False
    customer_managed_key: bool = False
    image_uri: str | None = None
    sklearn_image: bool = False
    role_arn: str | None = None


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """One model and the endpoint that serves it."""

    name: str
    artifact: str
    artifact_digest: str | None
    instance_type: str
    initial_instance_count: int
    variant_name: str
    environment: Mapping[str, str]
    scaling: ScalingSettings | None
    deployment: DeploymentSettings
    rollback_alarms: RollbackAlarmSettings
    swap: SwapMode
    runtime: ModelRuntime = ModelRuntime.ONNX


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything one stack is told.

    Args:
        foundation_stack: the base stack whose Foundation is shared; left out, this stack makes its
            own.
        model: left out, the stack is a Foundation only.
    """

    stage: Stage
    foundation_stack: str | None
    foundation: FoundationSettings
    model: ModelSettings | None
    tags: Mapping[str, str]


def parse_settings(values: Mapping[str, object]) -> Settings:
    """Typed settings of a stack.

    Args:
        values: the stack's settings without their namespace (`stage`, not `greenlight:stage`),
            scalars as text or native values, objects as JSON text or mappings.
    Raises:
        SettingsError: something is missing, unknown, malformed or out of AWS's bounds.
    """
    reader = SettingReader(values, f"{NAMESPACE}:", [])
    settings = _settings_from(reader)
    if reader.problems:
        raise SettingsError(tuple(reader.problems))
    return settings


def setting_keys() -> tuple[str, ...]:
    """Every key there is, those of objects with a dot, such as `deployment.mode`."""
    size: dict[str, object] = {}
    deployment = {"canarySize": size, "linearStepSize": size, "maximumBatchSize": size}
    reader = SettingReader({"deployment": deployment, "rollbackAlarms": {}}, "", [])
    _settings_from(reader)
    return tuple(reader.asked)


def resource_tags(settings: Settings, stack: str) -> dict[str, str]:
    """The tags of every resource of a stack: the user's, then ours, which win.

    Args:
        stack: the stack's short name.
    """
    tags = {
        **settings.tags,
        "Project": PROJECT,
        "Environment": settings.stage.value,
        "Stack": stack,
    }
    if settings.model is not None:
        tags["Model"] = settings.model.name
    return tags


def _settings_from(reader: SettingReader) -> Settings:
    stage = reader.choice("stage", Stage, default=Stage.DEV)
    if not reader.has("stage"):
        reader.refuse("stage", "is missing; give dev or prod")
    foundation_stack = reader.text(
        "foundationStack",
        pattern=_STACK_REFERENCE_PATTERN,
        meaning="the full name of a base stack, such as organization/greenlight/dev",
    )
    foundation = _foundation_from(reader)
    model = _model_from(reader)
    if foundation_stack is not None and not reader.has("model"):
        reader.refuse("model", "is missing; a stack with a foundationStack holds exactly one model")
    if model is not None and foundation_stack is None and not _has_image_for(model, foundation):
        reader.refuse(
            "runtime",
            "is sklearn, and this stack's Foundation has no image with scikit-learn; set "
            f"{NAMESPACE}:sklearnImage to true, or give an imageUri that has it",
        )
    tags = _tags_from(reader)
    reader.refuse_unknown()
    return Settings(
        stage=stage,
        foundation_stack=foundation_stack,
        foundation=foundation,
        model=model,
        tags=tags,
    )


def _has_image_for(model: ModelSettings, foundation: FoundationSettings) -> bool:
    return (
        model.runtime is ModelRuntime.ONNX
        or foundation.sklearn_image
        or foundation.image_uri is not None
    )


def _foundation_from(reader: SettingReader) -> FoundationSettings:
    return FoundationSettings(
        force_destroy=reader.boolean("forceDestroy", default=False),
        customer_managed_key=reader.boolean("customerManagedKey", default=False),
        image_uri=reader.text("imageUri"),
        sklearn_image=reader.boolean("sklearnImage", default=False),
        role_arn=reader.text(
            "roleArn",
            pattern=_ROLE_ARN_PATTERN,
            meaning="the ARN of an IAM role, such as arn:aws:iam::123456789012:role/serving",
        ),
    )


def _model_from(reader: SettingReader) -> ModelSettings | None:
    name = reader.text(
        "model",
        pattern=MODEL_NAME_PATTERN.pattern,
        meaning="lower-case letters, digits and single dashes, starting with a letter, "
        f"at most {MAXIMUM_MODEL_NAME_LENGTH} characters",
    )
    has_model = reader.has("model")
    artifact = _needed(
        reader, "artifact", has_model, "run `greenlight package` and give its folder"
    )
    digest = reader.text(
        "artifactDigest",
        pattern=_DIGEST_PATTERN,
        meaning="the SHA-256 of model.tar.gz in hexadecimal",
    )
    instance_type = _needed(
        reader, "instanceType", has_model, "give one, such as ml.m5.large", INSTANCE_TYPE_PATTERN
    )
    count = reader.integer("initialInstanceCount", minimum=1, unit="of instances")
    initial_instance_count = 1 if count is None else count
    variant_name = reader.text(
        "variantName",
        pattern=_VARIANT_NAME_PATTERN,
        meaning="letters, digits and dashes, at most 63 characters",
    )
    runtime = reader.choice("runtime", ModelRuntime, default=ModelRuntime.ONNX)
    environment = _environment_from(reader)
    scaling = _scaling_from(reader)
    deployment = deployment_from(reader.section("deployment"))
    swap = reader.choice("swap", SwapMode, default=SwapMode.MANAGED)
    alarms = _rollback_alarms_from(reader.section("rollbackAlarms"))
    if name is None:
        return None
    for problem in capacity_problems(instance_type, initial_instance_count, scaling):
        reader.problems.append(f"{NAMESPACE}:{problem}")
    for problem in deployment_problems(
        deployment,
        smallest_fleet(initial_instance_count, scaling),
        is_plain=swap is SwapMode.PLAIN,
    ):
        reader.problems.append(f"{NAMESPACE}:deployment: {problem}")
    return ModelSettings(
        name=name,
        artifact=artifact,
        artifact_digest=digest,
        instance_type=instance_type,
        initial_instance_count=initial_instance_count,
        variant_name="AllTraffic" if variant_name is None else variant_name,
        environment=environment,
        scaling=scaling,
        deployment=deployment,
        rollback_alarms=alarms,
        swap=swap,
        runtime=runtime,
    )


def _environment_from(reader: SettingReader) -> dict[str, str]:
    environment = reader.texts_by_name("environment")
    if len(environment) > _MAXIMUM_ENVIRONMENT_ENTRIES:
        reader.refuse(
            "environment",
            f"has {len(environment)} entries; SageMaker takes {_MAXIMUM_ENVIRONMENT_ENTRIES}",
        )
    return environment


def _needed(
    reader: SettingReader, key: str, is_needed: bool, next_step: str, pattern: str | None = None
) -> str:
    value = reader.text(key, pattern=pattern, meaning="an instance type such as ml.m5.large")
    if is_needed and not reader.has(key):
        reader.refuse(key, f"is missing, and a model needs it; {next_step}")
    return "" if value is None else value


def _scaling_from(reader: SettingReader) -> ScalingSettings | None:
    minimum = reader.integer("minCapacity", minimum=1, unit="of instances")
    maximum = reader.integer("maxCapacity", minimum=1, unit="of instances")
    target = reader.integer(
        "targetInvocationsPerInstance", minimum=1, unit="of invocations per instance per minute"
    )
    scale_in = reader.integer("scaleInCooldownSeconds", minimum=0, unit="of seconds")
    scale_out = reader.integer("scaleOutCooldownSeconds", minimum=0, unit="of seconds")
    if not reader.has("minCapacity") and not reader.has("maxCapacity"):
        for key in (
            "targetInvocationsPerInstance",
            "scaleInCooldownSeconds",
            "scaleOutCooldownSeconds",
        ):
            if reader.has(key):
                reader.refuse(
                    key, "is given without minCapacity and maxCapacity; give both, or leave it out"
                )
        return None
    for key in ("minCapacity", "maxCapacity"):
        if not reader.has(key):
            reader.refuse(key, "is missing; autoscaling needs minCapacity and maxCapacity")
    if minimum is None or maximum is None:
        return None
    return ScalingSettings(
        min_capacity=minimum,
        max_capacity=maximum,
        target_invocations_per_instance=1000 if target is None else target,
        scale_in_cooldown_seconds=300 if scale_in is None else scale_in,
        scale_out_cooldown_seconds=60 if scale_out is None else scale_out,
    )


def _rollback_alarms_from(reader: SettingReader | None) -> RollbackAlarmSettings:
    if reader is None:
        return RollbackAlarmSettings()
    errors = reader.integer("maximum5xxErrors", minimum=0, unit="of answers per minute")
    latency = reader.integer("maximumModelLatencyMs", minimum=1, unit="of milliseconds")
    settings = RollbackAlarmSettings(
        enabled=reader.boolean("enabled", default=True),
        maximum_5xx_errors=0 if errors is None else errors,
        maximum_model_latency_ms=1000 if latency is None else latency,
    )
    reader.refuse_unknown()
    return settings


def _tags_from(reader: SettingReader) -> dict[str, str]:
    tags = reader.texts_by_name("tags")
    if len(tags) > _MAXIMUM_TAGS:
        reader.refuse("tags", f"has {len(tags)} entries; SageMaker takes 50, four of them ours")
    for key in _PROGRAM_TAGS:
        if key in tags:
            reader.refuse(f"tags.{key}", f"is {tags[key]!r}; the program sets {key} itself")
    return tags
