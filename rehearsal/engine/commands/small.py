"""The commands of a few lines each: who and where, locks, plugins."""

from __future__ import annotations

import getpass

from rehearsal.engine.argv import Command
from rehearsal.engine.backend import Backend, write_atomically
from rehearsal.engine.commands.tables import print_json
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.project import pulumi_home
from rehearsal.engine.state import VERSION


def _version(place: Workplace, command: Command) -> None:
    print(VERSION)


def _whoami(place: Workplace, command: Command) -> None:
    user, url = getpass.getuser(), place.backend.url
    if command.on("json"):
        print_json({"user": user, "url": url})
    else:
        print(f"User: {user}\nBackend URL: {url}")


def _login(place: Workplace, command: Command) -> None:
    url = Backend("".join(command.arguments)).url
    write_atomically(pulumi_home(place.environ) / "credentials.json", {"current": url})
    print(f"Logged in to {url} as {getpass.getuser()}")


def _cancel(place: Workplace, command: Command) -> None:
    store = place.chosen().require()
    place.confirm(f"irreversibly cancel the currently running update for '{store.stack}'")
    store.cancel()
    print(f"The currently running update for '{store.stack}' has been canceled!")


def _plugins(place: Workplace, command: Command) -> None:
    """List nothing: providers are attached, never installed."""
    print("[]" if command.on("json") else "NAME  KIND  VERSION")


def _install(place: Workplace, command: Command) -> None:
    print("Nothing to install: providers are attached, the program's dependencies are as they are.")


HANDLERS = {
    "version": _version,
    "whoami": _whoami,
    "login": _login,
    "cancel": _cancel,
    "plugin ls": _plugins,
    "install": _install,
}
