"""`pulumi config …`: read and edit the stack's settings."""

from __future__ import annotations

from rehearsal.engine.argv import Command
from rehearsal.engine.commands.tables import print_json, print_table
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.config import KeyPath, Value, full_key, split_path, typed
from rehearsal.engine.errors import EngineError


def _show(place: Workplace, command: Command) -> None:
    show = command.on("show-secrets")
    values = place.config.values(place.crypter.decrypt if show else None)
    if command.on("json"):
        print_json({key: value.document(show=show) for key, value in values.items()})
    else:
        own = f"{place.project.name}:"
        rows = [(key.removeprefix(own), value.text) for key, value in values.items()]
        print_table(("KEY", "VALUE"), rows)


def _key(place: Workplace, command: Command, text: str) -> tuple[str, KeyPath]:
    key, path = split_path(text) if command.on("path") else (text, ())
    return full_key(key, place.project.name), path


def _get(place: Workplace, command: Command) -> None:
    if len(command.arguments) != 1:
        raise EngineError("give one key: pulumi config get <key>")
    key, path = _key(place, command, command.arguments[0])
    try:
        value = place.config.values(None)[key]
        if value.secret:
            value = place.config.values(place.crypter.decrypt)[key]
        for step in path:
            value = Value(shown=value.shown[step], secret=value.secret)
    except (KeyError, IndexError, TypeError) as err:
        text = f"configuration key '{command.arguments[0]}' not found for stack '{place.stack}'"
        raise EngineError(text) from err
    if command.on("json"):
        print_json(value.document(show=True))
    else:
        print(value.text)


def _set(place: Workplace, command: Command) -> None:
    if len(command.arguments) != 2:
        raise EngineError("give a key and a value: pulumi config set <key> <value>")
    if command.on("secret") and command.on("plaintext"):
        raise EngineError("--secret and --plaintext can't both be given")
    _put(place, command, *command.arguments, secret=command.on("secret"))
    place.config.save()


def _put(place: Workplace, command: Command, key: str, value: str, *, secret: bool) -> None:
    name, path = _key(place, command, key)
    plain = typed(value) if path else value
    stored = {"secure": place.crypter.encrypt(value)} if secret else plain
    place.config.set(name, path, stored)


def _set_all(place: Workplace, command: Command) -> None:
    for flag in ("plaintext", "secret"):
        for pair in command.flags.get(flag, ()):
            key, equals, value = pair.partition("=")
            if not equals:
                raise EngineError(f"--{flag} {pair!r} must be key=value")
            _put(place, command, key, value, secret=flag == "secret")
    place.config.save()


def _rm(place: Workplace, command: Command) -> None:
    for key in command.arguments:
        place.config.remove(*_key(place, command, key))
    place.config.save()


HANDLERS = {
    "config": _show,
    "config get": _get,
    "config set": _set,
    "config set-all": _set_all,
    "config rm": _rm,
}
