"""The commands of a few lines each: who and where, locks, plugins."""

from __future__ import annotations

import getpass

from rehearsal.engine.argv import Command
from rehearsal.engine.backend import Backend, write_atomically
from rehearsal.engine.commands.tables import print_json, print_table
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.project import pulumi_home
from rehearsal.engine.state import VERSION


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
    url = Backend("".join(command.arguments)).url
    write_atomically(pulumi_home(place.environ) / "credentials.json", {"current": url})
    print(f"Logged in to {url} as {getpass.getuser()}")
    return 0


def _cancel(place: Workplace, command: Command) -> int:
    store = place.chosen()
    place.confirm(f"irreversibly cancel the currently running update for '{store.stack}'")
    store.cancel()
    print(f"The currently running update for '{store.stack}' has been canceled!")
    return 0


def _plugins(place: Workplace, command: Command) -> int:
    """List nothing: providers are attached, never installed."""
    if command.on("json"):
        print_json([])
    else:
        print_table(("NAME", "KIND", "VERSION"), [])
    return 0


def _install(place: Workplace, command: Command) -> int:
    print("Nothing to install: providers are attached by PULUMI_DEBUG_PROVIDERS, and the program's")
    print("dependencies are taken as they are.")
    return 0


HANDLERS = {
    "version": _version,
    "whoami": _whoami,
    "login": _login,
    "cancel": _cancel,
    "plugin ls": _plugins,
    "install": _install,
}
