"""`pulumi stack …`: make, choose, list, show, hand over and remove stacks."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from rehearsal.engine.argv import Command
from rehearsal.engine.backend import check_magic, check_version
from rehearsal.engine.commands.tables import print_json, print_table
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.config import config_value
from rehearsal.engine.errors import EngineError
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

HISTORY_PAGE = 10
_ENTRY = (
    "kind", "startTime", "message", "environment", "config", "result", "endTime",
    "resourceChanges", "version",
)  # fmt: skip


def _init(place: Workplace, command: Command) -> int:
    try:
        store = place.named(place.given_name())
    except EngineError as err:
        raise EngineError(f"could not create stack: {err}") from err
    place.create_stack(store, select=not command.on("no-select"))
    return 0


def _select(place: Workplace, command: Command) -> int:
    place.select(place.named(place.given_name()).require())
    return 0


def _ls(place: Workplace, command: Command) -> int:
    own, entries = place.project.name, []
    for store in place.backend.stores(None if command.on("all") else own):
        latest, mine = store.read(), store.project == own
        entry: dict[str, Any] = {"name": store.stack if mine else store.full_name}
        entry["current"] = mine and place.selected == store.stack
        if "manifest" in latest:
            entry["lastUpdate"] = _utc(datetime.fromisoformat(latest["manifest"]["time"]))
            entry["resourceCount"] = len(latest.get("resources") or [])
        entries.append(entry)
    if command.on("json"):
        print_json(entries)
        return 0
    rows = [
        (e["name"] + "*" * e["current"], e.get("lastUpdate", ""), str(e.get("resourceCount", "")))
        for e in entries
    ]
    print_table(("NAME", "LAST UPDATE", "RESOURCE COUNT"), rows)
    return 0


def _utc(moment: datetime) -> str:
    """Write a moment as the Automation API reads it."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _rm(place: Workplace, command: Command) -> int:
    store = place.chosen()
    if store.read().get("resources") and not command.on("force"):
        raise EngineError(
            f"'{store.stack}' still has resources; removal rejected. Possible actions:\n"
            f"- Make sure that '{store.stack}' is the stack that you want to destroy\n"
            "- Run `pulumi destroy` to delete the resources, then run `pulumi stack rm`\n"
            "- Run `pulumi stack rm --force` to override this error"
        )
    place.confirm(f"permanently remove the '{store.stack}' stack")
    store.remove()
    if not command.on("preserve-config"):
        place.config.file.unlink(missing_ok=True)
    if place.selected == store.stack:
        place.select(None)
    print(f"Stack '{store.stack}' has been removed!")
    return 0


def _show(place: Workplace, command: Command) -> int:
    deployment = _read(place)
    rows = [
        (r.type, r.urn if command.on("show-urns") else r.urn.split("::", 3)[3])
        for r in deployment.resources
        if not r.type.startswith("pulumi:providers:")
    ]
    print(f"Current stack is {place.stack}:\nCurrent stack resources ({len(rows)}):")
    print_table(("TYPE", "URN" if command.on("show-urns") else "NAME"), rows, indent=4)
    _print_outputs(_outputs(place, deployment))
    return 0


def _read(place: Workplace) -> Deployment:
    """Read the state; unless secrets are to be shown, no passphrase is needed."""
    if place.command.on("show-secrets"):
        return place.deployment()[0]
    return deployment_from_json(place.store.read(), lambda _text, _place: "null")


def _outputs(place: Workplace, deployment: Deployment) -> dict[str, Any]:
    stacks = [r.outputs for r in deployment.resources if r.type == "pulumi:pulumi:Stack"]
    show = place.command.on("show-secrets")
    write = (lambda text, _place: json.loads(text)) if show else hidden_secret
    shown: dict[str, Any] = value_to_json(stacks[0] if stacks else {}, write)
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
    print_table(("OUTPUT", "VALUE"), [(k, _text(v)) for k, v in sorted(shown.items())], indent=4)


def _export(place: Workplace, command: Command) -> int:
    latest = place.store.read()
    if command.on("show-secrets"):
        deployment, _ = place.deployment()
        shown = deployment_to_json(deployment, plaintext_secret, secrets_provider=None)
        latest |= {k: shown[k] for k in ("resources", "pending_operations") if k in shown}
    text = json.dumps(
        {"version": SCHEMA_VERSION, "deployment": latest}, indent=4, ensure_ascii=False
    )
    if file := command.text("file"):
        (place.folder / file).write_text(text + "\n", encoding="utf-8")
    else:
        print(text)
    return 0


def _import(place: Workplace, command: Command) -> int:
    file = command.text("file")
    try:
        document = json.loads((place.folder / file).read_bytes() if file else sys.stdin.read())
    except (ValueError, OSError) as err:
        raise EngineError(f"could not read the deployment: {err}") from err
    check_version(document, file or "the input")
    given = document.get("deployment") or {}
    crypter = place.state_crypter(given)
    deployment = deployment_from_json(given, crypter.decrypt)
    if not command.on("force"):
        check_magic(given, file or "the input")
        verify_deployment(deployment)
        _refuse_strangers(deployment, place.store.stack)
    for pending in deployment.pending_operations:
        what = f"'{pending.type}' on '{pending.resource.urn}'"
        print(f"warning: removing pending operation {what} from snapshot", file=sys.stderr)
    deployment.pending_operations = []
    with place.store.locked():
        place.save(deployment, crypter)
    print("Import complete.")
    return 0


def _refuse_strangers(deployment: Deployment, stack: str) -> None:
    named = ((r.urn, r.urn.split(":")[2]) for r in deployment.resources)
    text = "resource '{}' is from a different stack ({} != {})"
    problems = [text.format(urn, other, stack) for urn, other in named if other != stack]
    if problems:
        problems += ["importing this file could be dangerous; rerun with --force to proceed anyway"]
        lines = "".join(f"\n    {i}) {text}" for i, text in enumerate(problems, 1))
        raise EngineError(f"{len(problems)} errors occurred:{lines}")


def _history(place: Workplace, command: Command) -> int:
    entries = place.store.history()
    if size := int(command.text("page-size") or (0 if command.on("json") else HISTORY_PAGE)):
        page = max(int(command.text("page") or 1), 1)
        entries = entries[(page - 1) * size : page * size]
    shown = [_entry(place, entry, show=command.on("show-secrets")) for entry in entries]
    if command.on("json"):
        print_json(shown, indent=4)
        return 0
    rows = [(e["startTime"], e["kind"], e["result"], e["message"]) for e in shown]
    print_table(("STARTED", "KIND", "RESULT", "MESSAGE"), rows)
    return 0


def _entry(place: Workplace, entry: dict[str, Any], *, show: bool) -> dict[str, Any]:
    decrypt = place.crypter.decrypt if show else None
    config = {
        key: config_value(raw, decrypt).document(show=show)
        for key, raw in (entry.get("config") or {}).items()
    }
    times = {
        name: _utc(datetime.fromtimestamp(entry[name], UTC)) for name in ("startTime", "endTime")
    }
    document = {"environment": {}, "version": 0, **entry, **times, "config": config}
    return {name: document[name] for name in _ENTRY if document.get(name) is not None}


HANDLERS = {
    "stack": _show,
    "stack init": _init,
    "stack select": _select,
    "stack ls": _ls,
    "stack rm": _rm,
    "stack output": _output,
    "stack export": _export,
    "stack import": _import,
    "stack history": _history,
}
