"""The subset of JSONPath that a transform job's filters may use: pure.

Source: SageMaker Developer Guide, "Associate Prediction Results with Input Records", supported
operators: `$`, `.name`, `*`, `['a','b']`, `[0,-1]`, `[1:4]`; botocore's `$[0,5:]` mixes the last
two. The guide names json-path/JsonPath as the reference, and there the end of a slice is left
out; where the guide's prose counts it in, it contradicts that and `$[1:-1]` as people use it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.transform.errors import JsonPathError

NAME = re.compile(r"[A-Za-z_][\w-]*")
INDEX = re.compile(r"-?\d+")
SLICE = re.compile(r"(-?\d+)?:(-?\d+)?")
QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")


@dataclass(frozen=True, kw_only=True)
class Names:
    """`.a` or `['a','b']`; several make an object of those that are there."""

    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Places:
    """`[0]`, `[1,-1]`, `[2:]` or a mixture; anything but one index makes a list."""

    places: tuple[int | slice, ...]


@dataclass(frozen=True, kw_only=True)
class Everything:
    """`*`: every value of an object or a list."""


Step = Names | Places | Everything


@dataclass(frozen=True, kw_only=True)
class JsonPath:
    """A read path, ready to be applied."""

    text: str
    steps: tuple[Step, ...]

    @property
    def is_root(self) -> bool:
        return not self.steps

    @property
    def is_index_based(self) -> bool:
        """Whether it can be applied to a CSV row: `$`, or one step of places."""
        return self.is_root or (len(self.steps) == 1 and not isinstance(self.steps[0], Names))

    def select(self, value: Any) -> Any:
        """Return what the path finds.

        Raises:
            JsonPathError: a name or an index that isn't there
        """
        found = [value]
        is_many = False
        for step in self.steps:
            if isinstance(step, Everything):
                found = [each for one in found for each in _children(self.text, one)]
                is_many = True
            else:
                found = [_selected(self.text, step, one) for one in found]
        return found if is_many else found[0]


def parse(text: str) -> JsonPath:
    """Read a path.

    Raises:
        JsonPathError: not in the subset
    """
    if not text.startswith("$"):
        raise JsonPathError(f"JSONPath '{text}' must begin with $")
    steps: list[Step] = []
    position = 1
    while position < len(text):
        step, position = _step(text, position)
        steps.append(step)
    return JsonPath(text=text, steps=tuple(steps))


def _step(text: str, position: int) -> tuple[Step, int]:
    if text[position] == ".":
        position += 1
        if text[position : position + 1] == "*":
            return Everything(), position + 1
        name = NAME.match(text, position)
        if name is not None:
            return Names(names=(name[0],)), name.end()
    if text[position : position + 1] == "[":
        end = _closing(text, position)
        return _bracket(text, text[position + 1 : end]), end + 1
    raise JsonPathError(
        f"JSONPath '{text}' is not supported at '{text[position:]}'; supported are .name, *, "
        "['name','name'], [index,index] and [start:end]"
    )


def _closing(text: str, position: int) -> int:
    """Return where a bracket closes, quotes aside."""
    quote = ""
    for index in range(position + 1, len(text)):
        character = text[index]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "]":
            return index
    raise JsonPathError(f"JSONPath '{text}' has a bracket that never closes")


def _bracket(text: str, inside: str) -> Step:
    if inside.strip() == "*":
        return Everything()
    if inside.strip().startswith(("'", '"')):
        names = QUOTED.findall(inside)
        if QUOTED.sub("", inside).replace(",", "").strip() or not names:
            raise JsonPathError(f"JSONPath '{text}' has '[{inside}]', which is no list of names")
        return Names(names=tuple(single or double for single, double in names))
    places: list[int | slice] = []
    for part in (each.strip() for each in inside.split(",")):
        ends = SLICE.fullmatch(part)
        if INDEX.fullmatch(part):
            places.append(int(part))
        elif ends is not None:
            places.append(slice(*(None if end is None else int(end) for end in ends.groups())))
        else:
            raise JsonPathError(
                f"JSONPath '{text}' has '{part}', which is neither an index nor a slice"
            )
    return Places(places=tuple(places))


def _children(text: str, value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    raise JsonPathError(f"JSONPath '{text}' has a * where the data is neither object nor array")


def _selected(text: str, step: Names | Places, value: Any) -> Any:
    if isinstance(step, Names):
        return _named(text, step.names, value)
    if not isinstance(value, list):
        raise JsonPathError(f"JSONPath '{text}' has an index where the data is no array")
    if len(step.places) == 1 and isinstance(step.places[0], int):
        return _at(text, value, step.places[0])
    found: list[Any] = []
    for place in step.places:
        found.extend(value[place] if isinstance(place, slice) else [_at(text, value, place)])
    return found


def _named(text: str, names: tuple[str, ...], value: Any) -> Any:
    if not isinstance(value, dict):
        raise JsonPathError(f"JSONPath '{text}' has a name where the data is no object")
    if len(names) > 1:
        # As json-path does: of several names those that aren't there are left out.
        return {name: value[name] for name in names if name in value}
    if names[0] not in value:
        raise JsonPathError(f"JSONPath '{text}' finds no '{names[0]}' in the data")
    return value[names[0]]


def _at(text: str, value: list[Any], index: int) -> Any:
    if not -len(value) <= index < len(value):
        raise JsonPathError(f"JSONPath '{text}' has index {index} of {len(value)} elements")
    return value[index]
