"""The stack's configuration: `Pulumi.<stack>.yaml` over the project's defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rehearsal.engine.errors import EngineError, not_supported
from rehearsal.engine.project import Project
from rehearsal.engine.yamlfile import read_yaml, write_yaml

Path_ = tuple[str | int, ...]
KNOWN = {"config", "encryptionsalt", "secretsprovider"}
TYPES = ("string", "integer", "boolean", "array", "object")


class ConfigError(EngineError):
    """A configuration key, path or value that can't be."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value: the text programs get, whether it is secret, and its structure if any."""

    text: str
    secret: bool
    structure: Any = None


class StackConfig:
    """The settings file of one stack."""

    def __init__(self, project: Project, stack: str, file: Path | None = None) -> None:
        """Read the file; an absent one reads as empty.

        Raises:
            EngineError: it has a member that this engine doesn't do.
        """
        self.project, self.stack = project, stack
        self.file = file if file is not None else _file(project, stack)
        self._document = read_yaml(self.file)
        unknown = sorted(set(self._document) - KNOWN)
        if unknown:
            raise not_supported(f"the member {unknown[0]!r} in {self.file}")
        provider = self._document.get("secretsprovider", "passphrase")
        if provider not in ("passphrase", "default", ""):
            raise not_supported(
                f"secrets provider {provider!r} in {self.file} (allowed: passphrase)"
            )

    @property
    def salt(self) -> str | None:
        """The salt that the stack's secrets were made with."""
        salt: str | None = self._document.get("encryptionsalt")
        return salt

    @salt.setter
    def salt(self, salt: str) -> None:
        self._document["encryptionsalt"] = salt

    def raw(self) -> dict[str, Any]:
        """Return the stack's own values as the file has them, ciphertexts and all, by full key."""
        values = self._document.get("config") or {}
        return {full_key(key, self.project.name): _plain(value) for key, value in values.items()}

    def values(self, decrypt: Callable[[str], str] | None) -> dict[str, Value]:
        """Return every value, the project's defaults included, by full key, sorted.

        Args:
            decrypt: reads a ciphertext; without it a secret reads as `[secret]`.
        """
        merged = {**_project_defaults(self.project), **self.raw()}
        return {key: _value(merged[key], decrypt) for key in sorted(merged)}

    def check_declared(self) -> None:
        """Check the values against what the project declares.

        Raises:
            ConfigError: a declared key has no value, or one of another type.
        """
        values = self.raw()
        for key, declared in self.project.config.items():
            if not isinstance(declared, Mapping) or "value" in declared:
                continue
            name = full_key(key, self.project.name)
            if name not in values and "default" not in declared:
                raise ConfigError(
                    f"Stack '{self.stack}' is missing configuration value '{key}'; set it with "
                    f"`pulumi config set {key} <value>`"
                )
            wanted = declared.get("type", "string")
            if wanted not in TYPES:
                raise ConfigError(f"{key} has the type {wanted!r}; allowed are {', '.join(TYPES)}")
            if name in values and not _fits(values[name], wanted):
                raise ConfigError(
                    f"Stack '{self.stack}' with configuration key '{key}' must be of type "
                    f"'{wanted}'"
                )

    def set(self, key: str, path: Path_, value: Any) -> None:
        """Set the value of a key, or what a path inside it leads to."""
        section = self._document.get("config")
        if section is None:
            self._document["config"] = section = {}
        name = self._written(key)
        if not path:
            section[name] = value
            return
        if not isinstance(section.get(name), dict | list):
            section[name] = [] if isinstance(path[0], int) else {}
        place = section[name]
        for step, following in pairwise(path):
            _put(place, step, [] if isinstance(following, int) else {}, only_if_absent=True)
            place = place[step]
            if not isinstance(place, dict | list):
                raise ConfigError(f"{key}: {step!r} leads to {place!r}, which has nothing inside")
        _put(place, path[-1], value)

    def remove(self, key: str, path: Path_) -> None:
        """Remove a key, or what a path inside it leads to; nothing happens if it is absent."""
        section = self._document.get("config") or {}
        place: Any = section
        last: str | int = self._written(key)
        for step in path:
            place, last = _inside(place, last), step
        if _inside(place, last) is not None:
            del place[last]
        if not section:
            self._document.pop("config", None)

    def _written(self, key: str) -> str:
        for name in self._document.get("config") or {}:
            if full_key(name, self.project.name) == key:
                return str(name)
        return key

    def save(self) -> None:
        """Write the file, with the comments it had."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_yaml(self.file, self._document)


def _file(project: Project, stack: str) -> Path:
    names = [project.config_folder / f"Pulumi.{stack}.{end}" for end in ("yaml", "yml", "json")]
    return next((name for name in names if name.is_file()), names[0])


def full_key(key: str, project: str) -> str:
    """Return `namespace:name`; a key without a namespace belongs to the project.

    Raises:
        ConfigError: more parts than that.
    """
    parts = key.split(":")
    if len(parts) == 3 and parts[1] == "config":
        parts = [parts[0], parts[2]]
    if len(parts) > 2 or not all(parts):
        raise ConfigError(
            f"invalid configuration key: could not parse {key} as a configuration key "
            "(configuration keys should be of the form `<namespace>:<name>`)"
        )
    return key if len(parts) == 2 else f"{project}:{key}"


def split_path(text: str) -> tuple[str, Path_]:
    """Split `key.a[0]["b"]` into the key and the steps inside it.

    Raises:
        ConfigError: brackets or quotes that don't close.
    """
    steps: list[str | int] = []
    position = 0
    pattern = re.compile(r'\.?([^.\[\]]+)|\[(\d+)\]|\.?\["((?:[^"\\]|\\.)*)"\]')
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise ConfigError(f"invalid configuration path {text!r} at {text[position:]!r}")
        name, index, quoted = match.groups()
        steps.append(
            name if name is not None else int(index) if index else quoted.replace('\\"', '"')
        )
        position = match.end()
    if not steps or isinstance(steps[0], int):
        raise ConfigError(f"invalid configuration path {text!r}; it starts with the key")
    return str(steps[0]), tuple(steps[1:])


def typed(text: str) -> Any:
    """Read a value given for a path, where `1` is a number and `true` a boolean."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"0|-?[1-9]\d*", text) else text


def _inside(place: Any, step: str | int) -> Any:
    if isinstance(place, dict):
        return place.get(step)
    return (
        place[step]
        if isinstance(place, list) and isinstance(step, int) and step < len(place)
        else None
    )


def _put(place: Any, step: str | int, value: Any, *, only_if_absent: bool = False) -> None:
    if isinstance(place, list) != isinstance(step, int):
        raise ConfigError(
            f"{step!r} can't be set in a {'list' if isinstance(place, list) else 'mapping'}"
        )
    if isinstance(place, list) and isinstance(step, int):
        if step > len(place):
            raise ConfigError(f"index {step} is past the end; the list has {len(place)} elements")
        if step == len(place):
            place.append(value)
            return
    elif only_if_absent and step not in place:
        place[step] = value
    if not only_if_absent:
        place[step] = value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _value(raw: Any, decrypt: Callable[[str], str] | None) -> Value:
    secret = False

    def reveal(item: Any) -> Any:
        nonlocal secret
        if isinstance(item, dict):
            if set(item) == {"secure"}:
                secret = True
                return "[secret]" if decrypt is None else decrypt(item["secure"])
            return {key: reveal(member) for key, member in item.items()}
        return [reveal(member) for member in item] if isinstance(item, list) else item

    shown = reveal(raw)
    structured = isinstance(shown, dict | list)
    return Value(text=text_of(shown), secret=secret, structure=shown if structured else None)


def text_of(value: Any) -> str:
    """Write a value as programs get it: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _project_defaults(project: Project) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    for key, declared in project.config.items():
        name = full_key(key, project.name)
        if not isinstance(declared, Mapping):
            defaults[name] = declared
            continue
        given = declared.get("value", declared.get("default"))
        if declared.get("secret"):
            raise not_supported(f"`secret` in the project's declaration of {key}")
        if given is not None:
            defaults[name] = _plain(given)
    return defaults


def _fits(value: Any, wanted: str) -> bool:
    if isinstance(value, dict) and set(value) == {"secure"}:
        return True
    if wanted == "integer":
        return re.fullmatch(r"-?\d+", text_of(value)) is not None
    if wanted == "boolean":
        return text_of(value) in ("true", "false")
    return isinstance(value, {"array": list, "object": dict}.get(wanted, str | int | float))
