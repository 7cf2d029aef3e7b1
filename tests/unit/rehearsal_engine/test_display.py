"""The lines a person reads while an operation runs, and when it has ended."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.display import Progress, short_difference
from rehearsal.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY, UNKNOWN_TEXT

STACK = "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev"
CHILD = "urn:pulumi:dev::p::my:index:C$aws:s3/bucket:Bucket::child"
DEFAULT = "urn:pulumi:dev::p::pulumi:providers:aws::default_7_0_0"
Event = dict[str, Any]


def a_state(urn: str, **members: Any) -> Event:
    state = {"urn": urn, "type": urn.split("::")[2].split("$")[-1], "custom": urn != STACK}
    parent = "" if urn == STACK else STACK
    return {**state, "id": "", "parent": parent, "inputs": {}, "outputs": {}, **members}


def a_step(
    op: str, urn: str, *, old: Event | None = None, new: Event | None = None, **rest: Any
) -> Event:
    state = new or old or a_state(urn)
    if op == "create":
        new = new or state
    type_ = state["type"]
    return {"op": op, "urn": urn, "type": type_, "old": old, "new": new, **rest}


def told(op: str, urn: str, **states: Any) -> list[Event]:
    metadata = a_step(op, urn, **states)
    return [
        {"resourcePreEvent": {"metadata": metadata}},
        {"resOutputsEvent": {"metadata": metadata}},
    ]


def a_message(text: str, severity: str = "info", urn: str = "") -> Event:
    return {"diagnosticEvent": {"message": text, "severity": severity, "urn": urn}}


def an_end(changes: dict[str, int], seconds: int = 1) -> list[Event]:
    summary = {"resourceChanges": changes, "durationSeconds": seconds, "maybeCorrupt": False}
    return [{"summaryEvent": summary}, {"cancelEvent": {}}]


def shown(events: list[Event], *, preview: bool = False, **options: Any) -> list[str]:
    lines: list[str] = []
    display = Progress(stack_name="p-dev", preview=preview, write=lines.append, **options)
    for event in events:
        display.handle(event)
    return lines


def test_preview_tells_each_change_once_and_sums_up() -> None:
    new = a_state(STACK, outputs={"name": "x"})
    events = [*told("create", DEFAULT), *told("create", STACK, new=new), *told("create", CHILD)]

    lines = shown([*events, *an_end({"create": 2})], preview=True)

    assert lines == [
        " +  pulumi:pulumi:Stack p-dev create",
        " +  aws:s3/bucket:Bucket child create",
        "Outputs:",
        '    name: "x"',
        "",
        "Resources:",
        "    + 2 to create",
        "",
    ]


def test_update_tells_begin_and_end_of_each_step_with_its_time() -> None:
    old, new = a_state(CHILD, inputs={"a": 1, "b": 1}), a_state(CHILD, inputs={"a": 2, "c": 1})
    same = a_state(STACK)
    events = [
        *told("same", STACK, old=same, new=same),
        *told("update", CHILD, old=old, new=new, diffs=["a", "b"]),
        *an_end({"same": 1, "update": 1}, seconds=65),
    ]

    lines = shown(events)

    assert lines == [
        "    pulumi:pulumi:Stack p-dev running",
        " ~  aws:s3/bucket:Bucket child updating [diff: a, b]",
        " ~  aws:s3/bucket:Bucket child updated (0.00s) [diff: a, b]",
        "Resources:",
        "    ~ 1 updated",
        "    1 unchanged",
        "",
        "Duration: 65s",
        "",
    ]


def test_failure_is_marked_and_every_message_told_at_the_end() -> None:
    pre = told("create", CHILD)[0]
    failed = {"resOpFailedEvent": {"metadata": a_step("create", CHILD), "status": 0, "steps": 0}}
    events = [
        told("create", STACK)[0],
        a_message("hello\n"),
        pre,
        a_message("it broke\nbadly\n", "error", CHILD),
        failed,
        a_message("quiet", "debug"),
        *an_end({"create": 1}),
    ]

    lines = shown(events)

    assert lines[:5] == [
        " +  pulumi:pulumi:Stack p-dev creating",
        "    pulumi:pulumi:Stack p-dev  hello",
        " +  aws:s3/bucket:Bucket child creating",
        "    aws:s3/bucket:Bucket child  error: it broke",
        " +  aws:s3/bucket:Bucket child **creating failed**",
    ]
    start = lines.index("Diagnostics:")
    assert lines[start:] == [
        "Diagnostics:",
        "  pulumi:pulumi:Stack (p-dev):",
        "    hello",
        "",
        "  aws:s3/bucket:Bucket (child):",
        "    error: it broke",
        "    badly",
        "",
        "Resources:",
        "    + 1 created",
        "    1 errored",
        "",
        "Duration: 1s",
        "",
    ]


def test_message_before_the_stack_is_known_belongs_to_the_stack() -> None:
    lines = shown([a_message("early"), *told("create", STACK), *an_end({})])

    assert lines[0] == "    pulumi:pulumi:Stack p-dev  early"
    assert "  pulumi:pulumi:Stack (p-dev):" in lines


def test_kinds_of_change_are_counted_together() -> None:
    end = an_end({"create": 1, "delete": 2, "replace": 1, "same": 3, "read": 4})

    lines = shown([*told("create", STACK), *end], preview=True)

    assert lines[1:] == [
        "Resources:",
        "    + 1 to create",
        "    - 2 to delete",
        "    +-1 to replace",
        "    3 unchanged",
        "",
    ]


def test_colours_come_only_when_asked_for() -> None:
    assert "\x1b[32m" in shown(told("create", STACK), color=True)[0]


def test_properties_that_differ_are_named() -> None:
    assert short_difference({**a_step("update", CHILD), "diffs": ["a", "b"]}) == "[diff: a, b]"


def test_outputs_are_shown_without_what_they_hide() -> None:
    hidden = {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": "x"}
    new = a_state(STACK, outputs={"same": [1], "text": UNKNOWN_TEXT, "s": {"in": hidden}})

    lines = shown([*told("create", STACK, new=new), *an_end({})], preview=True)

    assert lines[1:5] == [
        "Outputs:",
        '    s: {"in": "[secret]"}',
        "    same: [1]",
        '    text: "[unknown]"',
    ]
