"""Scenarios of the commands around an operation: stacks, locks, export and import, usage errors."""

from __future__ import annotations

import json

from tests.support.engine_scenarios.scenario import (
    EditExport,
    EditState,
    Scenario,
    Write,
    destroy,
    json_of,
    preview,
    program,
    quiet,
    refresh,
    text,
    up,
)

LOCK = json.dumps(
    {"pid": 1, "username": "someone", "hostname": "elsewhere", "timestamp": "2026-01-01T00:00:00Z"}
)
LOCK_PATH = "state/.pulumi/locks/organization/p/dev/6a2f41a3-0000-4000-8000-000000000000.json"
PENDING = {
    "type": "creating",
    "resource": {
        "urn": "urn:pulumi:dev::p::test:index:Thing::b",
        "custom": True,
        "type": "test:index:Thing",
    },
}
THING = 'a = Thing("a", value=1)\nexport("shout", a.shout)'

SCENARIOS = (
    Scenario(
        name="stack_commands",
        story="Stacks are made, listed, selected, removed; a double name is refused.",
        seeded=False,
        steps=(
            quiet("stack", "init", "dev", stack=False),
            quiet("stack", "init", "dev", stack=False),
            quiet("stack", "select", "--stack", "absent", stack=False),
            quiet("stack", "init", "other", "--no-select", stack=False),
            json_of("stack", "ls", "--json", stack=False),
            quiet("stack", "select", "dev", stack=False),
            text("stack", "rm", "other", "--yes", stack=False),
        ),
    ),
    Scenario(
        name="stack_init_passphrase",
        story="A new stack gets a salt of its own, and the state is sealed with it.",
        seeded=False,
        steps=(
            Write(path="project/Pulumi.dev.yaml", text="config:\n  p:a: '1'\n"),
            quiet("stack", "init", "dev", "--secrets-provider", "passphrase", stack=False),
            program('export("hidden", Output.secret("x"))'),
            up(),
        ),
    ),
    Scenario(
        name="stack_remove",
        story="A stack with resources is not removed, unless by force.",
        steps=(
            program(THING),
            up(),
            quiet("stack", "rm", "dev", "--yes", stack=False),
            text("stack", "rm", "dev", "--yes", "--force", stack=False),
        ),
    ),
    Scenario(
        name="unknown_stack",
        story="Every command names the stack it cannot find, with the exit code of its own.",
        seeded=False,
        steps=(
            program(THING),
            quiet("stack", "select", "dev", stack=False),
            quiet("up", "--yes", "--skip-preview"),
            quiet("preview"),
            quiet("destroy", "--yes", "--skip-preview"),
            quiet("stack", "output", "--json"),
            quiet("stack", "export"),
            quiet("preview", stack=False),
        ),
    ),
    Scenario(
        name="locked_stack",
        story="A locked stack refuses to change; a preview is free; cancel removes the lock.",
        steps=(
            program(THING),
            Write(path=LOCK_PATH, text=LOCK),
            quiet("up", "--yes", "--skip-preview"),
            quiet("destroy", "--yes", "--skip-preview"),
            preview(),
            text("cancel", "--yes"),
            up(),
        ),
    ),
    Scenario(
        name="usage_errors",
        story="Unknown commands and flags, missing answers and absent outputs are refused.",
        steps=(
            program(THING),
            up(),
            quiet("up", "--no-such-flag"),
            quiet("no-such-command", stack=False),
            quiet("up"),
            quiet("destroy"),
            quiet("refresh"),
            text("stack", "output", "absent"),
            quiet("stack", "rm", "absent", "--yes", stack=False),
        ),
    ),
    Scenario(
        name="export_import",
        story="The state is exported with and without secrets, edited and imported again.",
        steps=(
            program('a = Thing("a", value=Output.secret("x"), plain=1)\nexport("shout", a.shout)'),
            up(),
            quiet("stack", "export", "--file", "../state.json"),
            EditExport(path="state.json", old='"plain": 1', new='"plain": 2'),
            text("stack", "import", "--file", "../state.json"),
            up(),
            quiet("stack", "export", "--show-secrets", "--file", "../shown.json"),
            text("stack", "import", "--file", "../shown.json"),
            up("--expect-no-changes"),
        ),
    ),
    Scenario(
        name="import_refused",
        story="A state of another stack, and one that is no state, are refused.",
        steps=(
            program(THING),
            up(),
            quiet("stack", "export", "--file", "../state.json"),
            EditExport(path="state.json", old="urn:pulumi:dev::", new="urn:pulumi:other::"),
            quiet("stack", "import", "--file", "../state.json"),
            Write(path="state.json", text="not json"),
            quiet("stack", "import", "--file", "../state.json"),
        ),
    ),
    Scenario(
        name="pending_operations",
        story="Operations a killed engine left pending are told, and forgotten by an update.",
        steps=(
            program(THING),
            up(),
            EditState(members={"pending_operations": [PENDING]}),
            preview(),
            quiet("stack", "export", "--file", "../state.json"),
            up(),
            EditState(members={"pending_operations": [PENDING]}),
            refresh(),
            destroy(),
            quiet("stack", "import", "--file", "../state.json"),
        ),
    ),
    Scenario(
        name="history",
        story="History lists every operation, newest first, a failed one included.",
        steps=(
            program(THING),
            up("--message", "the first"),
            program('raise ValueError("no")'),
            up(),
            destroy(),
            json_of("stack", "history", "--json"),
            json_of("stack", "history", "--json", "--page-size", "1", "--page", "1"),
        ),
    ),
    Scenario(
        name="identity",
        story="The small commands that tools ask first.",
        steps=(
            text("version", stack=False),
            json_of("plugin", "ls", "--json", stack=False),
            quiet("org", "get-default", stack=False),
        ),
    ),
)
