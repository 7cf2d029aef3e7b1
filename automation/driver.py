"""What can be done to a model's stack, for programs and for the `greenlight` command alike.

    up       package, check, preview, update; ends with a verdict
    preview  the same up to the preview
    revert   back to the last verified deployment
    destroy  take the stack down
    status   how it stands; changes nothing
    watch    follow a swap that is under way, whoever started it

Every verb takes a model and a stage, works on the stack of that pair, and raises a
`GreenlightError` that says what to do next. A swap that SageMaker rolled back is no exception but a
`Deployment` whose verdict says so: `require_promoted()` turns it into one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automation import artifact as artifacts
from automation import history, stack_facts, stack_settings, workspace
from automation.artifact import Artifact
from automation.deployment import (
    Deployment,
    StackStatus,
    WatchResult,
    deployment_from,
    failed_swap,
)
from automation.endpoint import EndpointReader, EndpointState
from automation.engine_call import run_to_the_end
from automation.errors import StackError, UpdateFailedError, UsageError
from automation.hazards import PreviewSummary, hazards_of
from automation.listeners import SILENT
from automation.listeners import Listeners as Listeners
from automation.progress import (
    EndpointWatch,
    Progress,
)
from automation.spec import ModelSpec, Runtime, load_spec
from automation.stack_settings import ArtifactSetting, StackTarget
from automation.watching import LONGEST_WATCH_SECONDS, follow

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent, Stack

ROOT = Path(__file__).resolve().parent.parent


def up(
    model: str,
    stage: str,
    *,
    root: Path = ROOT,
    estimator: str | None = None,
    artifact: Path | None = None,
    with_preview: bool = True,
    listen: Listeners = SILENT,
) -> Deployment:
    """Deploy a model: package it, check everything, preview, update the stack, follow the swap.

    Args:
        estimator: what the training script trains; left out, the spec's own.
        artifact: a folder `greenlight package` made, instead of packaging now.
        with_preview: whether to preview first; the update itself is the same.

    Returns:
        the deployment with its verdict, `promoted`, `rolled_back` or `inconclusive`.

    Raises:
        UsageError: there is no such stage or estimator, or two things at a time were given.
        PackagingError: the gate refused the model, or the image it is to be served by.
        SettingsProblemError: the stack's settings cannot be deployed.
        StackBusyError: another update runs on the stack.
        UpdateFailedError: the update failed in another way than by its swap.
    """
    spec, target, base = _load(root, model, stage)
    workspace.check_setup()
    region = stack_facts.region_from(base["config"])
    found = artifact_for(spec, root, estimator, artifact, listen, region)
    stack, config, notes = _prepared(root, target, base, spec, found)
    summary = _previewed(stack, listen, notes) if with_preview else None
    if summary is None:
        listen.warn(notes)
    message = f"greenlight up {target.model} {found.manifest['estimator']} {found.short_digest}"
    return _deployed(stack, target, config, message, summary, listen)


def preview(
    model: str,
    stage: str,
    *,
    root: Path = ROOT,
    estimator: str | None = None,
    artifact: Path | None = None,
    listen: Listeners = SILENT,
) -> PreviewSummary:
    """Say what `up` would change and what of it is dangerous; the stack is made if need be."""
    spec, target, base = _load(root, model, stage)
    workspace.check_setup()
    region = stack_facts.region_from(base["config"])
    found = artifact_for(spec, root, estimator, artifact, listen, region)
    stack, _, notes = _prepared(root, target, base, spec, found)
    return _previewed(stack, listen, notes)


def revert(model: str, stage: str, *, root: Path = ROOT, listen: Listeners = SILENT) -> Deployment:
    """Deploy again what was verified last: an update like any other, with an older config.

    After a failed update that is what is live; after a good one it is the deployment before it.
    The artifact comes from the build folder, or from S3 where it is kept after its deployment.

    Raises:
        NothingToRevertError: history holds no other verified deployment.
        ArtifactError: the artifact is nowhere to be found.
        ImageError: the image went away meanwhile, or is one that SageMaker refuses.
    """
    _, target, base = _load(root, model, stage)
    workspace.check_setup()
    stack = workspace.open_stack(root, target.name)
    record = history.plan_revert(stack_facts.records_of(stack), target.name)
    config = stack_settings.config_from_history(record.config)
    found = stack_facts.stored_artifact(
        root, target, str(record.artifact_digest), stack, stack_facts.region_from(config)
    )
    config[f"{stack_settings.PREFIX}artifact"] = str(found.directory.relative_to(root))
    stack_settings.check(config, target)
    held = stack if target.is_base else workspace.open_stack(root, target.base)
    listen.warn(stack_facts.image_notes(root, target, config, workspace.outputs_of(held)))
    workspace.write_folder(root, target.name, config, workspace.base_secrets(base))
    message = f"{history.REVERT_MESSAGE} {target.model} to {found.short_digest}"
    return _deployed(stack, target, config, message, None, listen)


def destroy(
    model: str,
    stage: str,
    *,
    root: Path = ROOT,
    keep_stack: bool = False,
    listen: Listeners = SILENT,
) -> None:
    """Delete everything a model's stack holds, then the stack itself.

    Args:
        keep_stack: leave the empty stack and its history.

    Raises:
        FoundationInUseError: it is the base stack, and other models' stacks use its Foundation.
    """
    _, target, base = _load(root, model, stage)
    workspace.check_setup()
    stack = workspace.open_stack(root, target.name)
    folder = Path(stack.workspace.work_dir)
    if target.is_base:
        stack_facts.refuse_while_used(stack, target)
    records = stack_facts.records_of(stack)
    if not (folder / f"Pulumi.{target.name}.yaml").is_file() and records:
        config = stack_settings.config_from_history(records[0].config)
        workspace.write_folder(root, target.name, config, workspace.base_secrets(base))
    progress = Progress(listen.on_line)
    try:
        with workspace.pulumi_errors(target.name, folder):
            run_to_the_end(
                lambda: stack.destroy(
                    message=f"greenlight destroy {target.model}",
                    color="never",
                    on_event=_event_taker(progress, listen),
                    on_output=listen.on_output,
                ),
                progress.take_interrupt,
            )
            if not keep_stack:
                stack.workspace.remove_stack(target.name)
    except UpdateFailedError as err:
        raise _failed("destruction", target.name, progress, err) from err


def status(model: str, stage: str, *, root: Path = ROOT) -> StackStatus:
    """Say how a model's stack stands: its last update and what its endpoint does now."""
    _, target, base = _load(root, model, stage)
    workspace.check_setup()
    stack = workspace.open_stack(root, target.name)
    outputs = workspace.outputs_of(stack)
    updates = [record for record in stack_facts.records_of(stack) if record.kind == "update"]
    last = updates[0] if updates else None
    name = outputs.get("endpointName")
    endpoint = None
    if isinstance(name, str):
        endpoint = EndpointReader(stack_facts.region_from(base["config"])).look(
            name, stack_facts.alarm_names_of(outputs)
        )
    return StackStatus(
        model=target.model,
        stage=stage,
        stack=target.name,
        last_result=None if last is None else last.result,
        last_message=None if last is None else last.message,
        artifact_digest=outputs.get("artifactDigest"),
        endpoint=endpoint,
    )


def watch(
    model: str,
    stage: str,
    *,
    root: Path = ROOT,
    listen: Listeners = SILENT,
    limit_seconds: float = LONGEST_WATCH_SECONDS,
) -> WatchResult:
    """Follow the swap under way to its verdict; changes nothing, may be stopped at any time.

    Raises:
        StackError: the stack has no endpoint.
    """
    _, target, base = _load(root, model, stage)
    reader = EndpointReader(stack_facts.region_from(base["config"]))
    name, alarm_names = endpoint_of(target, root=root)
    return follow(
        lambda: reader.look(name, alarm_names), name, listen=listen, limit_seconds=limit_seconds
    )


def endpoint_of(target: StackTarget, *, root: Path = ROOT) -> tuple[str, list[str]]:
    """Return a stack's endpoint name and its rollback alarms.

    Raises:
        StackError: the stack has no endpoint.
    """
    workspace.check_setup()
    outputs = workspace.outputs_of(workspace.open_stack(root, target.name))
    name = outputs.get("endpointName")
    if not isinstance(name, str):
        raise StackError(
            f"stack {target.name} has no endpoint; deploy one with "
            f"`greenlight up {target.model} --stage {target.stage}`"
        )
    return name, stack_facts.alarm_names_of(outputs)


def target_of(model: str, stage: str, *, root: Path = ROOT) -> StackTarget:
    """Name the stack of a model in a stage."""
    return _load(root, model, stage)[1]


def region_of(stage: str, *, root: Path = ROOT) -> str | None:
    """Say in which region a stage is; None leaves it to the environment."""
    return stack_facts.region_from(workspace.base_file(root, stage)["config"])


def _load(root: Path, model: str, stage: str) -> tuple[ModelSpec, StackTarget, dict[str, Any]]:
    stage = stack_settings.stage_from(stage)
    spec = load_spec(root, model)
    base = workspace.base_file(root, stage)
    return spec, stack_settings.target_for(spec.model, stage, base["config"]), base


def artifact_for(
    spec: ModelSpec,
    root: Path,
    estimator: str | None,
    artifact: Path | None,
    listen: Listeners,
    region: str | None = None,
) -> Artifact:
    """Give the artifact of a folder `greenlight package` made, or package the model now.

    Args:
        region: where a spec's source is looked for; left out, the environment's.

    Raises:
        UsageError: both an artifact and an estimator are given.
        PackagingError: the gate refused the model, or the folder holds none of its artifacts.
    """
    if artifact is not None:
        if estimator is not None:
            raise UsageError(
                f"--estimator {estimator} names what the training script trains, and --artifact "
                f"{artifact} is packaged already; give one of the two"
            )
        found = artifacts.read(root, artifact)
        artifacts.manifest_of(found.archive.read_bytes(), spec.model)
        return artifacts.store(root, spec.model, found.archive.read_bytes())
    from automation.gate.packaging import package

    packaged = package(spec, root, estimator=estimator, region=region)
    if listen.on_package is not None:
        listen.on_package(packaged)
    return packaged.artifact


def _prepared(
    root: Path, target: StackTarget, base: dict[str, Any], spec: ModelSpec, artifact: Artifact
) -> tuple[Stack, dict[str, object], tuple[str, ...]]:
    """Make or select the stack, with its image checked and its settings checked and written.

    Returns:
        the stack, its settings, and what a person should know of its image.
    """
    setting = ArtifactSetting(
        location=str(artifact.directory.relative_to(root)),
        digest=artifact.digest,
        runtime=Runtime(artifact.manifest["runtime"]),
    )
    foundation = None if target.is_base else stack_facts.foundation_of(root, target)
    config = stack_settings.assemble(
        target,
        base["config"],
        spec,
        setting,
        foundation_stack=None if foundation is None else foundation.name,
    )
    stack_settings.check(config, target)
    workspace.write_folder(root, target.name, config, workspace.base_secrets(base))
    stack = workspace.open_stack(root, target.name, create=True)
    outputs = workspace.outputs_of(stack) if foundation is None else foundation.outputs
    return stack, config, stack_facts.image_notes(root, target, config, outputs)


def _previewed(stack: Stack, listen: Listeners, notes: tuple[str, ...]) -> PreviewSummary:
    progress = Progress()
    try:
        with workspace.pulumi_errors(stack.name, Path(stack.workspace.work_dir)):
            stack.preview(on_event=progress.take_event, color="never")
    except UpdateFailedError as err:
        raise _failed("preview", stack.name, progress, err) from err
    summary = PreviewSummary(changes=progress.changes, hazards=hazards_of(progress.steps) + notes)
    if listen.on_preview is not None:
        listen.on_preview(summary)
    return summary


def _deployed(
    stack: Stack,
    target: StackTarget,
    config: dict[str, object],
    message: str,
    summary: PreviewSummary | None,
    listen: Listeners,
) -> Deployment:
    progress = Progress(listen.on_line)

    def take_state(state: EndpointState) -> None:
        progress.take_state(state)
        if listen.on_state is not None:
            listen.on_state(state)

    outputs: dict[str, Any] = {}
    failure = None
    try:
        with (
            workspace.pulumi_errors(target.name, Path(stack.workspace.work_dir)),
            EndpointWatch(
                lambda: progress.endpoint_name, take_state, stack_facts.region_from(config)
            ),
        ):
            result = run_to_the_end(
                lambda: stack.up(
                    message=message,
                    color="never",
                    on_event=_event_taker(progress, listen),
                    on_output=listen.on_output,
                ),
                progress.take_interrupt,
            )
        outputs = {name: output.value for name, output in result.outputs.items()}
    except UpdateFailedError as err:
        failure = failed_swap([*progress.errors, str(err.__cause__)])
        if failure is None:
            raise _failed("update", target.name, progress, err) from err
    digest = str(config[f"{stack_settings.PREFIX}artifactDigest"])
    deployment = deployment_from(target, digest, outputs, failure)
    return replace(deployment, changes=progress.changes, preview=summary)


def _failed(
    what: str, stack: str, progress: Progress, error: UpdateFailedError
) -> UpdateFailedError:
    """Prefer the errors the engine reported as events to the end of its output."""
    told = "\n".join(progress.errors) if progress.errors else str(error)
    return UpdateFailedError(f"{what} of stack {stack} failed: {told}")


def _event_taker(progress: Progress, listen: Listeners) -> Callable[[EngineEvent], None]:
    def take(event: EngineEvent) -> None:
        progress.take_event(event)
        if listen.on_event is not None:
            listen.on_event(event)

    return take
