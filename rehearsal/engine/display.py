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

from rehearsal.engine.urn import STACK_TYPE, is_default_provider
from rehearsal.engine.values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    REFERENCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN_TEXTS,
)

Event = dict[str, Any]
SYMBOLS = {
    "create": "+",
    "update": "~",
    "delete": "-",
    "replace": "+-",
    "create-replacement": "++",
    "delete-replaced": "--",
    "refresh": "~",
    "discard": "<",
    "import": "=",
    "import-replacement": "=>",
}
COLORS = {"+": "32", "~": "33", "-": "31", "+-": "35", "++": "32", "--": "31"}
QUIET = ("read", "read-replacement", "discard-replaced")
RED, YELLOW, HEAD, BLUE = "31", "33", "1;35", "94"
WORDS = {
    SECRET_SIGNATURE: "[secret]",
    ASSET_SIGNATURE: "[asset]",
    ARCHIVE_SIGNATURE: "[archive]",
    REFERENCE_SIGNATURE: "[resource]",
}


@dataclass(kw_only=True)
class _Row:
    urn: str
    metadata: Event = field(default_factory=lambda: {"op": "same"})
    hidden: bool = True
    failed: bool = False
    started: float = 0.0
    done_ops: dict[str, float] = field(default_factory=dict)
    messages: list[Event] = field(default_factory=list)

    @property
    def op(self) -> str:
        return str(self.metadata["op"])

    def count(self, severity: str) -> int:
        return sum(message["severity"].startswith(severity) for message in self.messages)


@dataclass(kw_only=True)
class Progress:
    """Prints an operation line by line as it goes, and sums it up when it has ended."""

    stack_name: str
    preview: bool
    color: bool = False
    write: Callable[[str], None] = print
    _rows: dict[str, _Row] = field(default_factory=dict)
    _outputs: Event | None = None
    _stack_urn: str = ""
    _over: bool = False

    def paint(self, text: str, color: str) -> str:
        """Colour a text if colours are wanted."""
        return f"\x1b[{color}m{text}\x1b[0m" if self.color and color and text else text

    def handle(self, event: Event) -> None:
        """Take one event."""
        for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
            if kind in event:
                self._resource(kind, event[kind]["metadata"])
        if "diagnosticEvent" in event:
            self._message(event["diagnosticEvent"])
        if "summaryEvent" in event:
            self._finish(event["summaryEvent"])

    def _resource(self, kind: str, metadata: Event) -> None:
        if is_default_provider(metadata["urn"]) or metadata["op"] in QUIET:
            return
        is_stack = metadata["type"] == STACK_TYPE
        if is_stack and not self._stack_urn:
            self._stack_urn = metadata["urn"]
            early = self._rows.pop("", _Row(urn=metadata["urn"]))
            early.urn = metadata["urn"]
            self._rows[early.urn] = early
        row = self._row(metadata["urn"])
        row.hidden = row.hidden and metadata["op"] == "same" and not is_stack
        was, row.metadata = row.op, metadata
        row.failed = row.failed or kind == "resOpFailedEvent"
        if kind == "resourcePreEvent":
            row.started = time.monotonic()
        elif kind == "resOutputsEvent":
            row.done_ops[metadata["op"]] = time.monotonic() - row.started
            self._outputs = metadata if is_stack and metadata.get("new") else self._outputs
            custom = (metadata.get("new") or metadata.get("old") or {}).get("custom")
            if was != "refresh" and (self.preview or metadata["op"] == "same" or not custom):
                return
        self._print(row)

    def _row(self, urn: str) -> _Row:
        return self._rows.setdefault(urn or self._stack_urn, _Row(urn=urn or self._stack_urn))

    def _message(self, payload: Event) -> None:
        if payload["severity"] != "debug":
            row = self._row(payload.get("urn", ""))
            row.messages.append(payload)
            row.hidden = False
            self._print(row)

    def _print(self, row: _Row) -> None:
        if not row.hidden:
            symbol = SYMBOLS.get(row.op, "")
            label = self.paint(f" {symbol:<2}", COLORS.get(symbol, ""))
            line = f"{label} {' '.join(self._names(row))} {self._status(row)} {self._info(row)}"
            self.write(line.rstrip())

    def _names(self, row: _Row) -> tuple[str, str]:
        if not row.urn:
            return STACK_TYPE, self.stack_name
        return display_type(row.urn), row.urn.split("::", 3)[3]

    def _status(self, row: _Row) -> str:
        color = COLORS.get(SYMBOLS.get(row.op, ""), "")
        is_stack = row.urn == self._stack_urn
        ended = self._over or row.failed or (not is_stack and row.op in row.done_ops)
        if row.op == "same":
            return "running" if is_stack and row.urn and not ended else ""
        if self.preview:
            return self.paint(row.op.replace("-", " "), color)
        verb, _, rest = row.op.partition("-")
        running = f"{verb.removesuffix('e')}ing {rest}".rstrip()
        if row.failed or row.count("error"):
            return self.paint(f"**{running} failed**", RED)
        if not ended:
            return self.paint(running, color)
        seconds = row.done_ops.get(row.op)
        took = "" if seconds is None else f" ({seconds:.2f}s)"
        return self.paint(f"{past(verb)} {rest}".rstrip() + took, color)

    def _info(self, row: _Row) -> str:
        difference = short_difference(row.metadata)
        parts = [f"[{difference}]"] if difference else []
        if self._over:
            words = {"error": "error", "warning": "warning", "info": "message"}
            counts = ((row.count(severity), word) for severity, word in words.items())
            parts += [f"{count} {word}{'s' * (count > 1)}" for count, word in counts if count]
        elif row.messages:
            parts.append(self._text(row.messages[-1]).split("\n")[0])
        return "; ".join(parts)

    def _text(self, payload: Event) -> str:
        severity, message = payload["severity"], str(payload["message"]).rstrip()
        color = {"error": RED, "warning": YELLOW}.get(severity)
        return f"{self.paint(f'{severity}:', color)} {message}" if color else message

    def _finish(self, summary: Event) -> None:
        rows = list(self._rows.values())
        self._over = True
        for row in rows:
            unfinished = not row.failed and row.op not in row.done_ops
            if unfinished or row.urn == self._stack_urn:
                self._print(row)
        told = [row for row in rows if any(not m.get("ephemeral") for m in row.messages)]
        if told:
            self.write(self.paint("Diagnostics:", HEAD))
        for row in told:
            self.write(self.paint("  {} ({}):".format(*self._names(row)), BLUE))
            for message in row.messages:
                for line in [] if message.get("ephemeral") else self._text(message).split("\n"):
                    self.write(f"    {line}".rstrip())
            self.write("")
        outputs = output_lines(self._outputs, preview=self.preview) if self._outputs else []
        for line in [self.paint("Outputs:", HEAD), *outputs, ""] if outputs else []:
            self.write(line)
        errored = sum(row.count("error") > 0 for row in rows)
        for line in summary_lines(summary, errored=errored, preview=self.preview):
            self.write(line)


def past(verb: str) -> str:
    """Return what a step is called when it is done."""
    return f"{verb.removesuffix('e')}ed"


def display_type(urn: str) -> str:
    """Return a resource's type as people read it: `aws:s3:Bucket` for `aws:s3/bucket:Bucket`."""
    type_ = urn.split("::", 3)[2].split("$")[-1]
    package, module, name = (*type_.split(":"), "", "")[:3]
    folder, _, file = module.rpartition("/")
    return f"{package}:{folder}:{name}" if folder and file.lower() == name.lower() else type_


def short_difference(metadata: Event) -> str:
    """Name the properties that differ: `diff: +added,-removed,~changed`."""
    changed = {key: {"diffKind": "update"} for key in metadata.get("diffs") or ()}
    detailed = metadata.get("detailedDiff") or changed
    signs = {"a": "+", "d": "-"}
    names = sorted(signs.get(how["diffKind"][0], "~") + path for path, how in detailed.items())
    return f"diff: {','.join(names)}" if names else ""


def output_lines(metadata: Event, *, preview: bool) -> list[str]:
    """Show a stack's outputs: all of them after an operation, what changes in a preview."""
    old, new = (hide((metadata.get(name) or {}).get("outputs") or {}) for name in ("old", "new"))
    lines = []
    for key in sorted({**old, **new}):
        sign = "+" if key not in old else "-" if key not in new else "~"
        sign = " " if old.get(key) == new.get(key) else sign
        value = new.get(key, old.get(key))
        if sign != " " or not preview:
            lines.append(f"  {sign} {key}: {json.dumps(value, ensure_ascii=False)}")
    return lines


def hide(value: Any) -> Any:
    """Replace signed objects, such as secrets, and unknown values by words that can be shown."""
    if isinstance(value, list):
        return [hide(item) for item in value]
    if isinstance(value, dict):
        word = WORDS.get(value.get(SIGNATURE_KEY, ""))
        return {key: hide(item) for key, item in value.items()} if word is None else word
    return "[unknown]" if value in UNKNOWN_TEXTS else value


def summary_lines(summary: Event, *, errored: int, preview: bool) -> list[str]:
    """Show how many resources were, or would be, changed in which way."""
    changes = summary["resourceChanges"]
    shown = {op: changes[op] for op in SYMBOLS if changes.get(op)}
    lines = ["Resources:"]
    for op, count in shown.items():
        lines.append(f"    {SYMBOLS[op]:<2}{count} {f'to {op}' if preview else past(op)}")
    pieces = [f"{sum(shown.values())} changes"] if len(shown) >= 2 else []
    pieces += [f"{changes['same']} unchanged"] if changes.get("same") else []
    lines += [f"    {'. '.join(pieces)}"] if pieces else []
    lines += [f"    {errored} errored"] if errored else []
    if not preview:
        minutes, seconds = divmod(int(summary["durationSeconds"]), 60)
        lines += ["", f"Duration: {f'{minutes}m' if minutes else ''}{seconds}s"]
    return [*lines, ""]
