"""What a person sees of an operation: progress lines, messages, outputs and the summary.

Like the official CLI's non-interactive display, but shorter, on terminals too. It reads nothing but
events, so that what is shown is what the event log says.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rehearsal.engine.urn import STACK_TYPE, is_default_provider, is_stack, name_of, type_of
from rehearsal.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY, UNKNOWN_TEXTS

Event = dict[str, Any]
SYMBOLS = {
    "create": "+",
    "update": "~",
    "delete": "-",
    "replace": "+-",
    "create-replacement": "++",
    "delete-replaced": "--",
    "refresh": "~",
    "import": "=",
}
COLORS = {"+": "32", "~": "33", "-": "31", "+-": "35", "++": "32", "--": "31"}
RED, YELLOW, HEAD, BLUE = "31", "33", "1;35", "94"
QUIET = ("read", "read-replacement", "discard-replaced")


@dataclass(kw_only=True)
class Progress:
    """Prints an operation line by line as it goes, and sums it up when it has ended."""

    stack_name: str
    preview: bool
    color: bool = False
    write: Callable[[str], None] = print
    # By URN: the operation that was begun and when, and what was said.
    _begun: dict[str, tuple[str, float]] = field(default_factory=dict)
    _messages: dict[str, list[Event]] = field(default_factory=dict)
    _outputs: Event = field(default_factory=dict)

    def paint(self, text: str, color: str) -> str:
        """Colour a text if colours are wanted."""
        return f"\x1b[{color}m{text}\x1b[0m" if self.color and color and text else text

    def handle(self, event: Event) -> None:
        """Take one event."""
        if "diagnosticEvent" in event:
            self._message(event["diagnosticEvent"])
        if "summaryEvent" in event:
            self._finish(event["summaryEvent"])
        for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
            metadata = event.get(kind, {}).get("metadata")
            if metadata and not (is_default_provider(metadata["urn"]) or metadata["op"] in QUIET):
                self._step(kind, metadata)

    def _step(self, kind: str, metadata: Event) -> None:
        urn, op, whole = metadata["urn"], metadata["op"], is_stack(metadata["urn"])
        verb, _, rest = op.partition("-")
        running = f"{verb.removesuffix('e')}ing {rest}".rstrip()
        if kind == "resourcePreEvent":
            self._begun[urn] = op, time.monotonic()
            if op == "same" and not whole:
                return
            status = op.replace("-", " ") if self.preview else running
            status = "running" if op == "same" else status
        elif kind == "resOpFailedEvent":
            status = f"**{running} failed**"
        else:
            if whole and metadata.get("new"):
                self._outputs = metadata["new"]["outputs"]
            begun, start = self._begun.get(urn, (op, time.monotonic()))
            component = not (metadata.get("new") or metadata.get("old") or {}).get("custom")
            if begun != "refresh" and (self.preview or op == "same" or component):
                return
            status = "unchanged" if op == "same" else f"{past(verb)} {rest}".rstrip()
            status += f" ({time.monotonic() - start:.2f}s)"
        self._print(urn, op, status.rstrip(), short_difference(metadata))

    def _print(self, urn: str, op: str, status: str, about: str) -> None:
        symbol = SYMBOLS.get(op, "")
        color = RED if status.startswith("**") else COLORS.get(symbol, "")
        label = f" {self.paint(f'{symbol:<2}', color)} {' '.join(self._names(urn))}"
        self.write(f"{label} {self.paint(status, color)} {about}".rstrip())

    def _names(self, urn: str) -> tuple[str, str]:
        return (type_of(urn), name_of(urn)) if urn else (STACK_TYPE, self.stack_name)

    def _message(self, payload: Event) -> None:
        urn = payload.get("urn", "")
        urn = "" if urn and is_stack(urn) else urn
        if payload["severity"] != "debug":
            self._print(urn, "same", "", self._text(payload).split("\n")[0])
            if not payload.get("ephemeral"):
                self._messages.setdefault(urn, []).append(payload)

    def _text(self, payload: Event) -> str:
        severity, message = payload["severity"], str(payload["message"]).rstrip()
        color = {"error": RED, "warning": YELLOW}.get(severity)
        return f"{self.paint(f'{severity}:', color)} {message}" if color else message

    def _finish(self, summary: Event) -> None:
        lines = [self.paint("Diagnostics:", HEAD)] if self._messages else []
        for urn, messages in self._messages.items():
            lines.append(self.paint("  {} ({}):".format(*self._names(urn)), BLUE))
            told = "\n".join(map(self._text, messages)).split("\n")
            lines += [*(f"    {line}".rstrip() for line in told), ""]
        outputs = hide(self._outputs).items()
        shown = (f"    {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in outputs)
        lines += [self.paint("Outputs:", HEAD), *sorted(shown), ""] if outputs else []
        failed = [m for m in self._messages.values() if any(p["severity"] == "error" for p in m)]
        for line in [*lines, *summary_lines(summary, errored=len(failed), preview=self.preview)]:
            self.write(line)


def past(verb: str) -> str:
    """Return what a step is called when it is done."""
    return f"{verb.removesuffix('e')}ed"


def short_difference(metadata: Event) -> str:
    """Name the properties that differ."""
    return f"[diff: {', '.join(metadata['diffs'])}]" if metadata.get("diffs") else ""


def hide(value: Any) -> Any:
    """Replace signed objects, such as secrets, and unknown values by words that can be shown."""
    if isinstance(value, list):
        return [hide(item) for item in value]
    if isinstance(value, dict) and SIGNATURE_KEY in value:
        secret = value[SIGNATURE_KEY] == SECRET_SIGNATURE
        return "[secret]" if secret else value.get("urn", "[asset]")
    if isinstance(value, dict):
        return {key: hide(item) for key, item in value.items()}
    return "[unknown]" if value in UNKNOWN_TEXTS else value


def summary_lines(summary: Event, *, errored: int, preview: bool) -> list[str]:
    """Show how many resources were, or would be, changed in which way."""
    changes = summary["resourceChanges"]
    lines = ["Resources:"]
    for op in [op for op in SYMBOLS if changes.get(op)]:
        lines.append(f"    {SYMBOLS[op]:<2}{changes[op]} {f'to {op}' if preview else past(op)}")
    lines += [f"    {changes['same']} unchanged"] if changes.get("same") else []
    lines += [f"    {errored} errored"] if errored else []
    lines += [] if preview else ["", f"Duration: {summary['durationSeconds']}s"]
    return [*lines, ""]
