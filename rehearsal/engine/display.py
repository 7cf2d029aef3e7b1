"""What a person sees of an operation: progress lines, messages, outputs and the summary.

Follows the official CLI's non-interactive display, on terminals too, where it adds colour. It
reads nothing but events, so that what is shown is what the event log says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rehearsal.engine.valuetext import difference_lines, hide, property_lines, scalar_text

Event = dict[str, Any]
# op: symbol, colour, word in a preview, word while it runs, word when done, word in the summary
OPS: dict[str, tuple[str, str, str, str, str, str]] = {
    "same": (" ", "", "", "", "", ""),
    "create": ("+", "32", "create", "creating", "created", "created"),
    "update": ("~", "33", "update", "updating", "updated", "updated"),
    "delete": ("-", "31", "delete", "deleting", "deleted", "deleted"),
    "replace": ("+-", "35", "replace", "replacing", "replaced", "replaced"),
    "create-replacement": (
        "++", "32", "create replacement", "creating replacement", "created replacement", "",
    ),
    "delete-replaced": (
        "--", "31", "delete original", "deleting original", "deleted original", "",
    ),
    "read": (">", "36", "read", "reading", "read", "read"),
    "read-replacement": (">>", "36", "read for replacement", "reading for replacement", "read "
    "for replacement", "",),
    "refresh": ("~", "33", "refresh", "refreshing", "refresh", "refreshed"),
    "discard": ("<", "36", "discard", "discarding", "discarded", "discarded"),
    "discard-replaced": ("<<", "36", "discard original", "discarding original", "discarded "
    "original", ""),
    "remove-pending-replace": ("~", "", "", "", "", ""),
    "import": ("=", "32", "import", "importing", "imported", "imported"),
    "import-replacement": ("=>", "32", "import replacement", "importing replacement", "imported "
    "replacement", ""),
}  # fmt: skip
STACK_TYPE = "pulumi:pulumi:Stack"
COLORS = {"error": "31", "warning": "33", "head": "1;35", "resource": "94"}


@dataclass(kw_only=True)
class _Row:
    urn: str
    metadata: Event = field(default_factory=lambda: {"op": "same"})
    hidden: bool = True
    failed: bool = False
    started: float = 0.0
    ended: float | None = None
    done_ops: set[str] = field(default_factory=set)
    messages: list[Event] = field(default_factory=list)

    @property
    def op(self) -> str:
        return str(self.metadata["op"])


class Progress:
    """Prints an operation line by line as it goes, and sums it up when it has ended."""

    def __init__(
        self,
        *,
        title: str,
        stack_name: str,
        preview: bool,
        color: bool,
        show_outputs: bool = True,
        write: Callable[[str], None] = print,
        debug: bool = False,
    ) -> None:
        self._stack_name, self._preview, self._color = stack_name, preview, color
        self._show_outputs, self._write, self._debug = show_outputs, write, debug
        self._rows: dict[str, _Row] = {}
        self._summary: Event | None = None
        self._stack_urn = ""
        self._over = False
        self._outputs: Event | None = None
        write(self.paint(title, COLORS["head"]))

    def paint(self, text: str, color: str) -> str:
        """Colour a text if colours are wanted."""
        return f"\x1b[{color}m{text}\x1b[0m" if self._color and color and text else text

    def handle(self, event: Event) -> None:
        """Take one event."""
        for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
            if kind in event:
                self._resource(kind, event[kind]["metadata"])
                return
        if "diagnosticEvent" in event:
            self._message(event["diagnosticEvent"])
        elif "stdoutEvent" in event:
            self._write(event["stdoutEvent"]["message"].rstrip("\n"))
        elif "summaryEvent" in event:
            self._summary = event["summaryEvent"]
        elif "cancelEvent" in event:
            self._finish()

    def _resource(self, kind: str, metadata: Event) -> None:
        if is_internal(metadata):
            return
        if metadata["op"] in ("read", "discard-replaced", "read-replacement"):
            return
        if metadata["type"] == STACK_TYPE:
            self._adopt_stack(metadata["urn"])
        row = self._row(metadata["urn"])
        is_stack = row.urn == self._stack_urn
        row.hidden = (
            row.hidden and not is_stack and metadata["op"] == "same" and not _reprotected(metadata)
        )
        was = row.op
        if kind == "resOpFailedEvent":
            row.failed = True
        row.metadata = metadata
        if kind == "resourcePreEvent":
            row.started, row.ended = time.monotonic(), None
        elif kind == "resOutputsEvent":
            row.ended = time.monotonic()
            row.done_ops.add(metadata["op"])
            if is_stack:
                self._outputs = metadata
            state = metadata.get("new") or metadata.get("old") or {}
            custom = bool(state.get("custom")) and metadata["op"] != "same"
            if was != "refresh" and (self._preview or not custom):
                return
        self._print_row(row)

    def _adopt_stack(self, urn: str) -> None:
        self._stack_urn = urn
        if "" in self._rows and urn not in self._rows:
            early = self._rows.pop("")
            early.urn = urn
            self._rows[urn] = early

    def _row(self, urn: str) -> _Row:
        urn = urn or self._stack_urn
        if urn not in self._rows:
            self._rows[urn] = _Row(urn=urn)
        return self._rows[urn]

    def _message(self, payload: Event) -> None:
        if payload["severity"] == "debug" and not self._debug:
            return
        row = self._row(payload.get("urn", ""))
        row.messages.append(payload)
        row.hidden = False
        self._print_row(row)

    def _print_row(self, row: _Row) -> None:
        if not row.hidden:
            symbol, color, *_ = OPS[row.op]
            label = self.paint(f"{symbol:^3}" if len(symbol) == 1 else f"{symbol:<3}", color)
            type_, name = self._names(row)
            self._write(f"{label} {type_} {name} {self._status(row)} {self._info(row)}")

    def _names(self, row: _Row) -> tuple[str, str]:
        return (
            (display_type(row.urn), row.urn.split("::", 3)[3])
            if row.urn
            else (STACK_TYPE, self._stack_name)
        )

    def _status(self, row: _Row) -> str:
        _, color, planned, running, done, _ = OPS[row.op]
        errors = row.failed or any(m["severity"] == "error" for m in row.messages)
        is_stack = row.urn == self._stack_urn
        ended = self._over or row.failed or (not is_stack and row.op in row.done_ops)
        if not ended and is_stack and row.op == "same":
            return "running"
        if self._preview:
            return self.paint(planned, color)
        if not ended:
            return self.paint(f"{running} (0s)" if running else "", color)
        if errors:
            return self.paint(f"**{running} failed**" if running else "**failed**", COLORS["error"])
        if row.op == "same" or row.ended is None:
            return self.paint(done, color)
        seconds = row.ended - row.started
        return self.paint(
            f"{done} ({seconds:.2f}s)" if seconds < 1 else f"{done} ({int(seconds)}s)", color
        )

    def _info(self, row: _Row) -> str:
        parts = [f"[{text}]" if (text := short_difference(row.metadata)) else ""]
        if self._over:
            counts = (
                ("error", "error"),
                ("warning", "warning"),
                ("message", "info"),
                ("debug", "debug"),
            )
            for word, severity in counts:
                count = sum(m["severity"].startswith(severity) for m in row.messages)
                parts.append(f"{count} {word}{'s' if count > 1 else ''}" if count else "")
        elif row.messages:
            parts.append(self._text(row.messages[-1]).split("\n")[0])
        return "; ".join(part for part in parts if part)

    def _text(self, payload: Event) -> str:
        severity = payload["severity"]
        message = str(payload["message"]).rstrip()
        if severity in ("error", "warning"):
            return self.paint(f"{severity}:", COLORS[severity]) + f" {message}"
        return message

    def _finish(self) -> None:
        unfinished = [
            row for row in self._rows.values() if not row.failed and row.op not in row.done_ops
        ]
        stack = self._rows.get(self._stack_urn)
        if stack is not None and stack not in unfinished:
            unfinished.append(stack)
        self._over = True
        for row in unfinished:
            self._print_row(row)
        self._print_messages()
        self._print_outputs()
        if self._summary is not None:
            self._print_summary(self._summary)

    def _print_messages(self) -> None:
        rows = [
            row for row in self._rows.values() if any(not m.get("ephemeral") for m in row.messages)
        ]
        if rows:
            self._write(self.paint("Diagnostics:", COLORS["head"]))
        for row in rows:
            type_, name = self._names(row)
            self._write(self.paint(f"  {type_} ({name}):", COLORS["resource"]))
            for message in row.messages:
                if not message.get("ephemeral"):
                    for line in self._text(message).split("\n"):
                        self._write(f"    {line}".rstrip())
            self._write("")

    def _print_outputs(self) -> None:
        if not self._show_outputs or self._outputs is None:
            return
        lines = output_lines(self._outputs, preview=self._preview)
        if lines:
            self._write(self.paint("Outputs:", COLORS["head"]))
            for line in [*lines, ""]:
                self._write(line)

    def _print_summary(self, summary: Event) -> None:
        errored = sum(
            any(m["severity"] == "error" for m in row.messages) for row in self._rows.values()
        )
        for line in summary_lines(summary, errored=errored, preview=self._preview):
            self._write(line)


def is_internal(metadata: Event) -> bool:
    """Say whether a step is the engine's own affair: the default providers."""
    return str(metadata["type"]).startswith("pulumi:providers:") and metadata["urn"].split("::", 3)[
        3
    ].startswith("default")


def _reprotected(metadata: Event) -> bool:
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    return bool(old) and bool(new) and bool(old.get("protect")) != bool(new.get("protect"))


def display_type(urn: str) -> str:
    """Return a resource's type as people read it: `aws:s3:Bucket` for `aws:s3/bucket:Bucket`."""
    type_ = urn.split("::", 3)[2].split("$")[-1]
    parts = type_.split(":")
    if len(parts) == 3 and "/" in parts[1]:
        module, _, file = parts[1].partition("/")
        if file.lower() == parts[2].lower():
            return f"{parts[0]}:{module}:{parts[2]}"
    return type_


def short_difference(metadata: Event) -> str:
    """Name the properties that differ: `diff: +added-removed~changed`."""
    old, new = metadata.get("old"), metadata.get("new")
    if not old or not new:
        return ""
    signs: dict[str, set[str]] = {"+": set(), "-": set(), "~": set()}
    if metadata["op"] != "same":
        before, after = hide(old["inputs"]), hide(new["inputs"])
        detailed = metadata.get("detailedDiff")
        if detailed:
            for path, change in detailed.items():
                sign = {"add": "+", "delete": "-"}.get(change["diffKind"].split("-")[0], "~")
                key = path.split(".")[0].split("[")[0]
                signs[sign if key == path else "~"].add(key)
        else:
            wanted = metadata.get("diffs")
            for key in {*before, *after}:
                if before.get(key) != after.get(key) and (not wanted or key in wanted):
                    signs["+" if key not in before else "-" if key not in after else "~"].add(key)
    for name, absent in (("provider", ""), ("protect", False)):
        if old.get(name, absent) != new.get(name, absent):
            signs["~"].add(name)
    text = "".join(sign + ",".join(sorted(keys)) for sign, keys in signs.items() if keys)
    return f"diff: {text}" if text else ""


def output_lines(metadata: Event, *, preview: bool) -> list[str]:
    """Show a stack's outputs: all of them after an operation, what changes in a preview."""
    old = hide((metadata.get("old") or {}).get("outputs") or {})
    new = hide((metadata.get("new") or {}).get("outputs") or {})
    if preview and old == new:
        return []
    if not metadata.get("old"):
        return property_lines(new, indent=4)
    return difference_lines(old, new, indent=4, same=not preview)


def summary_lines(summary: Event, *, errored: int, preview: bool) -> list[str]:
    """Show how many resources were, or would be, changed in which way."""
    changes = summary["resourceChanges"]
    shown = {
        op: count
        for op, count in changes.items()
        if op not in ("same", "read", "discard", "read-replacement") and count
    }
    lines = ["Resources:"]
    for op in (op for op in OPS if op in shown):
        symbol, *_, done = OPS[op]
        word = f"to {op}" if preview else done
        lines.append(f"    {symbol:<2}{shown[op]} {word}")
    pieces = [f"{sum(shown.values())} changes"] if len(shown) >= 2 else []
    pieces += [f"{changes['same']} unchanged"] if changes.get("same") else []
    if pieces:
        lines.append(f"    {'. '.join(pieces)}")
    if errored:
        lines.append(f"    {errored} errored")
    if not preview:
        lines += ["", f"Duration: {duration_text(summary['durationSeconds'])}"]
    return [*lines, ""]


def duration_text(seconds: int) -> str:
    """Write whole seconds as Go does: `1m5s`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest}s"


class Difference:
    """Prints an operation as a diff: each changed resource with what changes in it."""

    def __init__(
        self,
        paint: Callable[[str, str], str],
        write: Callable[[str], None] = print,
        *,
        preview: bool,
    ) -> None:
        self._paint, self._write, self._preview = paint, write, preview
        self._parents: dict[str, str] = {}

    def handle(self, event: Event) -> None:
        """Take one event."""
        if "resourcePreEvent" in event:
            self._step(event["resourcePreEvent"]["metadata"])
        elif "resOutputsEvent" in event:
            self._stack_outputs(event["resOutputsEvent"]["metadata"])
        elif "diagnosticEvent" in event:
            payload = event["diagnosticEvent"]
            if payload["severity"] != "debug":
                prefix = (
                    f"{payload['severity']}: "
                    if payload["severity"] in ("error", "warning")
                    else ""
                )
                self._write(prefix + payload["message"].rstrip())
        elif "summaryEvent" in event:
            for line in summary_lines(event["summaryEvent"], errored=0, preview=self._preview):
                self._write(line)

    def _step(self, metadata: Event) -> None:
        op, state = metadata["op"], metadata.get("new") or metadata.get("old") or {}
        is_stack = metadata["type"] == STACK_TYPE
        physical = op in ("create-replacement", "delete-replaced")
        if is_internal(metadata) or physical or op == "read" or (op == "same" and not is_stack):
            return
        self._parents[metadata["urn"]] = state.get("parent", "")
        indent = 4 * self._depth(state.get("parent", ""))
        symbol, color, *_ = OPS[op]
        head = f"{' ' * indent}{symbol:<2}{metadata['type']}: ({op})"
        self._write(self._paint(head, color))
        old, new = metadata.get("old") or {}, metadata.get("new") or {}
        about = {"id": (old or new).get("id"), "urn": metadata["urn"]}
        if old and new and old.get("provider") != new.get("provider"):
            about["provider"] = f"{old.get('provider')} => {new.get('provider')}"
        for name, text in about.items():
            if text:
                self._write(f"{' ' * (indent + 4)}[{name}={scalar_text(text).strip(chr(34))}]")
        before, after = hide(old.get("inputs") or {}), hide(new.get("inputs") or {})
        if old and new and op != "same":
            lines = difference_lines(before, after, indent=indent + 4)
        else:
            lines = (
                [] if op == "same" else property_lines(after if new else before, indent=indent + 4)
            )
        for line in lines:
            self._write(self._paint(line, OPS["update"][1] if line.lstrip()[:1] in "+-~" else ""))

    def _depth(self, parent: str) -> int:
        return 0 if parent not in self._parents else 1 + self._depth(self._parents[parent])

    def _stack_outputs(self, metadata: Event) -> None:
        if metadata["type"] == STACK_TYPE:
            lines = output_lines(metadata, preview=self._preview)
            for line in ["    --outputs:--", *lines] if lines else []:
                self._write(line)
