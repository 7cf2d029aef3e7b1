"""Follows an update: what the engine says, and what the endpoint does meanwhile.

Both end as `ProgressLine`s in one order; the display decides how to show them.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automation.endpoint import EndpointReader, EndpointState
from automation.hazards import ENDPOINT, QUIET, PlannedStep

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent

POLL_INTERVAL_VARIABLE = "GREENLIGHT_POLL_INTERVAL_SECONDS"
DEFAULT_POLL_INTERVAL_SECONDS = 5.0
ROOT_STACK = "pulumi:pulumi:Stack"
# What Pulumi itself counts as internal: how it reaches a cloud, not what is in it.
PROVIDERS = "pulumi:providers:"
# `replace` is only the sum of the creation and the deletion told before and after it.
UNTOLD = QUIET | {"replace"}
DONE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "create-replacement": "created",
    "delete-replaced": "deleted",
}
TRACE_HEAD = "Traceback (most recent call last):"
SWAP_STORY = "swap of endpoint "
# What the engine says at the end of any failed operation, after the reason.
EMPTY_ERRORS = frozenset({"update failed", "preview failed", "destroy failed"})
_COLOR = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")
_SWAP_LINE = re.compile(r"^swap (\S+) \+\d+s: (.*)$")


@dataclass(frozen=True, kw_only=True)
class ProgressLine:
    """One thing that happened.

    Args:
        kind: `resource`, `endpoint`, `swap`, `error` or `warning`.
    """

    kind: str
    text: str


OnLine = Callable[[ProgressLine], None]
OnState = Callable[[EndpointState], None]


class Progress:
    """Takes engine events and endpoint looks of one operation and keeps what matters.

    Args:
        on_line: called for each new line, from one thread at a time.
    """

    def __init__(self, on_line: OnLine | None = None) -> None:
        self.errors: list[str] = []
        self.steps: list[PlannedStep] = []
        self.changes: dict[str, int] = {}
        self.endpoint_name: str | None = None
        self._on_line = on_line
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def take_event(self, event: EngineEvent) -> None:
        """Read one engine event."""
        if event.resource_pre_event is not None:
            self._start(event.resource_pre_event.metadata)
        elif event.res_outputs_event is not None:
            self._finish(event.res_outputs_event.metadata)
        elif event.res_op_failed_event is not None:
            metadata = event.res_op_failed_event.metadata
            self._tell("error", f"failed to {metadata.op.value} {_name(metadata.urn)}")
        elif event.diagnostic_event is not None:
            self._diagnose(event.diagnostic_event)
        elif event.summary_event is not None:
            self.changes = {
                getattr(op, "value", str(op)): count
                for op, count in event.summary_event.resource_changes.items()
            }

    def take_state(self, state: EndpointState) -> None:
        """Read one look at the endpoint; the same look again says nothing."""
        key = f"{state.name}: {state.line}"
        stages = "; ".join(state.view.stages)
        with self._lock:
            is_told = stages in self._told if stages else False
            self._told.add(stages)
        if not is_told:
            self._tell("endpoint", key, once=True)

    def take_interrupt(self) -> None:
        """Say what a Ctrl-C leads to."""
        self._tell(
            "warning", "interrupted: waiting for the engine to end its step; again to leave it"
        )

    def _start(self, metadata: Any) -> None:
        op = metadata.op.value
        self._note_endpoint(metadata)
        if metadata.type == ROOT_STACK:
            return
        changed = () if metadata.diffs is None else tuple(metadata.diffs)
        self.steps.append(
            PlannedStep(op=op, type=metadata.type, name=_name(metadata.urn), changed=changed)
        )

    def _finish(self, metadata: Any) -> None:
        self._note_endpoint(metadata)
        op = metadata.op.value
        if metadata.type == ROOT_STACK or metadata.type.startswith(PROVIDERS):
            return
        if op in UNTOLD or "discard" in op:
            return
        short = metadata.type.rpartition(":")[2]
        done = DONE.get(op, op)
        if done == "deleted" and metadata.old is not None and metadata.old.retain_on_delete:
            done = "let go of"
        self._tell("resource", f"{done} {short} {_name(metadata.urn)}")

    def _note_endpoint(self, metadata: Any) -> None:
        if metadata.type != ENDPOINT:
            return
        for state in (metadata.new, metadata.old):
            if state is None:
                continue
            name = (state.outputs or {}).get("name") or (state.inputs or {}).get("name")
            if isinstance(name, str) and name:
                self.endpoint_name = name
                return

    def _diagnose(self, diagnostic: Any) -> None:
        text = without_trace(_COLOR.sub("", diagnostic.message).strip())
        if not text or text in EMPTY_ERRORS:
            return
        if diagnostic.severity == "error":
            self.errors.append(text)
            # A swap's story is several lines long, and told in full when the update ends.
            first = text.splitlines()[0]
            told = first[first.index(SWAP_STORY) :] if SWAP_STORY in first else text
            self._tell("error", told, once=True)
        elif diagnostic.severity == "warning":
            self._tell("warning", text, once=True)
        else:
            for line in text.splitlines():
                self._take_swap_line(line)

    def _take_swap_line(self, line: str) -> None:
        found = _SWAP_LINE.match(line.strip())
        if found is None:
            return
        with self._lock:
            is_told = found.group(2) in self._told
            self._told.add(found.group(2))
        if not is_told:
            self._tell("swap", f"{found.group(1)}: {found.group(2)}")

    def _tell(self, kind: str, text: str, *, once: bool = False) -> None:
        with self._lock:
            if once and text in self._told:
                return
            self._told.add(text)
            if self._on_line is not None:
                self._on_line(ProgressLine(kind=kind, text=text))


class EndpointWatch:
    """Looks at an endpoint from a thread of its own while something else runs.

    Args:
        name: says which endpoint, once that is known.
        region: where it is.
    """

    def __init__(
        self, name: Callable[[], str | None], on_state: OnState, region: str | None
    ) -> None:
        self._name = name
        self._on_state = on_state
        self._region = region
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endpoint-watch", daemon=True)

    def __enter__(self) -> EndpointWatch:
        """Start looking."""
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop looking, and wait until the last look is over."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        reader = None
        while not self._end.wait(poll_interval_seconds()):
            name = self._name()
            if name is None:
                continue
            # Watching is for people: a look that fails must not touch the update it watches.
            with contextlib.suppress(BotoCoreError, ClientError):
                reader = EndpointReader(self._region) if reader is None else reader
                state = reader.look(name)
                if state is not None:
                    self._on_state(state)


def poll_interval_seconds() -> float:
    """How long to rest between two looks at an endpoint."""
    value = os.environ.get(POLL_INTERVAL_VARIABLE)
    return DEFAULT_POLL_INTERVAL_SECONDS if value is None else float(value)


def without_trace(text: str) -> str:
    """Cut a Python stack trace down to what was raised, which is all of it that helps a person."""
    lines = text.splitlines()
    if TRACE_HEAD not in lines:
        return text
    start = len(lines) - 1 - lines[::-1].index(TRACE_HEAD)
    for index in range(start + 1, len(lines)):
        if not lines[index].startswith(" "):
            return "\n".join([*lines[:start], *lines[index:]])
    return text


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
