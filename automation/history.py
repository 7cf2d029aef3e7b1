"""Decides what `revert` goes back to, from Pulumi's own history of a stack. Pure.

A deployment is verified when its update succeeded, as the swap fails an update unless the endpoint
was proven to serve the new config. Reverting means giving up what was deployed last, so verified
deployments form a pile: an update puts one on top, a revert takes off all above its target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automation.errors import NothingToRevertError
from components.names import PROJECT

REVERT_MESSAGE = "greenlight revert"
_PREFIX = f"{PROJECT}:"
# Where the same artifact lies on one machine or another says nothing about the deployment.
_PLACES = frozenset({f"{_PREFIX}artifact"})
_DIGEST = f"{_PREFIX}artifactDigest"
_SHORT = 16
# A refresh or an import leaves what is deployed as it is.
_DEPLOYING = frozenset({"update", "destroy"})


@dataclass(frozen=True, kw_only=True)
class UpdateRecord:
    """One update of a stack, as history tells it.

    Args:
        kind: `update`, `refresh`, `destroy`, ...
        result: `succeeded`, `failed` or `in-progress`.
        message: what the update was started with.
        config: the stack's config at the time, as text; secrets are left out.
    """

    kind: str
    result: str
    message: str
    config: Mapping[str, str]

    @property
    def artifact_digest(self) -> str | None:
        """The artifact that was deployed; None for a stack without a model."""
        return self.config.get(_DIGEST)

    @property
    def is_revert(self) -> bool:
        """Whether the update went back instead of forward."""
        return self.message.startswith(REVERT_MESSAGE)


def deployment_key(record: UpdateRecord) -> tuple[tuple[str, str], ...]:
    """Return what tells one deployment from another: greenlight's settings but for places."""
    return tuple(
        sorted(
            (key, value)
            for key, value in record.config.items()
            if key.startswith(_PREFIX) and key not in _PLACES
        )
    )


def verified_deployments(records: Sequence[UpdateRecord]) -> list[UpdateRecord]:
    """Pile up what was proven to serve and not given up since, the newest last.

    Args:
        records: of any kind, the newest first, as Pulumi lists them.
    """
    pile: list[UpdateRecord] = []
    for record in reversed(records):
        if record.kind == "destroy" and record.result == "succeeded":
            pile.clear()
        if not _is_verified(record):
            continue
        key = deployment_key(record)
        keys = [deployment_key(verified) for verified in pile]
        if record.is_revert and key in keys:
            del pile[len(keys) - keys[::-1].index(key) :]
        elif not keys or keys[-1] != key:
            pile.append(record)
    return pile


def plan_revert(records: Sequence[UpdateRecord], stack: str) -> UpdateRecord:
    """Choose the deployment to go back to.

    After a failed update that is the one verified last, which is the one that is live; after a good
    one it is the verified deployment before it.

    Args:
        records: of any kind, the newest first, as Pulumi lists them.
        stack: for the message.

    Raises:
        NothingToRevertError: there is none.
    """
    updates = [record for record in records if record.kind in _DEPLOYING]
    pile = verified_deployments(updates)
    if pile and updates[0].result == "succeeded":
        pile.pop()
    if not pile:
        latest = "none" if not updates else _described(updates[0])
        raise NothingToRevertError(
            f"stack {stack} has no other verified deployment to go back to; its latest is "
            f"{latest}: deploy one that works with `greenlight up`"
        )
    return pile[-1]


def _is_verified(record: UpdateRecord) -> bool:
    return (
        record.kind == "update"
        and record.result == "succeeded"
        and record.artifact_digest is not None
    )


def _described(record: UpdateRecord) -> str:
    digest = record.artifact_digest
    what = "a stack without a model" if digest is None else f"artifact {digest[:_SHORT]}"
    return f"{what} ({record.result})"
