"""The commands of a few lines each: who and where, tags, history, locks, plugins."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Any

from rehearsal.engine.argv import Command
from rehearsal.engine.backend import Backend, write_atomically
from rehearsal.engine.commands.tables import print_json, print_table, time_ago
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.config import config_value
from rehearsal.engine.errors import EngineError
from rehearsal.engine.project import pulumi_home
from rehearsal.engine.state import VERSION

ENTRY_ORDER = (
    "kind", "startTime", "message", "environment", "config", "result", "endTime",
    "resourceChanges", "version",
)  # fmt: skip


def _version(place: Workplace, command: Command) -> int:
    print(VERSION)
    return 0


def _whoami(place: Workplace, command: Command) -> int:
    user, url = getpass.getuser(), place.backend.url
    if command.on("json"):
        print_json({"user": user, "url": url})
    else:
        print(f"User: {user}\nBackend URL: {url}" if command.on("verbose") else user)
    return 0


def _login(place: Workplace, command: Command) -> int:
    given = (*command.arguments, command.text("cloud-url") or "")[0]
    url = Backend("file://~" if command.on("local") else given).url
    write_atomically(pulumi_home(place.environ) / "credentials.json", {"current": url})
    print(f"Logged in to {url} as {getpass.getuser()}")
    return 0


def _cancel(place: Workplace, command: Command) -> int:
    if command.arguments:
        place.store = place.named(command.arguments[0]).require()
    stack = place.store.stack
    place.confirm(f"irreversibly cancel the currently running update for '{stack}'")
    place.store.cancel()
    print(f"The currently running update for '{stack}' has been canceled!")
    return 0


def _plugins(place: Workplace, command: Command) -> int:
    """List nothing: providers are attached, never installed."""
    if command.on("json"):
        print("[]")
    else:
        print_table(("NAME", "KIND", "VERSION", "SIZE", "INSTALLED", "LAST USED"), [])
        print("\nTOTAL plugin cache size: 0 B")
    return 0


def _install(place: Workplace, command: Command) -> int:
    print("Nothing to install: providers are attached by PULUMI_DEBUG_PROVIDERS, and the program's")
    print("dependencies are taken as they are.")
    return 0


def _tag_ls(place: Workplace, command: Command) -> int:
    tags = place.store.tags()
    if command.on("json"):
        print_json(tags, sort=True)
    else:
        print_table(("NAME", "VALUE"), sorted(tags.items()))
    return 0


def _tag(place: Workplace, command: Command) -> int:
    tags, verb = place.store.tags(), command.name.split()[-1]
    if len(command.arguments) != (2 if verb == "set" else 1):
        raise EngineError(f"pulumi stack tag {verb} takes a name{' and a value' * (verb == 'set')}")
    name, *value = command.arguments
    if verb == "get" and name not in tags:
        raise EngineError(f"stack tag '{name}' not found for stack '{place.stack}'")
    if verb == "get":
        print(tags[name])
    else:
        rest = {key: item for key, item in tags.items() if key != name}
        place.store.write_tags({**rest, **({name: value[0]} if value else {})})
    return 0


def _history(place: Workplace, command: Command) -> int:
    entries = place.store.history()
    if size := int(command.text("page-size") or (0 if command.on("json") else 10)):
        page = max(int(command.text("page") or 1), 1)
        entries = entries[(page - 1) * size : page * size]
    if command.on("json"):
        shown = [_entry(place, entry, show=command.on("show-secrets")) for entry in entries]
        print_json(shown, indent=4)
        return 0
    if not entries:
        print("Stack has never been updated")
    for entry in entries:
        changes = " ".join(f"{op}: {n}" for op, n in entry["resourceChanges"].items())
        ago = time_ago(datetime.fromtimestamp(entry["startTime"], UTC))
        print(f"UpdateKind: {entry['kind']}\nStatus: {entry['result']}")
        print(f"Message: {entry['message']}\n    {changes}")
        print(f"Updated {ago} took {entry['endTime'] - entry['startTime']}s\n")
    return 0


def _entry(place: Workplace, entry: dict[str, Any], *, show: bool) -> dict[str, Any]:
    config = {}
    for key, raw in (entry.get("config") or {}).items():
        value = config_value(raw, place.crypter.decrypt if show else None)
        shown: dict[str, Any] = {"value": value.text, "objectValue": value.structure}
        shown = {} if value.secret and not show else shown
        shown = {name: item for name, item in shown.items() if item is not None}
        config[key] = {**shown, "secret": value.secret}
    times = {
        name: datetime.fromtimestamp(entry[name], UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        for name in ("startTime", "endTime")
    }
    document = {"environment": {}, "version": 0, **entry, **times, "config": config}
    return {name: document[name] for name in ENTRY_ORDER if document.get(name) is not None}


HANDLERS = {
    "version": _version,
    "whoami": _whoami,
    "login": _login,
    "cancel": _cancel,
    "plugin ls": _plugins,
    "install": _install,
    "stack history": _history,
    "stack tag ls": _tag_ls,
    "stack tag get": _tag,
    "stack tag set": _tag,
    "stack tag rm": _tag,
}
