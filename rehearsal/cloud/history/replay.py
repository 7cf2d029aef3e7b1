"""Asks a cloud with a manual clock everything again, and tells what came out different.

From a run on a manual clock a replay makes the same record to the letter, but for what a machine
measures: latencies. A run whose clock went by itself was paced by the machine, so of it only the
order of what happened to each endpoint can be the same, and that alone is compared.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rehearsal.cloud.history.command import Answered, Command, answered_by
from rehearsal.cloud.history.history import Answer
from rehearsal.cloud.timekeeper import Timekeeper

MAXIMUM_DIFFERENCES = 20
MEASURED = frozenset({"latency_ms_p50", "latency_ms_p99"})
# What happens to an endpoint however fast the machine is.
PACELESS = {
    "endpoint_status": ("status", "endpoint_config_name", "failure_reason"),
    "api_call": ("operation", "endpoint_config_name", "error"),
    "note": ("text", "verdict"),
}


def replay(
    commands: Iterable[Command], ended: float | None, timekeeper: Timekeeper, answer: Answer
) -> list[str]:
    """Ask every command at its time; return those that were answered otherwise."""
    different = []
    for command in commands:
        timekeeper.advance_to(command.time)
        answered = answered_by(answer(command.request))
        if not _is_same(answered, command.answered):
            name = f"command {command.number} ({command.request.method} {command.request.target})"
            different.append(f"{name} was answered {command.answered}, now {answered}")
    if ended is not None:
        timekeeper.advance_to(ended)
    return different


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], *, is_paced: bool
) -> list[str]:
    """Return what differs between two records, in words.

    Args:
        is_paced: the first run's clock went by itself
    """
    if is_paced:
        first, second = paceless(before["events"]), paceless(after["events"])
        return [
            f"endpoint {name}: was {first.get(name)}, now {second.get(name)}"
            for name in sorted({*first, *second})
            if first.get(name) != second.get(name)
        ]
    return [
        *_unlike("event", before["events"], after["events"]),
        *_unlike("sample", before["samples"], after["samples"]),
    ]


def paceless(events: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return what happened to each endpoint, in order, without times."""
    found: dict[str, list[Any]] = defaultdict(list)
    for event in events:
        members = PACELESS.get(event["kind"])
        if members is not None:
            entry = [event["kind"], *(event.get(name) for name in members)]
            found[event.get("endpoint_name", "")].append(entry)
    return dict(found)


def comparable(value: Any) -> Any:
    """Return an entry of a record without what a machine measures."""
    if isinstance(value, Mapping):
        return {name: comparable(each) for name, each in value.items() if name not in MEASURED}
    if isinstance(value, list):
        return [comparable(each) for each in value]
    return value


def _unlike(noun: str, before: Sequence[Any], after: Sequence[Any]) -> list[str]:
    found = []
    for index in range(max(len(before), len(after))):
        first = comparable(before[index]) if index < len(before) else None
        second = comparable(after[index]) if index < len(after) else None
        if first != second:
            found.append(f"{noun} {index}: was {json.dumps(first)}, now {json.dumps(second)}")
        if len(found) >= MAXIMUM_DIFFERENCES:
            break
    return found


def _is_same(answered: Answered, before: Answered) -> bool:
    return answered == before
