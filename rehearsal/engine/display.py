"""What a person sees of an operation: progress lines, messages, outputs and the summary.

Follows the official CLI's non-interactive display, on terminals too, where it adds colour. It
reads nothing but events, so that what is shown is what the event log says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rehearsal.engine.valuetext import difference_lines, hide, property_lines

Event = dict[str, Any]
Write = Callable[[str], None]
# op: symbol, colour, word of a plan, word while it runs, word when it is done
OPS = {
    "same": (" ", "", "", "", ""),
    "create": ("+", "32", "create", "creating", "created"),
    "update": ("~", "33", "update", "updating", "updated"),
    "delete": ("-", "31", "delete", "deleting", "deleted"),
    "replace": ("+-", "35", "replace", "replacing", "replaced"),
    "create-replacement": (
        "++", "32", "create replacement", "creating replacement", "created replacement",
    ),
    "delete-replaced": (
        "--", "31", "delete original", "deleting original", "deleted original",
    ),
    "read": (">", "36", "read", "reading", "read"),
    "read-replacement": (">>", "36", "read for replacement", "reading", "read for replacement"),
    "refresh": ("~", "33", "refresh", "refreshing", "refresh"),
    "discard": ("<", "36", "discard", "discarding", "discarded"),
    "discard-replaced": ("<<", "36", "discard original", "discarding", "discarded original"),
    "remove-pending-replace": ("~", "", "", "", ""),
    "import": ("=", "32", "import", "importing", "imported"),
    "import-replacement": ("=>", "32", "import replacement", "importing", "imported replacement"),
}  # fmt: skip
PHYSICAL = ("create-replacement", "delete-replaced", "read-replacement", "import-replacement")
QUIET = ("read", "read-replacement", "discard-replaced")
STACK_TYPE = "pulumi:pulumi:Stack"
RED, YELLOW, HEAD, BLUE = "31", "33", "1;35", "94"


@dataclass(kw_only=True)
class _Row:
    urn: str
    metadata: Event = field(default_factory=lambda: {"op": "same"})
    hidden: bool = True
    failed: bool = False
    started: float = 0.0
    ended: float = 0.0
    done_ops: set[str] = field(default_factory=set)
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
    show_outputs: bool = True
    debug: bool = False
    write: Write = print
    _rows: dict[str, _Row] = field(default_factory=dict)
    _summary: Event | None = None
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
        if "stdoutEvent" in event:
            self.write(event["stdoutEvent"]["message"].rstrip("\n"))
        self._summary = event.get("summaryEvent", self._summary)
        if "cancelEvent" in event:
            self._finish()

    def _resource(self, kind: str, metadata: Event) -> None:
        if is_internal(metadata) or metadata["op"] in QUIET:
            return
        is_stack = metadata["type"] == STACK_TYPE
        if is_stack:
            self._stack_urn = metadata["urn"]
            early = self._rows.pop("", _Row(urn=metadata["urn"]))
            early.urn = metadata["urn"]
            self._rows.setdefault(early.urn, early)
        row = self._row(metadata["urn"])
        if is_stack or metadata["op"] != "same" or short_difference(metadata):
            row.hidden = False
        was, row.metadata = row.op, metadata
        row.failed = row.failed or kind == "resOpFailedEvent"
        if kind == "resourcePreEvent":
            row.started = time.monotonic()
        elif kind == "resOutputsEvent":
            row.ended = time.monotonic()
            row.done_ops.add(metadata["op"])
            self._outputs = metadata if is_stack and metadata.get("new") else self._outputs
            custom = (metadata.get("new") or metadata.get("old") or {}).get("custom")
            if was != "refresh" and (self.preview or metadata["op"] == "same" or not custom):
                return
        self._print(row)

    def _row(self, urn: str) -> _Row:
        return self._rows.setdefault(urn or self._stack_urn, _Row(urn=urn or self._stack_urn))

    def _message(self, payload: Event) -> None:
        if payload["severity"] != "debug" or self.debug:
            row = self._row(payload.get("urn", ""))
            row.messages.append(payload)
            row.hidden = False
            self._print(row)

    def _print(self, row: _Row) -> None:
        if not row.hidden:
            symbol, color, *_ = OPS[row.op]
            label = self.paint(f" {symbol:<2}", color)
            type_, name = self._names(row)
            self.write(f"{label} {type_} {name} {self._status(row)} {self._info(row)}")

    def _names(self, row: _Row) -> tuple[str, str]:
        if not row.urn:
            return STACK_TYPE, self.stack_name
        return display_type(row.urn), row.urn.split("::", 3)[3]

    def _status(self, row: _Row) -> str:
        _, color, planned, running, done = OPS[row.op]
        is_stack = row.urn == self._stack_urn
        ended = self._over or row.failed or (not is_stack and row.op in row.done_ops)
        if is_stack and row.op == "same" and not ended:
            return "running" if row.urn else ""
        if self.preview:
            return self.paint(planned, color)
        if not ended:
            return self.paint(f"{running} (0s)" if running else "", color)
        if row.failed or row.count("error"):
            return self.paint(f"**{running} failed**".replace("** ", "**"), RED)
        seconds = row.ended - row.started
        if row.op == "same" or row.op not in row.done_ops:
            return self.paint(done, color)
        took = f"{seconds:.2f}s" if seconds < 1 else f"{int(seconds)}s"
        return self.paint(f"{done} ({took})", color)

    def _info(self, row: _Row) -> str:
        difference = short_difference(row.metadata)
        parts = [f"[{difference}]"] if difference else []
        if self._over:
            words = {"error": "error", "warning": "warning", "info": "message", "debug": "debug"}
            counts = ((row.count(severity), word) for severity, word in words.items())
            parts += [f"{count} {word}{'s' * (count > 1)}" for count, word in counts if count]
        elif row.messages:
            parts.append(self._text(row.messages[-1]).split("\n")[0])
        return "; ".join(parts)

    def _text(self, payload: Event) -> str:
        severity, message = payload["severity"], str(payload["message"]).rstrip()
        color = {"error": RED, "warning": YELLOW}.get(severity)
        return f"{self.paint(f'{severity}:', color)} {message}" if color else message

    def _finish(self) -> None:
        rows = list(self._rows.values())
        running = [row for row in rows if not row.failed and row.op not in row.done_ops]
        running += [row for row in rows if row.urn == self._stack_urn and row not in running]
        self._over = True
        for row in running:
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
        if self._outputs is not None and self.show_outputs:
            lines = output_lines(self._outputs, preview=self.preview)
            for line in [self.paint("Outputs:", HEAD), *lines, ""] if lines else []:
                self.write(line)
        if self._summary is not None:
            errored = sum(row.count("error") > 0 for row in rows)
            for line in summary_lines(self._summary, errored=errored, preview=self.preview):
                self.write(line)


def is_internal(metadata: Event) -> bool:
    """Say whether a step is the engine's own affair: the default providers."""
    _, _, type_, name = metadata["urn"].split("::", 3)
    return bool(type_.startswith("pulumi:providers:") and name.startswith("default"))


def display_type(urn: str) -> str:
    """Return a resource's type as people read it: `aws:s3:Bucket` for `aws:s3/bucket:Bucket`."""
    type_ = urn.split("::", 3)[2].split("$")[-1]
    package, module, name = (*type_.split(":"), "", "")[:3]
    folder, _, file = module.rpartition("/")
    return f"{package}:{folder}:{name}" if folder and file.lower() == name.lower() else type_


def short_difference(metadata: Event) -> str:
    """Name the properties that differ: `diff: +added-removed~changed`."""
    old, new = metadata.get("old"), metadata.get("new")
    if not old or not new:
        return ""
    signs: dict[str, set[str]] = {"+": set(), "-": set(), "~": set()}
    detailed = metadata.get("detailedDiff")
    if metadata["op"] == "same":
        pass
    elif detailed:
        for path, change in detailed.items():
            key = path.split(".")[0].split("[")[0]
            sign = {"a": "+", "d": "-"}.get(change["diffKind"][0], "~")
            signs[sign if key == path else "~"].add(key)
    else:
        before, after = hide(old["inputs"]), hide(new["inputs"])
        for key in {*before, *after} & set(metadata.get("diffs") or {*before, *after}):
            if before.get(key) != after.get(key):
                signs["+" if key not in before else "-" if key not in after else "~"].add(key)
    for name in ("provider", "protect"):
        if (old.get(name) or None) != (new.get(name) or None):
            signs["~"].add(name)
    text = "".join(sign + ",".join(sorted(keys)) for sign, keys in signs.items() if keys)
    return f"diff: {text}" if text else ""


def output_lines(metadata: Event, *, preview: bool) -> list[str]:
    """Show a stack's outputs: all of them after an operation, what changes in a preview."""
    old, new = (hide((metadata.get(name) or {}).get("outputs") or {}) for name in ("old", "new"))
    if not metadata.get("old"):
        return property_lines(new, indent=4)
    return difference_lines(old, new, indent=4, same=not preview)


def summary_lines(summary: Event, *, errored: int, preview: bool) -> list[str]:
    """Show how many resources were, or would be, changed in which way."""
    changes = summary["resourceChanges"]
    shown = {op: changes[op] for op in OPS if changes.get(op) and op not in ("same", *QUIET)}
    lines = ["Resources:"]
    for op, count in shown.items():
        lines.append(f"    {OPS[op][0]:<2}{count} {f'to {op}' if preview else OPS[op][4]}")
    pieces = [f"{sum(shown.values())} changes"] if len(shown) >= 2 else []
    pieces += [f"{changes['same']} unchanged"] if changes.get("same") else []
    lines += [f"    {'. '.join(pieces)}"] if pieces else []
    lines += [f"    {errored} errored"] if errored else []
    if not preview:
        minutes, seconds = divmod(int(summary["durationSeconds"]), 60)
        lines += ["", f"Duration: {f'{minutes}m' if minutes else ''}{seconds}s"]
    return [*lines, ""]


@dataclass(kw_only=True)
class Difference:
    """Prints an operation as a diff: each changed resource with what changes in it."""

    preview: bool
    paint: Callable[[str, str], str] = lambda text, color: text
    write: Write = print
    _parents: dict[str, str] = field(default_factory=dict)

    def handle(self, event: Event) -> None:
        """Take one event."""
        if "resourcePreEvent" in event:
            self._step(event["resourcePreEvent"]["metadata"])
        elif "resOutputsEvent" in event:
            metadata = event["resOutputsEvent"]["metadata"]
            if metadata["type"] == STACK_TYPE and metadata.get("new"):
                lines = output_lines(metadata, preview=self.preview)
                self._print(["    --outputs:--", *lines] if lines else [])
        elif event.get("diagnosticEvent", {"severity": "debug"})["severity"] != "debug":
            payload = event["diagnosticEvent"]
            told = payload["severity"] in ("error", "warning")
            self.write(f"{payload['severity']}: " * told + payload["message"].rstrip())
        elif "summaryEvent" in event:
            self._print(summary_lines(event["summaryEvent"], errored=0, preview=self.preview))

    def _print(self, lines: list[str]) -> None:
        for line in lines:
            changed = line.lstrip()[:2] in ("+ ", "- ", "~ ")
            self.write(self.paint(line, OPS["update"][1] if changed else ""))

    def _step(self, metadata: Event) -> None:
        op, is_stack = metadata["op"], metadata["type"] == STACK_TYPE
        if is_internal(metadata) or op in (*PHYSICAL, *QUIET) or (op == "same" and not is_stack):
            return
        old, new = metadata.get("old") or {}, metadata.get("new") or {}
        self._parents[metadata["urn"]] = parent = (new or old).get("parent", "")
        indent = 0
        while parent:
            indent, parent = indent + 4, self._parents.get(parent, "")
        symbol, color, *_ = OPS[op]
        self.write(self.paint(f"{' ' * indent}{symbol:<2}{metadata['type']}: ({op})", color))
        about = {"id": (old or new).get("id"), "urn": metadata["urn"]}
        if old and new and old.get("provider") != new.get("provider"):
            about["provider"] = f"{old.get('provider')} => {new.get('provider')}"
        for name, text in about.items():
            if text:
                self.write(f"{' ' * (indent + 4)}[{name}={text}]")
        before, after = hide(old.get("inputs") or {}), hide(new.get("inputs") or {})
        if old and new:
            self._print([] if op == "same" else difference_lines(before, after, indent=indent + 4))
        else:
            self._print(property_lines(after if new else before, indent=indent + 4))
