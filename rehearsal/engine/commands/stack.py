"""`pulumi stack …`: make, choose, list, show, hand over and remove stacks."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from rehearsal.engine import state
from rehearsal.engine.argv import Command
from rehearsal.engine.backend import check_magic, check_version
from rehearsal.engine.commands.tables import print_json, print_table
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.config import as_text, config_value
from rehearsal.engine.errors import EngineError, not_supported


def _init(place: Workplace, command: Command) -> None:
    if command.text("secrets-provider") not in (None, "", "default", "passphrase"):
        raise not_supported("the --secrets-provider (allowed: passphrase)")
    try:
        store = place.chosen()
    except EngineError as err:
        raise EngineError(f"could not create stack: {err}") from err
    if store.file.is_file():
        raise EngineError(f"stack '{store.full_name}' already exists")
    place.check_passphrase("could not create secrets manager for new stack")
    place.save(state.Deployment(), place.crypter)
    if not command.on("no-select"):
        place.select(store)
    print(f"Created stack '{store.stack}'", file=sys.stderr)


def _select(place: Workplace, command: Command) -> None:
    place.select(place.chosen().require())


def _ls(place: Workplace, command: Command) -> None:
    entries: list[dict[str, Any]] = []
    for store in place.backend.stores(place.project.name):
        latest = store.read()
        entry = {"name": store.stack, "current": place.selected == store.stack}
        if "manifest" in latest:
            entry["lastUpdate"] = _utc(datetime.fromisoformat(latest["manifest"]["time"]))
            entry["resourceCount"] = len(latest.get("resources") or [])
        entries.append(entry)
    if command.on("json"):
        print_json(entries)
    else:
        rows = [(e["name"] + "*" * e["current"], e.get("lastUpdate", "")) for e in entries]
        print_table(("NAME", "LAST UPDATE"), rows)


def _utc(moment: datetime) -> str:
    """Write a moment as the Automation API reads it."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _rm(place: Workplace, command: Command) -> None:
    store = place.chosen().require()
    if store.read().get("resources") and not command.on("force"):
        raise EngineError(
            f"'{store.stack}' still has resources; removal rejected. Possible actions:\n"
            f"- Make sure that '{store.stack}' is the stack that you want to destroy\n"
            "- Run `pulumi destroy` to delete the resources, then run `pulumi stack rm`\n"
            "- Run `pulumi stack rm --force` to override this error"
        )
    place.confirm(f"permanently remove the '{store.stack}' stack")
    store.remove()
    place.config.file.unlink(missing_ok=True)
    if place.selected == store.stack:
        place.select(None)
    print(f"Stack '{store.stack}' has been removed!")


def _read(place: Workplace) -> state.Deployment:
    """Read the state; unless secrets are to be shown, no passphrase is needed."""
    if place.command.on("show-secrets"):
        return place.deployment()[0]
    return state.deployment_from_json(place.store.read(), lambda _text, _place: "null")


def _outputs(place: Workplace, deployment: state.Deployment) -> dict[str, Any]:
    stacks = [r.outputs for r in deployment.resources if r.type == "pulumi:pulumi:Stack"]
    show = place.command.on("show-secrets")
    write = (lambda text, _place: json.loads(text)) if show else state.hidden_secret
    shown: dict[str, Any] = state.value_to_json(stacks[0] if stacks else {}, write)
    return shown


def _output(place: Workplace, command: Command) -> None:
    shown: Any = _outputs(place, _read(place))
    if command.arguments:
        name = command.arguments[0]
        if name not in shown:
            raise EngineError(f"current stack does not have output property '{name}'")
        shown = shown[name]
    if command.on("json"):
        print_json(shown, sort=True)
    elif command.arguments:
        print(as_text(shown))
    else:
        _print_outputs(shown)


def _print_outputs(shown: dict[str, Any]) -> None:
    print(f"Current stack outputs ({len(shown)}):")
    print_table(("OUTPUT", "VALUE"), [(k, as_text(v)) for k, v in sorted(shown.items())], indent=4)


def _export(place: Workplace, command: Command) -> None:
    latest = place.store.read()
    if command.on("show-secrets"):
        deployment, _ = place.deployment()
        shown = state.deployment_to_json(deployment, state.plaintext_secret, secrets_provider=None)
        latest |= {k: shown[k] for k in ("resources", "pending_operations") if k in shown}
    text = json.dumps(
        {"version": state.SCHEMA_VERSION, "deployment": latest}, indent=4, ensure_ascii=False
    )
    if file := command.text("file"):
        (place.folder / file).write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


def _import(place: Workplace, command: Command) -> None:
    file = command.text("file")
    try:
        document = json.loads((place.folder / file).read_bytes() if file else sys.stdin.read())
    except (ValueError, OSError) as err:
        raise EngineError(f"could not read the deployment: {err}") from err
    check_version(document, file or "the input")
    given = document.get("deployment") or {}
    crypter = place.state_crypter(given)
    deployment = state.deployment_from_json(given, crypter.decrypt)
    if not command.on("force"):
        check_magic(given, file or "the input")
        state.verify_deployment(deployment)
        _refuse_strangers(deployment, place.store.stack)
    for pending in deployment.pending_operations:
        what = f"'{pending.type}' on '{pending.resource.urn}'"
        print(f"warning: removing pending operation {what} from snapshot", file=sys.stderr)
    deployment.pending_operations = []
    with place.store.locked():
        place.save(deployment, crypter)
    print("Import complete.")


def _refuse_strangers(deployment: state.Deployment, stack: str) -> None:
    named = ((r.urn, r.urn.split(":")[2]) for r in deployment.resources)
    text = "resource '{}' is from a different stack ({} != {})"
    problems = [text.format(urn, other, stack) for urn, other in named if other != stack]
    if problems:
        problems += ["importing this file could be dangerous; rerun with --force to proceed anyway"]
        lines = "".join(f"\n    {i}) {text}" for i, text in enumerate(problems, 1))
        raise EngineError(f"{len(problems)} errors occurred:{lines}")


def _history(place: Workplace, command: Command) -> None:
    entries = place.store.history()
    if size := int(command.text("page-size") or 0):
        page = max(int(command.text("page") or 1), 1)
        entries = entries[(page - 1) * size : page * size]
    shown = [_entry(place, entry, show=command.on("show-secrets")) for entry in entries]
    if command.on("json"):
        print_json(shown, indent=4)
    else:
        rows = [(e["startTime"], e["kind"], e["result"], e["message"]) for e in shown]
        print_table(("STARTED", "KIND", "RESULT", "MESSAGE"), rows)


def _entry(place: Workplace, entry: dict[str, Any], *, show: bool) -> dict[str, Any]:
    decrypt = place.crypter.decrypt if show else None
    config = {
        key: config_value(raw, decrypt).document(show=show)
        for key, raw in (entry.get("config") or {}).items()
    }
    times = {
        name: _utc(datetime.fromtimestamp(entry[name], UTC)) for name in ("startTime", "endTime")
    }
    return {"environment": {}, "version": 0, **entry, **times, "config": config}


HANDLERS = {
    "stack init": _init,
    "stack select": _select,
    "stack ls": _ls,
    "stack rm": _rm,
    "stack output": _output,
    "stack export": _export,
    "stack import": _import,
    "stack history": _history,
}
