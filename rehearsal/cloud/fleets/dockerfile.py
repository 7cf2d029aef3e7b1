"""Reads a Dockerfile as far as running its server as a plain process needs it.

FROM, RUN, EXPOSE, LABEL, USER, ARG, HEALTHCHECK and the like build or describe a container; a
process has the machine's own Python and packages instead, so they are read and left aside.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass

from rehearsal.cloud.errors import SetupError

IGNORED = frozenset(
    [
        "RUN",
        "EXPOSE",
        "LABEL",
        "USER",
        "ARG",
        "HEALTHCHECK",
        "MAINTAINER",
        "STOPSIGNAL",
        "VOLUME",
        "SHELL",
        "ONBUILD",
    ]
)
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One COPY or ADD from the build context: sources and the absolute destination."""

    sources: tuple[str, ...]
    destination: str


@dataclass(frozen=True, kw_only=True)
class ImagePlan:
    """What of an image matters to a process: files, environment, directory, entry point."""

    copies: tuple[Copy, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    working_directory: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


def plan_from_dockerfile(text: str) -> ImagePlan:
    """Return the plan of the last stage of a Dockerfile.

    Raises:
        SetupError: no FROM, an instruction that isn't Docker's, or ADD of a URL
    """
    reader = _Reader()
    for line in _logical_lines(text):
        word, _, rest = line.partition(" ")
        reader.read(word.upper(), rest.strip())
    if not reader.started:
        raise SetupError("the Dockerfile has no FROM instruction; a build context needs one")
    return reader.plan()


class _Reader:
    def __init__(self) -> None:
        self.started = False
        self._reset()

    def _reset(self) -> None:
        self._copies: list[Copy] = []
        self._environment: dict[str, str] = {}
        self._directory = "/"
        self._entrypoint: tuple[str, ...] = ()
        self._command: tuple[str, ...] = ()

    def plan(self) -> ImagePlan:
        return ImagePlan(
            copies=tuple(self._copies),
            environment=tuple(self._environment.items()),
            working_directory=self._directory,
            entrypoint=self._entrypoint,
            command=self._command,
        )

    def read(self, word: str, rest: str) -> None:
        if word == "FROM":
            self.started = True
            self._reset()
        elif word == "ENV":
            self._environment.update(self._pairs(rest))
        elif word == "WORKDIR":
            self._directory = self._absolute(self._expand(rest))
        elif word in ("COPY", "ADD"):
            self._copy(word, rest)
        elif word == "ENTRYPOINT":
            self._entrypoint, self._command = _arguments(rest), ()
        elif word == "CMD":
            self._command = _arguments(rest)
        elif word not in IGNORED:
            raise SetupError(f"the Dockerfile has an instruction {word}, which Docker doesn't know")

    def _pairs(self, rest: str) -> dict[str, str]:
        name, equals, _ = rest.partition("=")
        if not equals or " " in name:
            name, _, value = rest.partition(" ")
            return {name: self._expand(value.strip())}
        tokens = (token.partition("=") for token in shlex.split(rest))
        return {name: self._expand(value) for name, _, value in tokens}

    def _copy(self, word: str, rest: str) -> None:
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
        self._copies.append(Copy(sources=tuple(paths[:-1]), destination=destination))

    def _absolute(self, path: str) -> str:
        joined = path if path.startswith("/") else f"{self._directory.rstrip('/')}/{path}"
        parts: list[str] = []
        for part in joined.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return "/" + "/".join(parts)

    def _expand(self, text: str) -> str:
        return VARIABLE.sub(lambda m: self._environment.get(m.group(1) or m.group(2), ""), text)


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
