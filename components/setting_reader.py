"""Typed reading of a plain mapping that collects every problem instead of stopping at the first.

Pulumi hands a program its scalars as text and its objects as JSON text; YAML readers hand over
native values. Both are accepted here, so the driver and the program read settings in the same way.
"""

import difflib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

Choice = TypeVar("Choice", bound=StrEnum)

_SUGGESTION_CUTOFF = 0.6


class SettingReader:
    """One level of settings being read: remembers which keys were asked for and what was wrong.

    Args:
        values: the settings of this level, by key.
        prefix: what stands before a key in messages, such as `greenlight:` or
            `greenlight:deployment.`.
        problems: the list that problems are added to; a section shares its parent's.
        asked: the list that the full name of every key is added to as it is read; shared likewise.
    """

    def __init__(
        self,
        values: Mapping[str, object],
        prefix: str,
        problems: list[str],
        asked: list[str] | None = None,
    ) -> None:
        self.problems = problems
        self.asked: list[str] = [] if asked is None else asked
        self._values = values
        self._prefix = prefix
        self._known: list[str] = []

    def name(self, key: str) -> str:
        """The key as the user writes it."""
        return f"{self._prefix}{key}"

    def refuse(self, key: str, reason: str) -> None:
        """Add a problem about one key."""
        self.problems.append(f"{self.name(key)} {reason}")

    def has(self, key: str) -> bool:
        """Whether the user gave the key a value."""
        return self._values.get(key) is not None

    def text(
        self, key: str, *, pattern: str | None = None, meaning: str | None = None
    ) -> str | None:
        """The value as text, or nothing when it is left out.

        Args:
            pattern: a regular expression the whole value has to match.
            meaning: the pattern in words, for the message.
        """
        value = self._value(key)
        if value is None:
            return None
        if not isinstance(value, str) or value == "":
            self.refuse(key, f"is {_shown(value)}; give a text that is not empty")
            return None
        if pattern is not None and re.fullmatch(pattern, value) is None:
            self.refuse(key, f"is {_shown(value)}; give {meaning}")
            return None
        return value

    def integer(
        self, key: str, *, minimum: int, maximum: int | None = None, unit: str = ""
    ) -> int | None:
        """The value as a whole number within bounds, or nothing when it is left out."""
        value = self._value(key)
        if value is None:
            return None
        number = _integer_from(value)
        if number is None or number < minimum or (maximum is not None and number > maximum):
            bounds = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
            words = f" {unit}" if unit else ""
            self.refuse(key, f"is {_shown(value)}; give a whole number{words} {bounds}")
            return None
        return number

    def boolean(self, key: str, *, default: bool) -> bool:
        """The value as true or false."""
        value = self._value(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return value == "true"
        self.refuse(key, f"is {_shown(value)}; give true or false")
        return default

    def choice(self, key: str, choices: type[Choice], *, default: Choice) -> Choice:
        """The value as one of an enumeration's words."""
        value = self._value(key)
        if value is None:
            return default
        allowed = [choice.value for choice in choices]
        if value not in allowed:
            self.refuse(key, f"is {_shown(value)}; give one of {', '.join(allowed)}")
            return default
        return choices(str(value))

    def texts_by_name(self, key: str) -> dict[str, str]:
        """The value as a mapping from text to text; numbers and booleans become text."""
        value = self._object(key)
        if value is None:
            return {}
        texts: dict[str, str] = {}
        for name, entry in value.items():
            if isinstance(entry, bool):
                texts[name] = "true" if entry else "false"
            elif isinstance(entry, str | int | float):
                texts[name] = str(entry)
            else:
                self.refuse(f"{key}.{name}", f"is {_shown(entry)}; give a text")
        return texts

    def section(self, key: str) -> "SettingReader | None":
        """A reader of the object under the key, or nothing when it is left out."""
        value = self._object(key)
        if value is None:
            return None
        return SettingReader(value, f"{self.name(key)}.", self.problems, self.asked)

    def refuse_unknown(self) -> None:
        """Add a problem for every key nobody asked for, with the nearest one that exists."""
        for key in self._values:
            if key in self._known:
                continue
            near = difflib.get_close_matches(key, self._known, n=1, cutoff=_SUGGESTION_CUTOFF)
            hint = f"did you mean {self.name(near[0])}?" if near else _listed(self._known)
            self.refuse(key, f"is not a setting; {hint}")

    def _value(self, key: str) -> object:
        self._known.append(key)
        self.asked.append(self.name(key))
        return self._values.get(key)

    def _object(self, key: str) -> Mapping[str, object] | None:
        value = self._value(key)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                self.refuse(key, f"is {_shown(value)}; give an object of keys and values")
                return None
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.refuse(key, f"is {_shown(value)}; give an object of keys and values")
            return None
        return {str(name): entry for name, entry in value.items()}


def _integer_from(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}", value):
        return int(value)
    return None


def _shown(value: object) -> str:
    if isinstance(value, bool | dict | list):
        return json.dumps(value)
    return repr(value)


def _listed(keys: list[str]) -> str:
    return f"the settings here are {', '.join(sorted(keys))}"
