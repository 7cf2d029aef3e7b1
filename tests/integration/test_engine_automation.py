"""The unchanged Automation API over the embedded engine: one inline program, from init to rm."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import automation
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

ROOT = Path(__file__).parents[2]


class Keeper(ResourceProvider):
    """Keeps a value, unless it is told to break."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        if props["value"] == "break":
            raise RuntimeError("the keeper broke")
        return CreateResult("kept", {"value": props["value"]})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=_olds["value"] != _news["value"])

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult({"value": _news["value"]})


class Kept(Resource):
    value: pulumi.Output[str]

    def __init__(self, name: str, value: pulumi.Input[str]) -> None:
        super().__init__(Keeper(), name, {"value": value})


def program() -> None:
    config = pulumi.Config()
    if config.get("raise"):
        raise ValueError("the program broke")
    kept = Kept("kept", config.require("value"))
    pulumi.export("value", kept.value)
    pulumi.export("hidden", config.require_secret("hidden"))


def resources_of(exported: automation.Deployment) -> list[dict[str, Any]]:
    assert exported.deployment is not None
    found: list[dict[str, Any]] = exported.deployment["resources"]
    return found


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> automation.Stack:
    for folder in ("bin", "state", "home", "work"):
        (tmp_path / folder).mkdir()
    shim = tmp_path / "bin" / "pulumi"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rehearsal.engine "$@"\n')
    shim.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}/bin:{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    options = automation.LocalWorkspaceOptions(work_dir=str(tmp_path / "work"))
    settings = automation.ProjectSettings(name="p5", runtime="python")
    (tmp_path / "work" / "Pulumi.yaml").write_text(f"name: {settings.name}\nruntime: python\n")
    return automation.create_stack("dev", project_name="p5", program=program, opts=options)


@pytest.mark.timeout(240)
def test_inline_program_goes_from_first_update_to_removal(stack: automation.Stack) -> None:
    stack.set_config("value", automation.ConfigValue("one"))
    stack.set_config("hidden", automation.ConfigValue("hush", secret=True))
    seen: list[automation.EngineEvent] = []

    assert stack.preview().change_summary == {automation.OpType.CREATE: 2}
    first = stack.up(on_event=seen.append)
    assert first.summary.resource_changes == {"create": 2}
    assert (first.outputs["value"].value, first.outputs["hidden"].value) == ("one", "hush")
    assert [first.outputs[name].secret for name in ("value", "hidden")] == [False, True]
    assert seen[0].prelude_event is not None
    assert seen[-1].cancel_event is not None
    assert [event.sequence for event in seen] == list(range(len(seen)))

    stack.set_config("value", automation.ConfigValue("two"))
    assert stack.up().summary.resource_changes == {"same": 1, "update": 1}
    assert stack.refresh().summary.kind == "refresh"

    stack.set_config("raise", automation.ConfigValue("yes"))
    with pytest.raises(automation.InlineSourceRuntimeError, match="the program broke"):
        stack.up()
    told = [(entry.kind, entry.result) for entry in stack.history()]
    assert told == [
        ("update", "failed"),
        ("refresh", "succeeded"),
        ("update", "succeeded"),
        ("update", "succeeded"),
    ]

    exported = stack.export_stack()
    stack.import_stack(exported)
    assert resources_of(stack.export_stack()) == resources_of(exported)
    with pytest.raises(automation.StackAlreadyExistsError):
        stack.workspace.create_stack("dev")
    with pytest.raises(automation.StackNotFoundError):
        stack.workspace.select_stack("absent")

    assert stack.destroy().summary.resource_changes == {"delete": 2}
    stack.workspace.remove_stack("dev")
    assert stack.workspace.list_stacks() == []


@pytest.mark.timeout(120)
def test_failing_resource_leaves_a_red_update_and_no_half_state(stack: automation.Stack) -> None:
    stack.set_config("value", automation.ConfigValue("break"))
    stack.set_config("hidden", automation.ConfigValue("hush", secret=True))

    with pytest.raises(automation.CommandError, match="the keeper broke"):
        stack.up()

    info = stack.info()
    assert info is not None
    assert info.result == "failed"
    assert "kept" not in [entry.get("id") for entry in resources_of(stack.export_stack())]
