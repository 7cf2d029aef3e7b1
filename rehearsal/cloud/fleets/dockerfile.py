"""Reads a Dockerfile as far as running its server as a plain process needs it.

RUN, EXPOSE, USER, HEALTHCHECK and the like build or describe a container; a process has the
machine's own Python and packages instead, so they are read and left aside.

Source: Docker's Dockerfile reference (ARG and FROM, environment replacement, LABEL), read 2026.
"""

from __future__ import annotations

import copy
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from rehearsal.cloud.errors import SetupError

INSTRUCTIONS = frozenset(
    [
        "ENV",
        "LABEL",
        "WORKDIR",
        "COPY",
        "ADD",
        "ENTRYPOINT",
        "CMD",
        "RUN",
        "EXPOSE",
        "USER",
        "HEALTHCHECK",
        "MAINTAINER",
        "STOPSIGNAL",
        "VOLUME",
        "SHELL",
        "ONBUILD",
    ]
)
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))")
NO_ARGUMENTS: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One COPY or ADD from the build context: sources and the absolute destination."""

    sources: tuple[str, ...]
    destination: str


@dataclass(frozen=True, kw_only=True)
class ImagePlan:
    """What of an image matters to a process: files, environment, labels, entry point."""

    copies: tuple[Copy, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    working_directory: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


def plan_from_dockerfile(
    text: str, *, arguments: Mapping[str, str] = NO_ARGUMENTS, target: str | None = None
) -> ImagePlan:
    """Return the plan of one stage of a Dockerfile.

    Args:
        arguments: values for its ARG instructions, as `docker build --build-arg`; one without
            an instruction does nothing
        target: the stage's name; left out, the last stage

    Raises:
        SetupError: no FROM, an instruction that isn't Docker's, ADD of a URL, or a stage that
            the Dockerfile doesn't have
    """
    reader = _Reader(arguments)
    for line in _logical_lines(text):
        word, _, rest = line.partition(" ")
        reader.read(word.upper(), rest.strip())
    return reader.plan(target)


@dataclass(kw_only=True)
class _Stage:
    """What the instructions after one FROM have said so far."""

    arguments: dict[str, str] = field(default_factory=dict)
    copies: list[Copy] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    directory: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


class _Reader:
    def __init__(self, arguments: Mapping[str, str]) -> None:
        self._given = arguments
        # What ARG says before the first FROM: for FROM itself, and for an ARG without a default.
        self._global: dict[str, str] = {}
        self._stages: dict[str, _Stage] = {}
        self._stage: _Stage | None = None

    def plan(self, target: str | None) -> ImagePlan:
        stage = self._stage
        if stage is None:
            raise SetupError("the Dockerfile has no FROM instruction; a build context needs one")
        if target is not None:
            if target.lower() not in self._stages:
                raise SetupError(
                    f"target {target!r} is not a stage of the Dockerfile; stages: "
                    f"{', '.join(self._stages) or 'none with a name'}"
                )
            stage = self._stages[target.lower()]
        return ImagePlan(
            copies=tuple(stage.copies),
            environment=tuple(stage.environment.items()),
            labels=tuple(stage.labels.items()),
            working_directory=stage.directory,
            entrypoint=stage.entrypoint,
            command=stage.command,
        )

    def read(self, word: str, rest: str) -> None:
        if word == "FROM":
            self._from(rest)
        elif word == "ARG":
            self._argument(rest)
        elif word not in INSTRUCTIONS:
            raise SetupError(f"the Dockerfile has an instruction {word}, which Docker doesn't know")
        elif self._stage is not None:
            self._instruct(self._stage, word, rest)

    def _from(self, rest: str) -> None:
        """Begin a stage: afresh, or from an earlier one."""
        words = [part for part in rest.split() if not part.startswith("--")]
        base = self._stages.get(self._expand(words[0]).lower()) if words else None
        self._stage = _Stage() if base is None else copy.deepcopy(base)
        self._stage.arguments = {}
        if len(words) == 3:
            self._stages[words[2].lower()] = self._stage

    def _argument(self, rest: str) -> None:
        for token in shlex.split(rest):
            name, equals, default = token.partition("=")
            known = self._global if self._stage is None else self._stage.arguments
            if name in self._given:
                known[name] = self._given[name]
            elif equals:
                known[name] = self._expand(default)
            elif name in self._global:
                known[name] = self._global[name]

    def _instruct(self, stage: _Stage, word: str, rest: str) -> None:
        if word == "ENV":
            stage.environment.update(self._pairs(rest))
        elif word == "LABEL":
            stage.labels.update(self._pairs(rest))
        elif word == "WORKDIR":
            stage.directory = self._absolute(self._expand(rest))
        elif word in ("COPY", "ADD"):
            self._copy(stage, word, rest)
        elif word == "ENTRYPOINT":
            stage.entrypoint, stage.command = _arguments(rest), ()
        elif word == "CMD":
            stage.command = _arguments(rest)

    def _pairs(self, rest: str) -> dict[str, str]:
        name, equals, _ = rest.partition("=")
        if not equals or " " in name:
            name, _, value = rest.partition(" ")
            return {name: self._expand(value.strip())}
        tokens = (token.partition("=") for token in shlex.split(rest))
        return {name: self._expand(value) for name, _, value in tokens}

    def _copy(self, stage: _Stage, word: str, rest: str) -> None:
        words = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
        flags = [item for item in words if item.startswith("--")]
        paths = [self._expand(item) for item in words if not item.startswith("--")]
        if any(flag.startswith("--from=") for flag in flags):
            # Another stage's or image's files come out of RUN steps, which no process needs.
            return
        if word == "ADD" and any("://" in path for path in paths):
            raise SetupError(f"ADD {rest} fetches a URL; copy the file into the context instead")
        destination = self._absolute(paths[-1])
        if paths[-1].endswith("/") or paths[-1] in (".", "./"):
            destination = destination.rstrip("/") + "/"
        stage.copies.append(Copy(sources=tuple(paths[:-1]), destination=destination))

    def _absolute(self, path: str) -> str:
        assert self._stage is not None
        joined = path if path.startswith("/") else f"{self._stage.directory.rstrip('/')}/{path}"
        parts: list[str] = []
        for part in joined.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return "/" + "/".join(parts)

    def _expand(self, text: str) -> str:
        return VARIABLE.sub(self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        """Return a variable's value: ENV comes before ARG, and ${name:-text} stands in."""
        name = match[1] or match[4]
        stage = self._stage
        known = self._global if stage is None else {**stage.arguments, **stage.environment}
        value = known.get(name, "")
        if match[2] == "-":
            return value or match[3]
        if match[2] == "+":
            return match[3] if value else ""
        return value


def _arguments(rest: str) -> tuple[str, ...]:
    """Return exec-form arguments; shell form runs under /bin/sh as Docker runs it."""
    if rest.startswith("["):
        try:
            return tuple(str(item) for item in json.loads(rest))
        except ValueError as err:
            raise SetupError(f"{rest} is not the exec form of a command: {err}") from err
    return ("/bin/sh", "-c", rest)


def _logical_lines(text: str) -> list[str]:
    lines: list[str] = []
    held = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        lines.append((held + line).strip())
        held = ""
    if held:
        lines.append(held.strip())
    return lines
