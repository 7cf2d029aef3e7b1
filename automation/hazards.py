"""Names what in a preview can hurt: replaced endpoints, lost data, stopped scaling. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ENDPOINT = "aws:sagemaker/endpoint:Endpoint"
SCALABLE_TARGET = "aws:appautoscaling/target:Target"
BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
REPOSITORY = "aws:ecr/repository:Repository"
ROLE = "aws:iam/role:Role"
GONE = frozenset({"delete", "replace", "delete-replaced", "create-replacement"})
QUIET = frozenset({"same", "read", "refresh"})


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """One step of a preview.

    Args:
        op: the engine's word, such as create, update, replace, delete, same.
        type: the resource's type token.
        changed: the properties that make the step necessary.
    """

    op: str
    type: str
    name: str
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PreviewSummary:
    """What an update would do.

    Args:
        changes: number of steps by the engine's word.
        hazards: one sentence for each thing a person should know before agreeing.
    """

    changes: Mapping[str, int]
    hazards: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not any(count for op, count in self.changes.items() if op not in QUIET)


def hazards_of(steps: Sequence[PlannedStep]) -> tuple[str, ...]:
    """Say what is dangerous about the steps of a preview, each thing once."""
    found: dict[str, None] = {}
    for step in steps:
        hazard = _hazard(step)
        if hazard is not None:
            found[hazard] = None
    return tuple(found)


def _hazard(step: PlannedStep) -> str | None:
    because = f" because {', '.join(step.changed)} changes" if step.changed else ""
    if step.op not in GONE:
        return None
    if step.type == ENDPOINT:
        if step.op == "delete":
            return f"deletes endpoint {step.name}: its clients get errors from then on"
        return (
            f"replaces endpoint {step.name}{because}: clients have to use another endpoint name, "
            "and nothing is shifted or baked"
        )
    if step.type in BUCKETS:
        return f"{_verb(step)} bucket {step.name}{because}: artifacts in it are lost"
    if step.type == REPOSITORY:
        return f"{_verb(step)} repository {step.name}{because}: server images in it are lost"
    if step.type == ROLE:
        return f"{_verb(step)} role {step.name}{because}: endpoints that use it cannot scale out"
    if step.type == SCALABLE_TARGET and step.op == "delete":
        return f"stops autoscaling of {step.name}: its instance count stays as it is"
    return None


def _verb(step: PlannedStep) -> str:
    return "deletes" if step.op == "delete" else "replaces"
