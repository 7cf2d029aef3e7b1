"""Engine events and endpoint looks become lines a person can follow, each thing once."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.automation.events import EngineEvent

from automation.endpoint import state_from
from automation.hazards import ENDPOINT
from automation.progress import Progress, ProgressLine, without_trace

URN = "urn:pulumi:dev-wine::greenlight::{type}::{name}"
TRACE = """Traceback (most recent call last):
  File "x.py", line 1, in <module>
    raise error
components.swap_plan.RolledBackError: swap of endpoint a to b was rolled back
  failure reason: alarms"""


def an_event(**parts: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 0, **parts})


def a_step(kind: str, op: str, type_: str, name: str, **new: Any) -> EngineEvent:
    urn = URN.format(type=type_, name=name)
    state = {"type": type_, "urn": urn, "id": "", "parent": "", "provider": "", **new}
    metadata = {"op": op, "urn": urn, "type": type_, "provider": "", "new": state, "old": None}
    return an_event(**{kind: {"metadata": metadata, "planning": False}})


def a_diagnostic(message: str, severity: str) -> EngineEvent:
    return an_event(
        diagnosticEvent={"message": message, "color": "never", "severity": severity, "prefix": ""}
    )


class Listener:
    """Keeps the lines it is told."""

    def __init__(self) -> None:
        self.lines: list[ProgressLine] = []
        self.progress = Progress(self.lines.append)

    def texts(self) -> list[str]:
        return [line.text for line in self.lines]


def test_only_what_changed_is_told() -> None:
    listener = Listener()

    for op in ("same", "create", "delete-replaced"):
        listener.progress.take_event(a_step("resOutputsEvent", op, "aws:s3/bucket:Bucket", op))

    assert listener.texts() == ["created Bucket create", "deleted Bucket delete-replaced"]


@pytest.mark.parametrize(
    ("op", "type_"),
    [("update", "pulumi:providers:aws"), ("replace", "aws:sagemaker/model:Model")],
)
def test_what_only_the_engine_counts_is_not_told(op: str, type_: str) -> None:
    listener = Listener()

    listener.progress.take_event(a_step("resOutputsEvent", op, type_, "anything"))

    assert listener.texts() == []


def test_steps_are_kept_for_the_hazards() -> None:
    listener = Listener()

    listener.progress.take_event(a_step("resourcePreEvent", "replace", ENDPOINT, "endpoint"))

    (step,) = listener.progress.steps
    assert (step.op, step.type, step.name) == ("replace", ENDPOINT, "endpoint")


def test_the_endpoints_name_is_learnt_from_the_engine() -> None:
    listener = Listener()

    listener.progress.take_event(
        a_step("resOutputsEvent", "create", ENDPOINT, "e", outputs={"name": "wine-dev-1234567"})
    )

    assert listener.progress.endpoint_name == "wine-dev-1234567"


def test_an_error_is_kept_without_colours_and_stack_trace() -> None:
    listener = Listener()

    listener.progress.take_event(a_diagnostic("<{%fg 1%}>" + TRACE + "<{%reset%}>", "error"))
    listener.progress.take_event(a_diagnostic("update failed", "error"))

    (error,) = listener.progress.errors
    assert error.startswith("components.swap_plan.RolledBackError: swap of endpoint a")
    assert error.endswith("failure reason: alarms")
    assert listener.texts() == ["swap of endpoint a to b was rolled back"]


def test_a_stage_seen_by_the_swap_and_by_the_watch_is_told_once() -> None:
    listener = Listener()
    status = [{"Status": "Baking", "StatusMessage": "Baking for 60 seconds"}]
    state = state_from(
        "wine-dev",
        {
            "EndpointStatus": "Updating",
            "LastModifiedTime": 0.0,
            "ProductionVariants": [{"VariantName": "A", "VariantStatus": status}],
        },
    )

    line = "swap wine-dev +12s: baking: Baking for 60 seconds"
    listener.progress.take_event(a_diagnostic(line, "info"))
    listener.progress.take_state(state)
    listener.progress.take_state(state)

    assert listener.texts() == ["wine-dev: baking: Baking for 60 seconds"]


def test_other_output_of_the_program_is_not_repeated() -> None:
    listener = Listener()

    listener.progress.take_event(a_diagnostic("hello from the program", "info"))

    assert listener.lines == []


def test_the_summary_counts_by_the_engines_word() -> None:
    progress = Progress()

    progress.take_event(
        an_event(
            summaryEvent={
                "maybeCorrupt": False,
                "durationSeconds": 1,
                "resourceChanges": {"create": 2, "same": 3},
                "PolicyPacks": {},
            }
        )
    )

    assert progress.changes == {"create": 2, "same": 3}


def test_text_without_a_trace_stays_as_it_is() -> None:
    assert without_trace("one\n  two") == "one\n  two"
