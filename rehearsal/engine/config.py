"""The stack's configuration: `Pulumi.<stack>.yaml`, its keys, paths and secrets."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rehearsal.engine.backend import write_atomically
from rehearsal.engine.errors import EngineError, not_supported

KeyPath = tuple[str | int, ...]
_KNOWN = {"config", "encryptionsalt", "secretsprovider"}
_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\.?\["((?:[^"\\]|\\.)*)"\]')


class ConfigError(EngineError):
    """A configuration file, key or path that can't be."""


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def read_yaml(file: Path) -> Any:
    """Read a mapping with its comments; an absent file reads as an empty one.

    Raises:
        ConfigError: it can't be parsed or is no mapping.
    """
    from ruamel.yaml.error import YAMLError

    try:
        document = _yaml().load(file.read_text(encoding="utf-8") if file.is_file() else "{}")
    except YAMLError as err:
        raise ConfigError(f"{file} is not valid YAML: {err}") from err
    if not isinstance(document, dict | None):
        raise ConfigError(f"{file} holds a {type(document).__name__}; it must hold a mapping")
    return document or _yaml().map()


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value, with its secrets shown or hidden, and whether there are any."""

    shown: Any
    secret: bool

    @property
    def text(self) -> str:
        """What programs get."""
        return "" if self.shown is None else as_text(self.shown)

    def document(self, *, show: bool) -> dict[str, Any]:
        """Return what `--json` prints of it."""
        if self.secret and not show:
            return {"secret": True}
        structure = {"objectValue": self.shown} if isinstance(self.shown, dict | list) else {}
        return {"value": self.text, **structure, "secret": self.secret}


class StackConfig:
    """The settings file of one stack."""

    def __init__(self, file: Path, project: str) -> None:
        """Read the file; an absent one reads as empty.

        Raises:
            EngineError: it has a member that this engine doesn't do.
        """
        self.file, self._project = file, project
        self._document = read_yaml(file)
        if unknown := sorted(set(self._document) - _KNOWN):
            raise not_supported(f"the member {unknown[0]!r} in {file}")
        if self._document.get("secretsprovider") not in (None, "", "default", "passphrase"):
            raise not_supported(f"the secretsprovider in {file} (allowed: passphrase)")
        # What the stack's secrets were made with.
        self.salt: str | None = self._document.get("encryptionsalt")

    def raw(self) -> dict[str, Any]:
        """Return the values as the file has them, ciphertexts and all, by full key, sorted."""
        values = (self._document.get("config") or {}).items()
        return dict(sorted((full_key(key, self._project), _plain(item)) for key, item in values))

    def values(self, decrypt: Callable[[str], str] | None) -> dict[str, Value]:
        """Return every value by full key; without `decrypt` a secret reads as `[secret]`."""
        return {key: config_value(item, decrypt) for key, item in self.raw().items()}

    def set(self, key: str, path: KeyPath, value: Any) -> None:
        """Set the value of a key, or what a path inside it leads to.

        Raises:
            ConfigError: the path leads through something that has no such place.
        """
        if self._document.get("config") is None:
            self._document["config"] = {}
        place, steps = self._document["config"], (self._written(key), *path)
        for step, following in pairwise(steps):
            if not isinstance(_inside(place, step), dict | list):
                _put(place, step, [] if isinstance(following, int) else {})
            place = place[step]
        _put(place, steps[-1], value)

    def remove(self, key: str, path: KeyPath) -> None:
        """Remove a key, or what a path inside it leads to; nothing happens if it is absent."""
        place, steps = self._document.get("config") or {}, (self._written(key), *path)
        for step in steps[:-1]:
            place = _inside(place, step)
        if _inside(place, steps[-1]) is not None:
            del place[steps[-1]]

    def _written(self, key: str) -> str:
        """Return the key as the file writes it, with or without the project's name."""
        written = self._document.get("config") or {}
        return next((name for name in written if full_key(name, self._project) == key), key)

    def save(self) -> None:
        """Write the file in one move, with the comments it had."""
        if not self._document.get("config", True):
            del self._document["config"]
        if self.salt is not None:
            self._document["encryptionsalt"] = self.salt
        buffer = io.StringIO()
        _yaml().dump(self._document, buffer)
        write_atomically(self.file, buffer.getvalue() if self._document else "")


def full_key(key: str, project: str) -> str:
    """Return `namespace:name`; a key without a namespace belongs to the project.

    Raises:
        ConfigError: more parts than that.
    """
    parts = key.split(":")
    if len(parts) > 2 or not all(parts):
        raise ConfigError(
            f"invalid configuration key: could not parse {key} as a configuration key "
            "(configuration keys should be of the form `<namespace>:<name>`)"
        )
    return ":".join(parts if len(parts) == 2 else [project, key])


def split_path(text: str) -> tuple[str, KeyPath]:
    """Split `key.a[0]["b"]` into the key and the steps inside it.

    Raises:
        ConfigError: brackets or quotes that don't close, or no key.
    """
    steps: list[str | int] = []
    position = 0
    while match := _STEP.match(text, position):
        name, index, quoted = match.groups()
        steps.append(int(index) if index else name or quoted.replace('\\"', '"'))
        position = match.end()
    if position < len(text) or not steps or isinstance(steps[0], int):
        raise ConfigError(f"invalid configuration path {text!r}; one is key.member[0].other")
    return str(steps[0]), tuple(steps[1:])


def typed(text: str) -> Any:
    """Read a value given for a path, where `1` is a number and `true` a boolean."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"0|-?[1-9]\d*", text) else text


def _inside(place: Any, step: str | int) -> Any:
    if isinstance(place, dict):
        return place.get(step)
    known = isinstance(place, list) and isinstance(step, int) and step < len(place)
    return place[step] if known else None


def _put(place: Any, step: str | int, value: Any) -> None:
    if isinstance(place, list) != isinstance(step, int):
        raise ConfigError(f"{step!r} can't be set in {_plain(place)!r}")
    if isinstance(place, list) and isinstance(step, int) and step >= len(place):
        if step > len(place):
            raise ConfigError(f"index {step} is past the end of a list of {len(place)}")
        place.append(value)
    else:
        place[step] = value


def _plain(value: Any) -> Any:
    """Turn the YAML reader's own kinds of value into Python's."""
    return json.loads(json.dumps(value, default=str))


def config_value(raw: Any, decrypt: Callable[[str], str] | None) -> Value:
    """Read a value as the file has it; a secret anywhere inside makes it secret."""
    secret = False

    def reveal(item: Any) -> Any:
        nonlocal secret
        if isinstance(item, dict) and set(item) == {"secure"}:
            secret = True
            return "[secret]" if decrypt is None else decrypt(item["secure"])
        if isinstance(item, dict):
            return {key: reveal(member) for key, member in item.items()}
        return [reveal(member) for member in item] if isinstance(item, list) else item

    shown = reveal(raw)
    return Value(shown=shown, secret=secret)


def as_text(value: Any) -> str:
    """Write a value on one line: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
