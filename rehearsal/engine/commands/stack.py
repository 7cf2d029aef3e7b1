"""`pulumi stack …`: make, choose, list, show, hand over and remove stacks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from rehearsal.engine.argv import Command
from rehearsal.engine.backend import Store, check_magic
from rehearsal.engine.commands.tables import print_json, print_table, time_ago
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.errors import EngineError, StackNotFoundError
from rehearsal.engine.project import bare_stack_name
from rehearsal.engine.state import (
    SCHEMA_VERSION,
    Deployment,
    PendingOperation,
    deployment_from_json,
    deployment_to_json,
    hidden_secret,
    plaintext_secret,
    value_to_json,
    verify_deployment,
)


def _init(place: Workplace, command: Command) -> int:
    given = (*command.arguments, *([command.text("stack")] if command.text("stack") else []))
    if len(given) != 1 or not given[0]:
        raise EngineError("give the name of the new stack: pulumi stack init <name>")
    try:
        name = bare_stack_name(given[0], place.project.name)
    except EngineError as err:
        raise EngineError(
            f"could not create stack: {err}"
            if given[0].count("/") == 2 and "project" in str(err)
            else str(err)
        ) from err
    place.create_stack(name, select=not command.on("no-select"))
    return 0


def _select(place: Workplace, command: Command) -> int:
    wanted = command.arguments[0] if command.arguments else command.text("stack")
    if wanted is None:
        raise StackNotFoundError("no stack selected; specify a stack name with --stack")
    name = bare_stack_name(wanted, place.project.name)
    if place.backend.store(place.project.name, name).exists():
        place.select(name)
    elif command.on("create"):
        place.create_stack(name, select=True)
    else:
        raise StackNotFoundError(f"no stack named '{name}' found")
    return 0


def _unselect(place: Workplace, command: Command) -> int:
    place.select(None)
    print("Stack was unselected", file=sys.stderr)
    return 0


def _ls(place: Workplace, command: Command) -> int:
    project = None if command.on("all") else place.project.name
    current = None if command.on("all") and not _in_project(place) else place.selected
    entries: list[dict[str, Any]] = []
    for store in place.backend.stores(project):
        latest = store.read()
        own = _in_project(place) and store.project == place.project.name
        short = own and not command.on("fully-qualify-stack-names")
        entry: dict[str, Any] = {
            "name": store.stack if short else store.full_name,
            "current": current is not None and own and current.split("/")[-1] == store.stack,
        }
        if latest.get("manifest", {}).get("time"):
            entry["lastUpdate"] = _milliseconds(latest["manifest"]["time"])
            entry["resourceCount"] = len(latest.get("resources") or [])
        entries.append(entry)
    if command.on("json"):
        print_json(entries, indent=2)
        return 0
    rows = [
        (
            entry["name"] + ("*" if entry["current"] else ""),
            time_ago(_parse(entry["lastUpdate"])) if "lastUpdate" in entry else "n/a",
            str(entry.get("resourceCount", "n/a")),
        )
        for entry in entries
    ]
    print_table(("NAME", "LAST UPDATE", "RESOURCE COUNT"), rows)
    return 0


def _in_project(place: Workplace) -> bool:
    try:
        return bool(place.project)
    except EngineError:
        return False


def _parse(moment: str) -> datetime:
    return datetime.fromisoformat(moment[:26].rstrip("Z")).replace(tzinfo=UTC)


def _milliseconds(moment: str) -> str:
    return _parse(moment).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _rm(place: Workplace, command: Command) -> int:
    if command.arguments:
        place.stack = bare_stack_name(command.arguments[0], place.project.name)
    store = place.store
    if store.read().get("resources") and not command.on("force"):
        raise EngineError(
            f"'{store.stack}' still has resources; removal rejected. Possible actions:\n- Make "
            "sure that "
            f"'{store.stack}' is the stack that you want to destroy\n- Run `pulumi destroy` to "
            "delete the resources, "
            "then run `pulumi stack rm`\n- Run `pulumi stack rm --force` to override this error"
        )
    place.confirm(f"permanently remove the '{store.stack}' stack")
    remove_stack(
        place,
        preserve_config=command.on("preserve-config"),
        remove_backups=command.on("remove-backups"),
    )
    return 0


def remove_stack(place: Workplace, *, preserve_config: bool, remove_backups: bool) -> None:
    """Remove the stack with its settings file and forget it if it was selected."""
    store, config = place.store, place.config.file
    store.remove(backups=remove_backups)
    if not preserve_config:
        config.unlink(missing_ok=True)
    if place.selected is not None and place.selected.split("/")[-1] == store.stack:
        place.select(None)
    print(f"Stack '{store.stack}' has been removed!")


def _rename(place: Workplace, command: Command) -> int:
    if len(command.arguments) != 1:
        raise EngineError("give the new name: pulumi stack rename <new name>")
    old, config = place.store, place.config
    new = place.backend.store(
        place.project.name, bare_stack_name(command.arguments[0], place.project.name)
    )
    if new.exists():
        raise EngineError(f"stack '{new.full_name}' already exists")
    was_selected = place.selected is not None and place.selected.split("/")[-1] == old.stack
    latest = old.read()
    with old.locked():
        old.move(
            new,
            _renamed(latest, f"urn:pulumi:{old.stack}::", f"urn:pulumi:{new.stack}::", old, new),
        )
    if config.file.is_file():
        config.file.rename(config.file.with_name(f"Pulumi.{new.stack}{config.file.suffix}"))
    if was_selected:
        place.select(new.stack)
    print(f"Renamed {old.stack} to {new.stack}")
    return 0


def _renamed(value: Any, old: str, new: str, before: Store, after: Store) -> Any:
    """Rewrite every URN in a deployment; the stack's own resource carries the stack's name too."""
    if isinstance(value, Mapping):
        return {
            _renamed(k, old, new, before, after): _renamed(v, old, new, before, after)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [_renamed(item, old, new, before, after) for item in value]
    if isinstance(value, str) and value.startswith(old):
        own = f"::pulumi:pulumi:Stack::{before.project}-"
        return (new + value[len(old) :]).replace(own + before.stack, own + after.stack)
    return value


def _show(place: Workplace, command: Command) -> int:
    if command.on("show-name"):
        full = command.on("fully-qualify-stack-names")
        print(place.store.full_name if full else place.store.stack)
        return 0
    latest = place.store.read()
    deployment = _read(place, command.on("show-secrets"))
    print(f"Current stack is {place.store.stack}:\n    Managed by {_host()}")
    moment = latest.get("manifest", {}).get("time")
    if moment:
        print(f"    Last updated: {time_ago(_parse(moment))} ({moment})")
        print(f"    Pulumi version used: {latest['manifest']['version']}")
    shown = [r for r in deployment.resources if not r.type.startswith("pulumi:providers:")]
    print(f"Current stack resources ({len(shown)}):")
    rows = [(r.type, r.urn.split("::", 3)[3], *_extra(r, command)) for r in shown]
    if rows:
        print_table(("TYPE", "NAME"), rows, indent=4)
    else:
        print("    No resources currently in this stack")
    if deployment.resources:
        print()
        _print_outputs(_outputs(deployment), show_secrets=command.on("show-secrets"))
    print("\nUse `pulumi stack select` to change stack; `pulumi stack ls` lists known ones")
    return 0


def _extra(resource: Any, command: Command) -> tuple[str, ...]:
    ids = (f"ID: {resource.id}",) if command.on("show-ids") and resource.id else ()
    return (*ids, *((f"URN: {resource.urn}",) if command.on("show-urns") else ()))


def _host() -> str:
    import socket

    return socket.gethostname()


def _read(place: Workplace, show_secrets: bool) -> Deployment:
    """Read the state; without the secrets no passphrase is needed."""
    if show_secrets:
        return place.deployment()[0]
    return deployment_from_json(place.store.read(), lambda _text, _place: '"[secret]"')


def _outputs(deployment: Deployment) -> dict[str, Any]:
    stacks = [r for r in deployment.resources if r.type == "pulumi:pulumi:Stack" and not r.delete]
    return stacks[0].outputs if stacks else {}


def _output(place: Workplace, command: Command) -> int:
    show = command.on("show-secrets")
    outputs = _outputs(_read(place, show))
    shown = value_to_json(outputs, _shown_secret if show else hidden_secret)
    if not command.arguments:
        if command.on("json"):
            print_json(shown, indent=2, sort=True)
        else:
            _print_outputs(outputs, show_secrets=show)
        return 0
    name = command.arguments[0]
    if name not in shown:
        raise EngineError(f"current stack does not have output property '{name}'")
    if command.on("json"):
        print_json(shown[name], indent=2, sort=True)
    else:
        print(_text(shown[name]))
    return 0


def _shown_secret(text: str, place: str) -> Any:
    return json.loads(text)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _print_outputs(outputs: Mapping[str, Any], *, show_secrets: bool) -> None:
    print(f"Current stack outputs ({len(outputs)}):")
    shown = value_to_json(dict(outputs), _shown_secret if show_secrets else hidden_secret)
    if shown:
        print_table(("OUTPUT", "VALUE"), [(k, _text(shown[k])) for k in sorted(shown)], indent=4)
    else:
        print("    No output values currently in this stack")


def _export(place: Workplace, command: Command) -> int:
    latest = place.store.read()
    if command.on("show-secrets"):
        deployment, _ = place.deployment()
        readable = deployment_to_json(deployment, plaintext_secret, secrets_provider=None)
        latest = {
            **latest,
            **{k: readable[k] for k in ("resources", "pending_operations") if k in readable},
        }
    text = json.dumps(
        {"version": SCHEMA_VERSION, "deployment": latest}, indent=4, ensure_ascii=False
    )
    file = command.text("file")
    if file is None:
        print(text)
    else:
        (place.folder / file).write_text(text + "\n", encoding="utf-8")
    return 0


def _import(place: Workplace, command: Command) -> int:
    file = command.text("file")
    text = sys.stdin.read() if file is None else (place.folder / file).read_text(encoding="utf-8")
    try:
        document = json.loads(text)
    except ValueError as err:
        raise EngineError(
            f"could not read the deployment: {err}; give what `pulumi stack export` wrote"
        ) from err
    if document.get("version") != SCHEMA_VERSION:
        raise EngineError(
            f"the deployment has version {document.get('version')!r}; the rehearsal engine takes "
            "version "
            f"{SCHEMA_VERSION}"
        )
    given = document.get("deployment") or {}
    force = command.on("force")
    if not force:
        check_magic(given, "the deployment")
    crypter = place.state_crypter(given)
    deployment = deployment_from_json(given, crypter.decrypt)
    own = f"urn:pulumi:{place.store.stack}::{place.project.name}::"
    foreign = [r.urn for r in deployment.resources if not r.urn.startswith(own)]
    if foreign and not force:
        raise EngineError(
            f"resource '{foreign[0]}' is not of this stack, whose URNs start with {own}; --force "
            "imports it anyway"
        )
    if not force:
        verify_deployment(deployment)
    pending: list[PendingOperation] = deployment.pending_operations
    if pending and not force:
        print(
            f"warning: removing {len(pending)} pending operations from the deployment",
            file=sys.stderr,
        )
        deployment.pending_operations = []
    with place.store.locked():
        place.save(deployment, crypter)
    print("Import complete.")
    return 0


HANDLERS: dict[str, Callable[[Workplace, Command], int]] = {
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
