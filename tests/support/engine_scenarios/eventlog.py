"""What an engine's event log tells: the steps per resource, the diagnostics, and the summary."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.engine_scenarios.normal import Normaliser, settled, short_urn

STEP_EVENTS = {"resourcePreEvent": "pre", "resOutputsEvent": "out", "resOpFailedEvent": "failed"}
SHOWN_SEVERITIES = ("info", "info#err", "warning", "error")
STACK_TYPE = "pulumi:pulumi:Stack "


def told_by_events(log: Path, normaliser: Normaliser) -> dict[str, Any]:
    """The members `steps`, `changes`, `result`, `diagnostics`; `events` if the log is broken."""
    lines = log.read_text().splitlines() if log.exists() else []
    events = [json.loads(line) for line in lines]
    summaries = [event["summaryEvent"] for event in events if "summaryEvent" in event]
    summary: dict[str, Any] = summaries[0] if summaries else {}
    failed = summary.get("result") == "failed"
    told: dict[str, Any] = {"steps": _steps(events, failed)}
    if "resourceChanges" in summary:
        told["changes"] = summary["resourceChanges"]
    told |= {key: summary[key] for key in ("result", "maybeCorrupt") if summary.get(key)}
    problem = order_problem(events)
    told |= {"events": problem} if problem else {}
    return told | {"diagnostics": _diagnostics(events, normaliser)}


def _steps(events: Iterable[Mapping[str, Any]], failed: bool) -> dict[str, list[str]]:
    steps: dict[str, list[str]] = {}
    for event in events:
        for kind, word in STEP_EVENTS.items():
            if kind not in event:
                continue
            metadata = event[kind]["metadata"]
            name = short_urn(metadata["urn"])
            # Whether a program that fails gets as far as the stack's outputs is a race.
            if not (failed and word == "out" and name.startswith(STACK_TYPE)):
                steps.setdefault(name, []).append(step_words(word, metadata))
    return {
        name: settled(words, lambda word: "delete" if " delete" in word else None)
        for name, words in sorted(steps.items())
    }


def step_words(word: str, metadata: Mapping[str, Any]) -> str:
    """One event in words: when, what, which sides it has, and the reasons it gives."""
    sides = "+".join(side for side in ("old", "new") if metadata.get(side))
    words = [word, metadata["op"], f"({sides})"]
    words += ["logical"] if metadata.get("logical") else []
    for name in ("keys", "diffs"):
        words += [f"{name}={','.join(sorted(metadata[name]))}"] if metadata.get(name) else []
    detailed = metadata.get("detailedDiff")
    if detailed:
        told = [f"{key}:{diff['diffKind']}" for key, diff in sorted(detailed.items())]
        words.append(f"detailed={','.join(told)}")
    return " ".join(words)


def _diagnostics(events: Iterable[Mapping[str, Any]], normaliser: Normaliser) -> list[str]:
    lines = []
    for event in events:
        told = event.get("diagnosticEvent")
        if told and told["severity"] in SHOWN_SEVERITIES and not told.get("ephemeral"):
            where = short_urn(told["urn"]) if told.get("urn") else "-"
            text = normaliser.text(told["message"]).strip()
            lines.append(f"{told['severity']} {where}: {text}")
    if any("KeyboardInterrupt" in line for line in lines):
        # The official host stops a failed update's program by SIGINT; what Python prints then
        # (a traceback on standard error) is an accident of timing.
        lines = [line for line in lines if not line.startswith("info#err -")]
    return sorted(lines)


def order_problem(events: Sequence[Mapping[str, Any]]) -> str | None:
    """Why the log as a whole is not well formed, or None."""
    kinds = [next((key for key in event if key.endswith("Event")), "?") for event in events]
    if [event["sequence"] for event in events] != list(range(len(events))):
        return "the sequence numbers have gaps"
    if not kinds or kinds[0] != "preludeEvent" or kinds[-1] != "cancelEvent":
        return f"the log runs from {kinds[:1]} to {kinds[-1:]}"
    return None
