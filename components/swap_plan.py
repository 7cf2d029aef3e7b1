"""What a swap does next and what it came to, decided from what SageMaker shows. Pure.

The only proof of a promoted swap is an endpoint `InService` on the target config. A rolled-back one
is `InService` as well, on the old config, with a failure reason that may be empty; that is why
nothing here decides by status alone.

    SwapError                what every failed swap raises; the message tells the whole story
    ├── RolledBackError      SageMaker put the blue fleet back
    ├── InconclusiveError    the deadline passed, or SageMaker could not be asked
    └── RefusedError         the endpoint cannot be swapped as it is
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a swap came to."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    INCONCLUSIVE = "inconclusive"


class SwapError(Exception):
    """A swap that did not end on its target."""


class RolledBackError(SwapError):
    """SageMaker put the blue fleet back."""


class InconclusiveError(SwapError):
    """Nobody can say yet what the swap came to."""


class RefusedError(SwapError):
    """The endpoint is in a state that no swap can start from."""


@dataclass(frozen=True, kw_only=True)
class EndpointView:
    """One look at an endpoint.

    Args:
        status: SageMaker's word, such as `InService` or `Updating`.
        endpoint_config_name: the config that is live; during an update still the old one.
        pending_config_name: the config being moved to, if SageMaker says so.
        failure_reason: why the last operation failed; may be absent after a rolled-back update.
        last_modified: when SageMaker last changed the endpoint, in seconds since 1970.
        stages: what the fleets are doing, one line each.
    """

    status: str
    endpoint_config_name: str
    pending_config_name: str | None
    failure_reason: str | None
    last_modified: float
    stages: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SwapProgress:
    """What this run of the swap knows beyond the current look.

    Args:
        target_config_name: where the endpoint should end.
        is_under_way: whether the endpoint was seen updating to the target, by this run's call or an
            earlier one's.
        called_at_modified: the endpoint's last modification when this run called UpdateEndpoint.
    """

    target_config_name: str
    is_under_way: bool = False
    called_at_modified: float | None = None


class NextStep(StrEnum):
    """What a swap does after a look."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    CALL_UPDATE = "call_update"
    WATCH = "watch"
    WAIT = "wait"
    REFUSE = "refuse"
    BROKEN = "broken"


_MOVING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})


def next_step(view: EndpointView, progress: SwapProgress) -> NextStep:
    """The step that follows from one look.

    Source: SageMaker API, DescribeEndpoint, EndpointStatus (botocore 1.44.5).
    """
    has_started = progress.is_under_way or progress.called_at_modified is not None
    if view.status in _MOVING:
        is_ours = has_started or view.pending_config_name == progress.target_config_name
        return NextStep.WATCH if is_ours else NextStep.WAIT
    if view.status == "InService":
        if view.endpoint_config_name == progress.target_config_name:
            return NextStep.PROMOTED
        if not has_started:
            return NextStep.CALL_UPDATE
        # Just after the call a look may still show the endpoint as it was.
        if progress.is_under_way or view.last_modified != progress.called_at_modified:
            return NextStep.ROLLED_BACK
        return NextStep.WATCH
    if view.status == "UpdateRollbackFailed":
        return NextStep.BROKEN if has_started else NextStep.CALL_UPDATE
    return NextStep.REFUSE


def endpoint_view(description: Mapping[str, Any]) -> EndpointView:
    """One look, from the answer of DescribeEndpoint."""
    pending: Mapping[str, Any] | None = description.get("PendingDeploymentSummary")
    modified = description["LastModifiedTime"]
    return EndpointView(
        status=description["EndpointStatus"],
        endpoint_config_name=description.get("EndpointConfigName", ""),
        pending_config_name=None if pending is None else pending.get("EndpointConfigName"),
        failure_reason=description.get("FailureReason"),
        last_modified=modified.timestamp() if hasattr(modified, "timestamp") else float(modified),
        stages=_stages(description, pending),
    )


_STAGE_WORDS = {
    "Creating": "launching",
    "Updating": "launching",
    "ActivatingTraffic": "shifting",
    "Baking": "baking",
    "Deleting": "terminating",
}


def _stages(description: Mapping[str, Any], pending: Mapping[str, Any] | None) -> tuple[str, ...]:
    green = () if pending is None else pending.get("ProductionVariants", ())
    blue = description.get("ProductionVariants", ())
    lines = [_stage(variant, status) for variant in green for status in _statuses(variant)]
    lines += [_stage(variant, status) for variant in blue for status in _statuses(variant)]
    return tuple(lines)


def _statuses(variant: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    statuses: Sequence[Mapping[str, Any]] = variant.get("VariantStatus", ())
    return statuses


def _stage(variant: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    message = status.get("StatusMessage", "")
    word = _STAGE_WORDS.get(status["Status"], status["Status"])
    if word in ("shifting", "baking") and "canary" in message:
        word = f"canary {word}"
    line = f"{word}: {message}" if message else word
    if word == "launching" and variant.get("DesiredInstanceCount") is not None:
        current = variant.get("CurrentInstanceCount", 0)
        line += f" ({current} of {variant['DesiredInstanceCount']} in service)"
    return line


@dataclass(frozen=True, kw_only=True)
class AlarmView:
    """One rollback alarm as CloudWatch shows it."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class VariantView:
    """A production variant of an endpoint config, as far as autoscaling cares."""

    name: str
    instance_type: str | None


def variants_to_release(
    live: Sequence[VariantView], target: Sequence[VariantView], scaled_names: frozenset[str]
) -> tuple[str, ...]:
    """The autoscaled variants whose scalable target AWS wants gone before the update.

    Args:
        scaled_names: live variants with a registered scalable target.
    Source: Developer Guide, "Update endpoints that use auto scaling": the variant's instance type
        changes, or the variant is removed.
    """
    target_types = {variant.name: variant.instance_type for variant in target}
    return tuple(
        variant.name
        for variant in live
        if variant.name in scaled_names
        and (
            variant.name not in target_types or target_types[variant.name] != variant.instance_type
        )
    )


def rollback_story(
    endpoint_name: str, target_config_name: str, view: EndpointView, alarms: Sequence[AlarmView]
) -> str:
    """What a person needs to know after SageMaker put the blue fleet back."""
    reason = view.failure_reason
    lines = [
        f"swap of endpoint {endpoint_name} to {target_config_name} was rolled back by SageMaker; "
        f"{view.endpoint_config_name} is live and still there",
        f"  failure reason: {reason if reason else 'SageMaker gives none'}",
        *_alarm_lines(alarms),
        f"  container logs: log group /aws/sagemaker/Endpoints/{endpoint_name}",
        "  next: mend the model or its settings and run up again; the same up would try the same "
        "config again",
    ]
    return "\n".join(lines)


def broken_story(endpoint_name: str, target_config_name: str, view: EndpointView) -> str:
    """What a person needs to know when even the rollback failed."""
    return (
        f"swap of endpoint {endpoint_name} to {target_config_name} failed and so did its rollback: "
        f"the endpoint is {view.status} and may serve with both configs\n"
        "  failure reason: "
        f"{view.failure_reason if view.failure_reason else 'SageMaker gives none'}\n"
        f"  container logs: log group /aws/sagemaker/Endpoints/{endpoint_name}\n"
        "  next: run up again with a config that works; SageMaker accepts an update in this state"
    )


def refusal_story(endpoint_name: str, view: EndpointView) -> str:
    """What a person needs to know when no swap can start."""
    return (
        f"endpoint {endpoint_name} is {view.status}, and SageMaker only updates one that is "
        f"InService ({view.failure_reason if view.failure_reason else 'no failure reason'}); "
        "delete it by `pulumi destroy --target` of the endpoint, or wait, then run up again"
    )


def deadline_story(
    endpoint_name: str, target_config_name: str, deadline_seconds: int, view: EndpointView | None
) -> str:
    """What a person needs to know when the time to watch has passed."""
    seen = "it could not be described" if view is None else f"it is {view.status}"
    stages = "" if view is None or not view.stages else f" ({'; '.join(view.stages)})"
    return (
        f"swap of endpoint {endpoint_name} to {target_config_name} is inconclusive: after "
        f"{deadline_seconds} seconds {seen}{stages}; nothing was deleted, run up again to go on "
        "watching"
    )


def _alarm_lines(alarms: Sequence[AlarmView]) -> list[str]:
    if not alarms:
        return ["  rollback alarms: none were set"]
    return [
        f"  rollback alarm {alarm.name}: {alarm.state}"
        + (f" ({alarm.reason})" if alarm.reason else "")
        for alarm in alarms
    ]
