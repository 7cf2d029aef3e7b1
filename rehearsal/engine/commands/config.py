"""`pulumi config …`: read and edit the stack's settings."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from rehearsal.engine.argv import Command
from rehearsal.engine.commands.tables import print_json, print_table
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.config import Path_, Value, full_key, split_path, typed
from rehearsal.engine.errors import EngineError

# A value this long and this mixed is taken for a secret when nobody says which it is.
SECRET_LENGTH = 22
SECRET_BITS_PER_CHARACTER = 3.8


def _show(place: Workplace, command: Command) -> int:
    values = place.config.values(place.crypter.decrypt if command.on("show-secrets") else None)
    if command.on("json"):
        shown = {key: _as_json(value, command.on("show-secrets")) for key, value in values.items()}
        print_json(shown, indent=2)
        return 0
    own = f"{place.project.name}:"
    rows = []
    for key, value in values.items():
        hidden = value.secret and value.structure is None and not command.on("show-secrets")
        rows.append((key.removeprefix(own), "[secret]" if hidden else value.text))
    print_table(("KEY", "VALUE"), rows)
    return 0


def _as_json(value: Value, show_secrets: bool) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if not value.secret or show_secrets:
        document["value"] = value.text
        if value.structure is not None:
            document["objectValue"] = value.structure
    document["secret"] = value.secret
    return document


def _key(place: Workplace, command: Command, text: str) -> tuple[str, Path_]:
    key, path = split_path(text) if command.on("path") else (text, ())
    return full_key(key, place.project.name), path


def _get(place: Workplace, command: Command) -> int:
    given = _one(command, "config get <key>")
    key, path = _key(place, command, given)
    values = place.config.values(None)
    if key in values and values[key].secret:
        values = place.config.values(place.crypter.decrypt)
    value = values.get(key)
    for step in path:
        inside: Any = value.structure if value is not None else None
        try:
            found = inside[step]
        except (KeyError, IndexError, TypeError):
            value = None
        else:
            value = _inner(found, value)
    if value is None:
        raise EngineError(f"configuration key '{given}' not found for stack '{place.stack}'")
    if command.on("json"):
        print_json(_as_json(value, show_secrets=True), indent=2)
    else:
        print(value.text)
    return 0


def _inner(found: Any, outer: Value | None) -> Value:
    from rehearsal.engine.config import text_of

    structure = found if isinstance(found, dict | list) else None
    return Value(
        text=text_of(found), secret=outer is not None and outer.secret, structure=structure
    )


def _one(command: Command, usage: str) -> str:
    if len(command.arguments) != 1:
        raise EngineError(
            f"accepts 1 argument, received {len(command.arguments)}; use: pulumi {usage}"
        )
    return command.arguments[0]


def _set(place: Workplace, command: Command) -> int:
    if not 1 <= len(command.arguments) <= 2:
        raise EngineError("accepts a key and a value; use: pulumi config set <key> [value]")
    key, path = _key(place, command, command.arguments[0])
    secret, plain = command.on("secret"), command.on("plaintext")
    if secret and plain:
        raise EngineError("--secret and --plaintext can't both be given")
    if len(command.arguments) == 2:
        value = command.arguments[1]
    elif sys.stdin.isatty() and secret and place.interactive:
        from getpass import getpass

        value = getpass("value: ")
    else:
        value = sys.stdin.read().removesuffix("\n")
    if not secret and not plain and _looks_secret(command.arguments[0], value):
        raise EngineError(
            f"config value for '{command.arguments[0]}' looks like a secret; rerun with --secret "
            "to encrypt it, or "
            "--plaintext if you meant to store in plaintext"
        )
    _put(place, key, path, value, secret)
    place.config.save()
    return 0


def _put(place: Workplace, key: str, path: Path_, value: str, secret: bool) -> None:
    if secret:
        place.config.set(key, path, {"secure": place.crypter.encrypt(value)})
    else:
        place.config.set(key, path, typed(value) if path else value)


def _looks_secret(key: str, value: str) -> bool:
    if len(value) < SECRET_LENGTH or any(letter.isspace() for letter in value):
        return False
    counts = Counter(value)
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    named = any(word in key.lower() for word in ("password", "secret", "token", "key", "cred"))
    return named and bits > SECRET_BITS_PER_CHARACTER


def _set_all(place: Workplace, command: Command) -> int:
    text = command.text("json")
    if text is not None:
        for name, item in json.loads(text).items():
            key, path = _key(place, command, name)
            structure = item.get("objectValue")
            if structure is not None and not item.get("secret"):
                place.config.set(key, path, structure)
            elif structure is not None:
                raise EngineError(
                    f"{name} is a secret object; set its secret members by --path instead"
                )
            else:
                _put(place, key, path, item["value"], bool(item.get("secret")))
    for secret, flag in ((False, "plaintext"), (True, "secret")):
        for pair in command.all(flag):
            name, equals, value = pair.partition("=")
            if not equals:
                raise EngineError(f"config value {pair!r} must be key=value")
            _put(place, *_key(place, command, name), value, secret)
    place.config.save()
    return 0


def _rm(place: Workplace, command: Command) -> int:
    _one(command, "config rm <key>")
    return _rm_all(place, command)


def _rm_all(place: Workplace, command: Command) -> int:
    for given in command.arguments:
        place.config.remove(*_key(place, command, given))
    place.config.save()
    return 0


def _refresh(place: Workplace, command: Command) -> int:
    """Put back the configuration of the last operation."""
    history = place.store.history()
    if not history:
        raise EngineError("no previous deployment")
    if not command.on("force") and place.config.file.is_file():
        raise EngineError(
            f"{place.config.file} would be overwritten; run again with --force if that is what "
            "you want"
        )
    wanted = history[0].get("config") or {}
    for key in place.config.raw():
        if key not in wanted:
            place.config.remove(key, ())
    for key, value in wanted.items():
        place.config.set(key, (), value)
    place.config.save()
    print(f"refreshed configuration for stack '{place.stack}'")
    return 0


HANDLERS: dict[str, Callable[[Workplace, Command], int]] = {
    "config": _show,
    "config get": _get,
    "config set": _set,
    "config set-all": _set_all,
    "config rm": _rm,
    "config rm-all": _rm_all,
    "config refresh": _refresh,
}
