"""Which stack a model has in a stage, and which settings that stack gets. Pure.

A base stack's settings are its own file under the model's spec under the artifact; a per-model
stack gets the same, without what belongs to the base stack's own model, and shares its Foundation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automation.errors import SettingsProblemError, UsageError
from automation.spec import ModelSpec, Runtime, merge_settings
from components.names import PROJECT
from components.settings import NAMESPACE, SettingsError, Stage, parse_settings

PREFIX = f"{NAMESPACE}:"
# What says which model the base stack serves, and from where; never inherited.
MODEL_KEYS = ("model", "artifact", "artifactDigest", "runtime")


@dataclass(frozen=True, kw_only=True)
class StackTarget:
    """The stack of one model in one stage.

    Args:
        name: `dev` for the model the base stack serves, `dev-wine` for any other.
        base: the base stack that holds the Foundation.
    """

    model: str
    stage: str
    name: str
    base: str

    @property
    def is_base(self) -> bool:
        """Whether the Foundation lives in this very stack."""
        return self.name == self.base


@dataclass(frozen=True, kw_only=True)
class ArtifactSetting:
    """The artifact as settings name it.

    Args:
        location: a folder relative to the project, or an S3 URI.
        digest: SHA-256 of model.tar.gz in hexadecimal.
        runtime: what answers for it in the container; it decides the image.
    """

    location: str
    digest: str
    runtime: Runtime = Runtime.ONNX


def stage_from(text: str) -> str:
    """Check a stage's name.

    Raises:
        UsageError: there is no such stage.
    """
    allowed = [stage.value for stage in Stage]
    if text not in allowed:
        raise UsageError(f"stage {text!r} does not exist; allowed are {', '.join(allowed)}")
    return text


def target_for(model: str, stage: str, base_config: Mapping[str, object]) -> StackTarget:
    """Name a model's stack.

    Args:
        base_config: the config of the base stack's file, with namespaces.
    """
    is_base = base_config.get(f"{PREFIX}model") == model
    return StackTarget(
        model=model, stage=stage, name=stage if is_base else f"{stage}-{model}", base=stage
    )


def assemble(
    target: StackTarget,
    base_config: Mapping[str, object],
    spec: ModelSpec,
    artifact: ArtifactSetting,
    *,
    foundation_stack: str | None,
) -> dict[str, object]:
    """Put a stack's whole config together.

    Args:
        base_config: the config of the base stack's file, with namespaces.
        foundation_stack: the full name of the base stack; needed for any other stack.
    """
    others = {key: value for key, value in base_config.items() if not key.startswith(PREFIX)}
    own = without_namespace(base_config)
    for key in MODEL_KEYS:
        own.pop(key, None)
    own = merge_settings(own, spec.settings_for(target.stage))
    own |= {
        "stage": target.stage,
        "model": target.model,
        "artifact": artifact.location,
        "artifactDigest": artifact.digest,
    }
    if artifact.runtime is not Runtime.ONNX:
        own["runtime"] = artifact.runtime.value
    if not target.is_base:
        own["foundationStack"] = foundation_stack
    return others | {f"{PREFIX}{key}": value for key, value in sorted(own.items())}


def check(config: Mapping[str, object], target: StackTarget) -> None:
    """Read the assembled config with the program's own code, before anything is started.

    Raises:
        SettingsProblemError: listing every problem.
    """
    readable = {
        key: value for key, value in without_namespace(config).items() if not is_secret(value)
    }
    try:
        parse_settings(readable)
    except SettingsError as err:
        raise SettingsProblemError(
            f"stack {target.name} cannot be deployed, {err}\n"
            f"they come from Pulumi.{target.base}.yaml and models/{target.model}.yaml"
        ) from err


def without_namespace(config: Mapping[str, object]) -> dict[str, object]:
    """Return greenlight's own settings by their short keys."""
    return {
        key.removeprefix(PREFIX): value for key, value in config.items() if key.startswith(PREFIX)
    }


def is_secret(value: object) -> bool:
    """Whether a value of a stack's file is encrypted."""
    return isinstance(value, Mapping) and set(value) == {"secure"}


def config_from_history(config: Mapping[str, str]) -> dict[str, object]:
    """Bring the config of a history record, all text, into the form of a stack's file."""
    return {key: _native(value) for key, value in config.items()}


def foundation_stack_name(organization: str, base: str) -> str:
    """Spell out the base stack as a StackReference takes it."""
    return f"{organization}/{PROJECT}/{base}"


def _native(value: str) -> Any:
    # Pulumi keeps objects and lists of a config as JSON text; no setting of ours is such a text.
    if value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
