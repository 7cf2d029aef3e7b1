"""What a deployment came to, and how that is read from what the engine said. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automation.endpoint import EndpointState
from automation.errors import SwapRolledBackError, UpdateFailedError
from automation.hazards import PreviewSummary
from automation.stack_settings import StackTarget
from components.swap_plan import Verdict

# The first words of the stories in components/swap_plan.py, wherever the engine quotes them.
_ROLLED_BACK = re.compile(
    r"swap of endpoint (?P<endpoint>\S+) to (?P<target>\S+) was rolled back by SageMaker; "
    r"(?P<live>\S+) is live"
)
_INCONCLUSIVE = re.compile(
    r"swap of endpoint (?P<endpoint>\S+)(?: to (?P<target>\S+))? "
    r"(?:is inconclusive|failed and so did its rollback)"
)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What came of one `up` or `revert`.

    Args:
        verdict: what the swap came to; None where the stack swaps by the plain endpoint resource,
            which cannot say.
        reason: why it is not promoted: SageMaker's failure reason, the alarms, where to look.
        endpoint_config_name: the config that is live now.
        rejected_endpoint_config_name: the config that was rolled back.
        changes: number of steps by the engine's word.
    """

    model: str
    stage: str
    stack: str
    verdict: Verdict | None
    reason: str | None
    endpoint_name: str | None
    endpoint_config_name: str | None
    rejected_endpoint_config_name: str | None
    artifact_digest: str
    changes: Mapping[str, int] = field(default_factory=dict)
    preview: PreviewSummary | None = None

    def require_promoted(self) -> None:
        """Raise unless the endpoint is proven to serve what was deployed.

        Raises:
            SwapRolledBackError: SageMaker put the blue fleet back.
            UpdateFailedError: nobody can say what the swap came to.
        """
        if self.verdict is Verdict.ROLLED_BACK:
            raise SwapRolledBackError(str(self.reason))
        if self.verdict is Verdict.INCONCLUSIVE:
            raise UpdateFailedError(str(self.reason))


@dataclass(frozen=True, kw_only=True)
class StackStatus:
    """How one model's stack stands.

    Args:
        last_result: how the last update ended, as history tells; None before the first.
        endpoint: what the endpoint does now; None where there is none.
    """

    model: str
    stage: str
    stack: str
    last_result: str | None
    last_message: str | None
    artifact_digest: str | None
    endpoint: EndpointState | None


@dataclass(frozen=True, kw_only=True)
class WatchResult:
    """What a swap that was watched came to.

    Args:
        verdict: None where nothing was under way.
    """

    verdict: Verdict | None
    reason: str | None
    endpoint: EndpointState


@dataclass(frozen=True, kw_only=True)
class FailedSwap:
    """A swap that did not end on its target, as the engine's errors tell it."""

    verdict: Verdict
    reason: str
    endpoint_name: str
    target_config_name: str | None
    live_config_name: str | None


def failed_swap(errors: Sequence[str]) -> FailedSwap | None:
    """Find the story of a swap among the errors of an update; None where it failed elsewhere."""
    for text in errors:
        for verdict, pattern in (
            (Verdict.ROLLED_BACK, _ROLLED_BACK),
            (Verdict.INCONCLUSIVE, _INCONCLUSIVE),
        ):
            found = pattern.search(text)
            if found is not None:
                named = found.groupdict()
                return FailedSwap(
                    verdict=verdict,
                    reason=_story(text[found.start() :]),
                    endpoint_name=named["endpoint"],
                    target_config_name=named.get("target"),
                    live_config_name=named.get("live"),
                )
    return None


def deployment_from(
    target: StackTarget,
    artifact_digest: str,
    outputs: Mapping[str, Any],
    failure: FailedSwap | None,
) -> Deployment:
    """Put together what an update came to.

    Args:
        outputs: the stack's outputs after a good update; not looked at after a failed swap.
    """
    if failure is not None:
        return Deployment(
            model=target.model,
            stage=target.stage,
            stack=target.name,
            verdict=failure.verdict,
            reason=failure.reason,
            endpoint_name=failure.endpoint_name,
            endpoint_config_name=failure.live_config_name,
            rejected_endpoint_config_name=failure.target_config_name,
            artifact_digest=artifact_digest,
        )
    told = outputs.get("swapVerdict")
    return Deployment(
        model=target.model,
        stage=target.stage,
        stack=target.name,
        verdict=Verdict(told) if told in tuple(Verdict) else None,
        reason=None,
        endpoint_name=outputs.get("endpointName"),
        endpoint_config_name=outputs.get("endpointConfigName"),
        rejected_endpoint_config_name=None,
        artifact_digest=artifact_digest,
    )


def watched_verdict(target_config_name: str | None, end: EndpointState) -> WatchResult:
    """Judge a swap by the config it was moving to and the endpoint it left."""
    if target_config_name is None:
        return WatchResult(verdict=None, reason=None, endpoint=end)
    if end.is_moving:
        reason = f"endpoint {end.name} is still {end.view.status}; watch it again"
        return WatchResult(verdict=Verdict.INCONCLUSIVE, reason=reason, endpoint=end)
    if end.view.status == "InService" and end.view.endpoint_config_name == target_config_name:
        return WatchResult(verdict=Verdict.PROMOTED, reason=None, endpoint=end)
    told = end.view.failure_reason
    reason = f"{target_config_name} was rolled back, {end.view.endpoint_config_name} is live: " + (
        "SageMaker gives no reason" if told is None else told
    )
    return WatchResult(verdict=Verdict.ROLLED_BACK, reason=reason, endpoint=end)


def _story(text: str) -> str:
    """Keep the story's first line and the indented ones that follow it."""
    lines = text.splitlines()
    kept = lines[:1]
    for line in lines[1:]:
        if not line.startswith("  "):
            break
        kept.append(line)
    return "\n".join(kept)
