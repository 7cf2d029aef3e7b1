"""`pulumi stack …`: make, choose, list, show, hand over and remove stacks."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from rehearsal.engine.argv import Command
from rehearsal.engine.backend import Store, check_magic, check_version
from rehearsal.engine.commands.tables import print_json, print_table, time_ago
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.errors import EngineError, StackNotFoundError
from rehearsal.engine.state import (
    SCHEMA_VERSION,
    Deployment,
    deployment_from_json,
    deployment_to_json,
    hidden_secret,
    plaintext_secret,
    value_to_json,
    verify_deployment,
)


def _one(command: Command) -> str:
    given = (*command.arguments, *([command.text("stack")] if command.text("stack") else []))
    if not given or not given[0]:
        raise StackNotFoundError("no stack selected; specify a stack name with --stack")
    return given[0]


def _init(place: Workplace, command: Command) -> int:
    try:
        store = place.named(_one(command))
    except EngineError as err:
        raise EngineError(f"could not create stack: {err}") from err
    place.create_stack(store, select=not command.on("no-select"))
    return 0


def _select(place: Workplace, command: Command) -> int:
    store = place.named(_one(command))
    if command.on("create") and not store.file.is_file():
        place.create_stack(store, select=True)
    else:
        place.select(store.require().stack)
    return 0


def _unselect(place: Workplace, command: Command) -> int:
    place.select(None)
    print("Stack was unselected", file=sys.stderr)
    return 0


def _ls(place: Workplace, command: Command) -> int:
    project = place.project.name if place.in_project or not command.on("all") else None
    entries: list[dict[str, Any]] = []
    for store in place.backend.stores(None if command.on("all") else project):
        latest, own = store.read(), store.project == project
        short = own and not command.on("fully-qualify-stack-names")
        entry: dict[str, Any] = {"name": store.stack if short else store.full_name}
        entry |= {"current": own and place.selected == store.stack}
        if "manifest" in latest:
            when = _parse(latest["manifest"]["time"]).isoformat(timespec="milliseconds")
            entry |= {"lastUpdate": when.replace("+00:00", "Z")}
            entry |= {"resourceCount": len(latest.get("resources") or [])}
        entries.append(entry)
    if command.on("json"):
        print_json(entries)
        return 0
    rows = [
        (
            entry["name"] + "*" * entry["current"],
            time_ago(_parse(entry["lastUpdate"])) if "lastUpdate" in entry else "n/a",
            str(entry.get("resourceCount", "n/a")),
        )
        for entry in entries
    ]
    print_table(("NAME", "LAST UPDATE", "RESOURCE COUNT"), rows)
    return 0


def _parse(moment: str) -> datetime:
    return datetime.fromisoformat(moment[:26].rstrip("Z")).replace(tzinfo=UTC)


def _rm(place: Workplace, command: Command) -> int:
    if command.arguments:
        place.store = place.named(command.arguments[0]).require()
    stack = place.store.stack
    if place.store.read().get("resources") and not command.on("force"):
        raise EngineError(
            f"'{stack}' still has resources; removal rejected. Possible actions:\n"
            f"- Make sure that '{stack}' is the stack that you want to destroy\n"
            "- Run `pulumi destroy` to delete the resources, then run `pulumi stack rm`\n"
            "- Run `pulumi stack rm --force` to override this error"
        )
    place.confirm(f"permanently remove the '{stack}' stack")
    remove_stack(place)
    return 0


def remove_stack(place: Workplace) -> None:
    """Remove the stack with its settings file, and forget it if it was selected."""
    file, command = place.config.file, place.command
    place.store.remove(backups=command.on("remove-backups"))
    if not command.on("preserve-config"):
        file.unlink(missing_ok=True)
    if place.selected == place.store.stack:
        place.select(None)
    print(f"Stack '{place.store.stack}' has been removed!")


def _rename(place: Workplace, command: Command) -> int:
    if len(command.arguments) != 1:
        raise EngineError("give the new name: pulumi stack rename <new name>")
    old, file, new = place.store, place.config.file, place.named(command.arguments[0])
    if new.file.is_file():
        raise EngineError(f"stack '{new.full_name}' already exists")
    was_selected = place.selected == old.stack
    with old.locked():
        old.move(new, _renamed(old.read(), old, new))
    if file.is_file():
        file.rename(file.with_name(f"Pulumi.{new.stack}{file.suffix}"))
    if was_selected:
        place.select(new.stack)
    print(f"Renamed {old.stack} to {new.stack}")
    return 0


def _renamed(value: Any, old: Store, new: Store) -> Any:
    """Rewrite every URN in a deployment; the stack's own resource carries its name too."""
    if isinstance(value, dict):
        return {_renamed(k, old, new): _renamed(item, old, new) for k, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, old, new) for item in value]
    head = f"urn:pulumi:{old.stack}::"
    if not isinstance(value, str) or not value.startswith(head):
        return value
    root = f"::pulumi:pulumi:Stack::{old.project}-"
    moved = f"urn:pulumi:{new.stack}::{value.removeprefix(head)}"
    return moved.replace(root + old.stack, root + new.stack)


def _show(place: Workplace, command: Command) -> int:
    store = place.store
    if command.on("show-name"):
        print(store.full_name if command.on("fully-qualify-stack-names") else store.stack)
        return 0
    print(f"Current stack is {store.stack}:")
    manifest = store.read().get("manifest")
    if manifest:
        print(f"    Last updated: {time_ago(_parse(manifest['time']))} ({manifest['time']})")
        print(f"    Pulumi version used: {manifest['version']}")
    deployment = _read(place)
    shown = [r for r in deployment.resources if not r.type.startswith("pulumi:providers:")]
    print(f"Current stack resources ({len(shown)}):")
    urns = command.on("show-urns")
    rows = [(r.type, r.urn if urns else r.urn.split("::", 3)[3]) for r in shown]
    if rows:
        print_table(("TYPE", "URN" if urns else "NAME"), rows, indent=4)
    else:
        print("    No resources currently in this stack")
    print()
    _print_outputs(_outputs(place, deployment))
    print("\nUse `pulumi stack select` to change stack; `pulumi stack ls` lists known ones")
    return 0


def _read(place: Workplace) -> Deployment:
    """Read the state; unless secrets are to be shown, no passphrase is needed."""
    if place.command.on("show-secrets"):
        return place.deployment()[0]
    return deployment_from_json(place.store.read(), lambda _text, _place: "null")


def _outputs(place: Workplace, deployment: Deployment) -> dict[str, Any]:
    stacks = [r for r in deployment.resources if r.type == "pulumi:pulumi:Stack"]
    show = place.command.on("show-secrets")
    write = (lambda text, _place: json.loads(text)) if show else hidden_secret
    shown: dict[str, Any] = value_to_json(stacks[0].outputs if stacks else {}, write)
    return shown


def _output(place: Workplace, command: Command) -> int:
    shown: Any = _outputs(place, _read(place))
    if command.arguments:
        name = command.arguments[0]
        if name not in shown:
            raise EngineError(f"current stack does not have output property '{name}'")
        shown = shown[name]
    if command.on("json"):
        print_json(shown, sort=True)
    elif command.arguments:
        print(_text(shown))
    else:
        _print_outputs(shown)
    return 0


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _print_outputs(shown: dict[str, Any]) -> None:
    print(f"Current stack outputs ({len(shown)}):")
    if shown:
        rows = [(key, _text(shown[key])) for key in sorted(shown)]
        print_table(("OUTPUT", "VALUE"), rows, indent=4)
    else:
        print("    No output values currently in this stack")


def _export(place: Workplace, command: Command) -> int:
    latest = place.store.read()
    if command.on("show-secrets"):
        deployment, _ = place.deployment()
        shown = deployment_to_json(deployment, plaintext_secret, secrets_provider=None)
        latest |= {k: shown[k] for k in ("resources", "pending_operations") if k in shown}
    document = {"version": SCHEMA_VERSION, "deployment": latest}
    text = json.dumps(document, indent=4, ensure_ascii=False)
    file = command.text("file")
    if file is None:
        print(text)
    else:
        (place.folder / file).write_text(text + "\n", encoding="utf-8")
    return 0


def _import(place: Workplace, command: Command) -> int:
    file, force, stack = command.text("file"), command.on("force"), place.store.stack
    try:
        document = json.loads((place.folder / file).read_bytes() if file else sys.stdin.read())
    except (ValueError, OSError) as err:
        raise EngineError(f"could not read the deployment: {err}") from err
    check_version(document, file or "the input")
    given = document.get("deployment") or {}
    crypter = place.state_crypter(given)
    deployment = deployment_from_json(given, crypter.decrypt)
    if not force:
        check_magic(given, file or "the input")
        verify_deployment(deployment)
        others = [(r.urn, r.urn.split(":")[2]) for r in deployment.resources]
        problems = [
            f"resource '{urn}' is from a different stack ({other} != {stack})"
            for urn, other in others
            if other != stack
        ]
        if problems:
            problems.append(
                "importing this file could be dangerous; rerun with --force to proceed anyway"
            )
            lines = "".join(f"\n    {i}) {text}" for i, text in enumerate(problems, 1))
            raise EngineError(f"{len(problems)} errors occurred:{lines}")
    for pending in deployment.pending_operations:
        what = f"'{pending.type}' on '{pending.resource.urn}'"
        print(f"warning: removing pending operation {what} from snapshot", file=sys.stderr)
    deployment.pending_operations = []
    with place.store.locked():
        place.save(deployment, crypter)
    print("Import complete.")
    return 0


HANDLERS = {
    "stack": _show,
    "stack init": _init,
    "stack select": _select,
    "stack unselect": _unselect,
    "stack ls": _ls,
    "stack rm": _rm,
    "stack rename": _rename,
    "stack output": _output,
    "stack export": _export,
    "stack import": _import,
}
