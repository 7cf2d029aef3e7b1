"""What a stack can be asked about: its history, its Foundation, its neighbours, its artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automation import artifact as artifacts
from automation import image_manifest, stack_settings, workspace
from automation.artifact import Artifact
from automation.errors import (
    FoundationInUseError,
    SettingsProblemError,
    StackError,
    StackNotFoundError,
)
from automation.history import UpdateRecord
from automation.stack_settings import StackTarget
from components.artifact import ARCHIVE_NAME
from components.build_context import BUILD_CONTEXT, TAG_LENGTH, context_digest
from components.names import artifact_key

if TYPE_CHECKING:
    from pulumi.automation import Stack


@dataclass(frozen=True, kw_only=True)
class BaseStack:
    """The base stack that holds the Foundation of another one.

    Args:
        name: its full name, as a StackReference takes it.
    """

    name: str
    outputs: dict[str, Any]


def foundation_of(root: Path, target: StackTarget) -> BaseStack:
    """Read the base stack, and make sure that it holds a Foundation."""
    how = f"deploy it first with `greenlight up <its model> --stage {target.stage}`"
    try:
        base = workspace.open_stack(root, target.base)
    except StackNotFoundError as err:
        raise StackNotFoundError(
            f"stack {target.name} shares the Foundation of the base stack {target.base}, which "
            f"does not exist; {how}"
        ) from err
    outputs = workspace.outputs_of(base)
    if "bucketName" not in outputs:
        raise StackError(f"the base stack {target.base} holds no Foundation; {how}")
    name = stack_settings.foundation_stack_name(workspace.organization_of(base), target.base)
    return BaseStack(name=name, outputs=outputs)


def image_notes(
    root: Path, target: StackTarget, config: dict[str, object], outputs: dict[str, Any]
) -> tuple[str, ...]:
    """Refuse an image that SageMaker would refuse, where it is known before the update.

    Args:
        config: the stack's whole config, with namespaces.
        outputs: the base stack's.

    Returns:
        what a person should know of an image that could not be checked.

    Raises:
        ImageError: it is missing, or has a manifest of a type that SageMaker does not take.
        SettingsProblemError: the image is to be built of a folder that is not there.
    """
    image = image_manifest.planned_image(
        config,
        outputs,
        is_base=target.is_base,
        context_tag=lambda: _context_tag(root),
    )
    return image_manifest.check(image, image_manifest.ask_ecr)


def _context_tag(root: Path) -> str:
    try:
        return context_digest(root / BUILD_CONTEXT)[:TAG_LENGTH]
    except FileNotFoundError as err:
        raise SettingsProblemError(str(err)) from err


def stored_artifact(
    root: Path, target: StackTarget, digest: str, stack: Stack, region: str | None
) -> Artifact:
    """Find an artifact that was deployed before: here, else in S3."""
    directory = artifacts.artifact_directory(root, target.model, digest)
    if (directory / ARCHIVE_NAME).is_file():
        return artifacts.read(root, directory, digest)
    bucket = workspace.outputs_of(stack).get("bucketName")
    archive = artifacts.fetch(str(bucket), artifact_key(target.model, digest), digest, region)
    return artifacts.store(root, target.model, archive)


def refuse_while_used(stack: Stack, target: StackTarget) -> None:
    """Stop a base stack's destruction while other models' stacks share its Foundation.

    Raises:
        FoundationInUseError: naming them.
    """
    with workspace.pulumi_errors(target.name, Path(stack.workspace.work_dir)):
        summaries = stack.workspace.list_stacks()
    users = sorted(
        workspace.stack_short_name(summary.name)
        for summary in summaries
        if workspace.stack_short_name(summary.name).startswith(f"{target.base}-")
        and summary.resource_count != 0
    )
    if users:
        raise FoundationInUseError(
            f"base stack {target.name} cannot be destroyed: {', '.join(users)} "
            f"{'uses' if len(users) == 1 else 'use'} its Foundation; destroy "
            f"{'it' if len(users) == 1 else 'them'} first (`greenlight destroy "
            f"{users[0].removeprefix(f'{target.base}-')} --stage {target.stage}`)"
        )


def records_of(stack: Stack) -> list[UpdateRecord]:
    """Read a stack's history, the newest record first; secrets are left out."""
    with workspace.pulumi_errors(stack.name, Path(stack.workspace.work_dir)):
        summaries = stack.history(show_secrets=False)
    return [
        UpdateRecord(
            kind=summary.kind,
            result=summary.result,
            message=summary.message,
            config={key: value.value for key, value in summary.config.items() if not value.secret},
        )
        for summary in summaries
    ]


def alarm_names_of(outputs: dict[str, Any]) -> list[str]:
    """Name the rollback alarms among a stack's outputs."""
    names = outputs.get("rollbackAlarmNames")
    return [str(name) for name in names] if isinstance(names, list) else []


def region_from(config: dict[str, object]) -> str | None:
    """Say which region a stack's config names; None leaves it to the environment."""
    region = config.get("aws:region")
    return region if isinstance(region, str) else None
