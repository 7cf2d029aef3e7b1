"""One step of an operation, and the events that tell of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rehearsal.engine.diff import DetailedDiff, equal
from rehearsal.engine.state import MEMBERS, Resource
from rehearsal.engine.urn import is_default_provider
from rehearsal.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY, Secret, encode

Emit = Callable[[dict[str, Any]], None]
_ALWAYS_SHOWN = ("type", "urn", "id", "parent", "inputs", "outputs", "provider")
_SHOWN = ("custom", "delete", "protect", "external", "retainOnDelete", "initErrors", *_ALWAYS_SHOWN)


@dataclass(kw_only=True)
class Step:
    """A change of one resource: `old` is its state before, `new` after; `op` is Pulumi's word for
    the change.

    `keys` are the properties that force a replacement, `changed_keys` those that differ.
    `keeps_old` marks a replacement whose original is deleted at the end; `deletes_first` one whose
    original goes before.
    """

    op: str
    urn: str
    old: Resource | None = None
    new: Resource | None = None
    keys: tuple[str, ...] = ()
    changed_keys: tuple[str, ...] = ()
    detailed: DetailedDiff | None = None
    ignore_changes: tuple[str, ...] = ()
    keeps_old: bool = False
    deletes_first: bool = False

    @property
    def state(self) -> Resource:
        """The state this step is about."""
        state = self.new if self.new is not None else self.old
        if state is None:
            raise AssertionError(f"a {self.op} step of {self.urn} has no state at all")
        return state

    @property
    def logical(self) -> bool:
        """Whether the step counts by itself, or is a physical part of a replacement."""
        return self.op not in (
            "create-replacement",
            "delete-replaced",
            "read-replacement",
            "discard-replaced",
            "remove-pending-replace",
            "refresh",
        )


@dataclass(kw_only=True)
class Reporter:
    """Turns steps and messages into events, and counts the steps that count."""

    emit: Emit
    planning: bool
    counts: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def started(self, step: Step, op: str) -> None:
        """Tell that a step begins."""
        self._send("resourcePreEvent", metadata(step, op))

    def outputs(self, step: Step, op: str) -> None:
        """Tell that a step is done, or that a component's outputs are known."""
        self._send("resOutputsEvent", metadata(step, op))

    def failed(self, step: Step, status: int) -> None:
        """Tell that a step failed; `status` is 0 ok, 1 partial failure, 2 unknown."""
        with self.lock:
            steps = sum(self.counts.values())
            content = {"metadata": metadata(step, step.op), "status": status, "steps": steps}
            self.emit({"resOpFailedEvent": content})

    def count(self, step: Step, op: str) -> None:
        """Add a step to the summary; default providers are the engine's own affair."""
        if is_default_provider(step.urn):
            return
        if op == "read":
            old, new = step.old, step.new
            if old is None or new is None or equal(old.outputs, new.outputs):
                return
        with self.lock:
            self.counts[op] = self.counts.get(op, 0) + 1

    def diagnostic(
        self, message: str, severity: str = "error", urn: str = "", *, stream: int = 0
    ) -> None:
        """Tell a person something."""
        content: dict[str, Any] = {"urn": urn} if urn else {}
        if severity in ("error", "warning"):
            content["prefix"] = f"{severity}: "
        content |= {"message": message.rstrip("\n") + "\n", "color": "never", "severity": severity}
        if stream:
            content["streamID"] = stream
        with self.lock:
            self.emit({"diagnosticEvent": content})

    def _send(self, kind: str, content: dict[str, Any]) -> None:
        event = {"metadata": content, "planning": True} if self.planning else {"metadata": content}
        with self.lock:
            self.emit({kind: event})


def metadata(step: Step, op: str) -> dict[str, Any]:
    """Write a step as the event log has it (StepEventMetadata)."""
    state = step.state
    detailed = None
    if step.detailed is not None:
        detailed = {p: {"diffKind": k, "inputDiff": i} for p, (k, i) in step.detailed.items()}
    document: dict[str, Any] = {
        "op": op,
        "urn": step.urn,
        "type": state.type,
        "old": _state_document(step.old),
        "new": _state_document(step.new),
        "keys": list(step.keys),
        "diffs": list(step.changed_keys),
        "detailedDiff": detailed,
        "logical": step.logical,
        "provider": state.provider,
    }
    optional = ("keys", "diffs", "logical")
    return {key: value for key, value in document.items() if value or key not in optional}


def _state_document(state: Resource | None) -> dict[str, Any] | None:
    if state is None:
        return None
    document: dict[str, Any] = {
        member: getattr(state, name)
        for member, name in MEMBERS.items()
        if member in _SHOWN and (getattr(state, name) or member in _ALWAYS_SHOWN)
    }
    for name in ("inputs", "outputs"):
        document[name] = encode(document[name], secret=_hidden)
    return document


def _hidden(_: Secret) -> dict[str, str]:
    return {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": "[secret]"}
