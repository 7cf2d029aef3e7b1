"""Runs a scenario against any `pulumi` and says what happened, so that two can be compared."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.engine_scenarios.eventlog import told_by_events
from tests.support.engine_scenarios.normal import Normaliser, settled, short_urn
from tests.support.engine_scenarios.provider import Call, Fault
from tests.support.engine_scenarios.sandbox import (
    PASSPHRASE,
    PROJECT,
    SALT,
    Finished,
    Sandbox,
    open_sandbox,
)
from tests.support.engine_scenarios.scenario import (
    STACK,
    Capture,
    Drift,
    EditExport,
    EditState,
    Exists,
    Pulumi,
    Scenario,
    Vanish,
    Write,
)

MUTATIONS = ("Create", "Update", "Delete")


def run_scenario(
    scenario: Scenario, root: Path, pulumi: Sequence[str], variables: Mapping[str, str]
) -> dict[str, Any]:
    """Run every step in a fresh sandbox under `root`.

    Returns:
        The recording: the name, and one entry per `pulumi` command.
    """
    sandbox = open_sandbox(root, pulumi, variables)
    try:
        sandbox.add_project()
        if scenario.seeded:
            sandbox.add_stack()
        runner = _Runner(sandbox)
        commands = [entry for step in scenario.steps for entry in runner.take(step)]
    finally:
        sandbox.provider.stop()
    if not scenario.ordered:
        for command in commands:
            command.get("changed", []).sort()
    return {"scenario": scenario.name, "commands": commands}


class _Runner:
    """Takes the steps of one scenario in order and remembers what was seen before."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.normaliser = Normaliser(sandbox.root, sys.prefix, PASSPHRASE)
        self.states: dict[str, Any] = {}
        self.histories: set[Path] = set()
        self.number = 0
        self.changed_states()

    def take(self, step: Any) -> list[dict[str, Any]]:
        world = self.sandbox.provider.world
        match step:
            case Pulumi():
                return [self.command(step)]
            case Write():
                write_file(self.sandbox, step)
            case Drift(identity=identity, changes=changes):
                thing = world.things[identity]
                thing.outputs.update(changes)
                thing.inputs.update(
                    {key: value for key, value in changes.items() if key in thing.inputs}
                )
            case Vanish(identity=identity):
                del world.things[identity]
            case Exists(identity=identity, inputs=inputs):
                self.sandbox.put(identity, inputs)
            case EditState(members=members):
                path = self.sandbox.state / ".pulumi" / "stacks" / PROJECT / f"{STACK}.json"
                document = json.loads(path.read_text())
                document["checkpoint"]["latest"].update(members)
                path.write_text(json.dumps(document))
            case EditExport(path=path, old=old, new=new):
                target = self.sandbox.root / path
                target.write_text(target.read_text().replace(old, new))
            case Fault():
                world.faults.append(step)
        return []

    def command(self, step: Pulumi) -> dict[str, Any]:
        self.number += 1
        log = self.sandbox.root / f"events-{self.number}.jsonl"
        end = step.argv.index("--") if "--" in step.argv else len(step.argv)
        argv = [*step.argv[:end], "--non-interactive"]
        argv += ["--stack", STACK] if step.stack else []
        argv += ["--event-log", str(log)] if step.events else []
        argv += step.argv[end:]
        world = self.sandbox.provider.world
        world.calls.clear()
        done = self.sandbox.run(
            argv, folder=step.folder, stdin=step.stdin, changes=step.environment
        )
        entry: dict[str, Any] = {"command": " ".join(step.argv), "exit": done.exit_code}
        entry |= self.printed(step, done)
        if step.events:
            entry |= told_by_events(log, self.normaliser)
        entry |= calls_by_subject(world.calls)
        entry |= self.changed_states()
        entry |= self.new_history()
        locks = sorted((self.sandbox.state / ".pulumi" / "locks").rglob("*.json"))
        return entry | ({"locks_left": len(locks)} if locks else {})

    def printed(self, step: Pulumi, done: Finished) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        if step.capture is Capture.JSON and done.exit_code == 0:
            shown["stdout"] = self.normaliser.value(json.loads(done.stdout))
        elif step.capture is Capture.TEXT:
            shown["stdout"] = self.normaliser.lines(done.stdout)
        if step.capture is not Capture.NOTHING and done.stderr.strip():
            shown["stderr"] = self.normaliser.lines(done.stderr)
        return shown

    def changed_states(self) -> dict[str, Any]:
        """Every stack's state that this command changed, without what did not change."""
        stacks = self.sandbox.state / ".pulumi" / "stacks"
        found: dict[str, Any] = {}
        for path in sorted(stacks.rglob("*.json")):
            checkpoint = json.loads(path.read_text()).get("checkpoint", {})
            found[str(path.relative_to(stacks))] = self.normaliser.deployment(
                checkpoint.get("latest", {})
            )
        changed = {name: state for name, state in found.items() if self.states.get(name) != state}
        gone = {name: "gone" for name in self.states if name not in found}
        self.states = found
        return {"state": changed | gone} if changed or gone else {}

    def new_history(self) -> dict[str, Any]:
        places = (self.sandbox.state / ".pulumi" / "history").rglob("*.history.json")
        fresh = sorted(path for path in places if path not in self.histories)
        self.histories.update(fresh)
        records = [self.normaliser.history(json.loads(path.read_text())) for path in fresh]
        return {"history": records} if records else {}


def write_file(sandbox: Sandbox, step: Write) -> None:
    """Write the file; a program in a folder that is no project yet makes it one."""
    target = sandbox.root / step.path
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.name == "__main__.py" and not (target.parent / "Pulumi.yaml").exists():
        sandbox.add_project(folder=target.parent.name, project=target.parent.name)
        sandbox.add_stack(project=target.parent.name)
    target.write_text(step.text.replace("{salt}", SALT))


def calls_by_subject(calls: Iterable[Call]) -> dict[str, Any]:
    """The provider calls per resource in order, and the order of those that change something."""
    grouped: dict[str, list[Any]] = {}
    changing: list[str] = []
    for call in calls:
        subject = short_urn(call.subject)
        grouped.setdefault(subject, []).append({call.method: call.facts})
        if call.method in MUTATIONS and "preview" not in call.facts:
            changing.append(f"{call.method} {call.facts.get('id', subject)}")
    shown: dict[str, Any] = {}
    if grouped:
        shown["calls"] = {
            name: settled(made, lambda call: "delete" if "Delete" in call else None)
            for name, made in sorted(grouped.items())
        }
    if changing:
        shown["changed"] = settled(changing, _deleted_name)
    return shown


def _deleted_name(change: str) -> str | None:
    method, _, identity = change.partition(" ")
    return identity.rpartition("-")[0] if method == "Delete" else None
