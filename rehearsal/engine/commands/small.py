"""The commands of a few lines each: who and where, tags, history, locks, plugins."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rehearsal.engine.argv import Command
from rehearsal.engine.backend import backend_folder, write_atomically
from rehearsal.engine.commands.tables import print_json, print_table, time_ago
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.config import _value
from rehearsal.engine.errors import EngineError
from rehearsal.engine.project import pulumi_home
from rehearsal.engine.state import VERSION


def _whoami(place: Workplace, command: Command) -> int:
    user = getpass.getuser()
    if command.on("json"):
        print_json({"user": user, "url": place.backend.url}, indent=2)
    else:
        print(
            user if not command.on("verbose") else f"User: {user}\nBackend URL: {place.backend.url}"
        )
    return 0


def _about(place: Workplace, command: Command) -> int:
    print(f"CLI\nVersion      {VERSION}\nEngine       greenlight's rehearsal engine, offline\n")
    print(f"Backend\nURL          {place.backend.url}")
    return 0


def _login(place: Workplace, command: Command) -> int:
    given = command.arguments[0] if command.arguments else command.text("cloud-url")
    url = "file://~" if command.on("local") else given
    if url is None:
        raise EngineError(
            "the rehearsal engine logs in to folders only: pulumi login file://<folder>"
        )
    backend_folder(url)
    file = pulumi_home(place.environ) / "credentials.json"
    credentials = json.loads(file.read_text()) if file.is_file() else {}
    write_atomically(file, json.dumps({**credentials, "current": url}, indent=4))
    print(f"Logged in to {url} as {getpass.getuser()}")
    return 0


def _cancel(place: Workplace, command: Command) -> int:
    if command.arguments:
        place.stack = command.arguments[0].split("/")[-1]
    place.confirm(f"irreversibly cancel the currently running update for '{place.store.stack}'")
    place.store.cancel()
    print(f"The currently running update for '{place.stack}' has been canceled!")
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
    print(
        "Nothing to install: the rehearsal engine takes providers from PULUMI_DEBUG_PROVIDERS "
        "and the program's "
        "dependencies as they are."
    )
    return 0


def _tag_ls(place: Workplace, command: Command) -> int:
    tags = place.store.tags()
    if command.on("json"):
        print_json(tags, indent=2, sort=True)
    else:
        print_table(("NAME", "VALUE"), sorted(tags.items()))
    return 0


def _tag(place: Workplace, command: Command) -> int:
    verb = command.name.split()[-1]
    wanted = 2 if verb == "set" else 1
    if len(command.arguments) != wanted:
        raise EngineError(
            f"pulumi stack tag {verb} takes {wanted} arguments, got {len(command.arguments)}"
        )
    tags, name = place.store.tags(), command.arguments[0]
    if verb == "set":
        place.store.write_tags({**tags, name: command.arguments[1]})
    elif verb == "rm":
        place.store.write_tags({key: value for key, value in tags.items() if key != name})
    elif name not in tags:
        raise EngineError(f"stack tag '{name}' not found for stack '{place.stack}'")
    else:
        print(tags[name])
    return 0


def _history(place: Workplace, command: Command) -> int:
    entries = place.store.history()
    size = int(command.text("page-size") or 10)
    if size > 0 and ("page-size" in command.flags or not command.on("json")):
        page = max(int(command.text("page") or 1), 1)
        entries = entries[(page - 1) * size : page * size]
    if command.on("json"):
        print_json(
            [_entry(place, entry, command.on("show-secrets")) for entry in entries], indent=4
        )
        return 0
    if not entries:
        print("Stack has never been updated")
    for entry in entries:
        _print_entry(entry, full_dates=command.on("full-dates"))
    return 0


def _entry(place: Workplace, entry: dict[str, Any], show_secrets: bool) -> dict[str, Any]:
    document = {
        "kind": entry["kind"],
        "startTime": _moment(entry["startTime"]),
        "message": entry["message"],
        "environment": entry.get("environment") or {},
        "config": {},
        "result": entry["result"],
        "endTime": _moment(entry["endTime"]),
        "version": entry.get("version", 0),
    }
    for key, raw in (entry.get("config") or {}).items():
        value = _value(raw, place.crypter.decrypt if show_secrets else None)
        shown = {} if value.secret and not show_secrets else {"value": value.text}
        if shown and value.structure is not None:
            shown["objectValue"] = value.structure
        document["config"][key] = {**shown, "secret": value.secret}
    if entry.get("resourceChanges"):
        document["resourceChanges"] = entry["resourceChanges"]
    return document


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _print_entry(entry: dict[str, Any], *, full_dates: bool) -> None:
    start, end = entry["startTime"], entry["endTime"]
    ago = _moment(start) if full_dates else time_ago(datetime.fromtimestamp(start, UTC))
    print(f"UpdateKind: {entry['kind']}\nStatus: {entry['result']}\nMessage: {entry['message']}")
    symbols = {"create": "+", "delete": "-", "update": "~", "replace": "+-", "same": " "}
    changes = entry.get("resourceChanges") or {}
    counts = "".join(f"{symbols.get(op, op)}{count} " for op, count in changes.items())
    print(f"    {counts}Updated {ago} took {end - start}s\n")


HANDLERS: dict[str, Callable[[Workplace, Command], int]] = {
    "whoami": _whoami,
    "about": _about,
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
