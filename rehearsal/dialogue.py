"""What a rehearsal says to its cloud: the options it starts it with, and requests afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import requests

from rehearsal.errors import NotRunningError, SettingError

MAXIMUM_INSTANCES = 1_000


class Clock(StrEnum):
    """How a rehearsal's time passes: by itself, or moved by hand."""

    SCALED = "scaled"
    MANUAL = "manual"


class Runtime(StrEnum):
    """What an instance is: a process of this machine, or a container of the Docker engine."""

    PROCESS = "process"
    DOCKER = "docker"


class Durations(StrEnum):
    """Whether what takes AWS minutes is quick, or takes them in rehearsal time."""

    FAST = "fast"
    AWS = "aws"


@dataclass(frozen=True, kw_only=True)
class CloudOptions:
    """What a rehearsal's cloud is started with beside its speed and its seed.

    Args:
        maximum_instances: instances at once, 1 to 1000; left out, what a laptop runs well

    Raises:
        SettingError: the number of instances is out of bounds
    """

    clock: Clock = Clock.SCALED
    runtime: Runtime = Runtime.PROCESS
    maximum_instances: int | None = None
    durations: Durations = Durations.FAST

    def __post_init__(self) -> None:
        count = self.maximum_instances
        if count is not None and not 1 <= count <= MAXIMUM_INSTANCES:
            raise SettingError(
                f"maximum instances {count} is outside 1..{MAXIMUM_INSTANCES}: each is a process "
                "or a container of this machine"
            )

    def as_arguments(self) -> list[str]:
        """Return the options of the cloud's command line."""
        arguments = ["--clock", self.clock.value, "--runtime", self.runtime.value]
        if self.maximum_instances is not None:
            arguments += ["--maximum-instances", str(self.maximum_instances)]
        if self.durations is not Durations.FAST:
            arguments += ["--durations", self.durations.value]
        return arguments


def tell(
    cloud_url: str,
    method: str,
    what: str,
    members: Mapping[str, Any] | None,
    *,
    log: Path,
    seconds: float,
) -> dict[str, Any]:
    """Make one request of the control API and return its answer.

    Args:
        members: the body, or None for none
        log: the cloud's own, for the reader of an error
        seconds: how long an answer may take

    Raises:
        NotRunningError: the cloud doesn't answer, or fails
        SettingError: it refuses, with its own words
    """
    body = None if members is None else dict(members)
    try:
        answer = requests.request(
            method, f"{cloud_url}/rehearsal/{what}", json=body, timeout=seconds
        )
    except requests.RequestException as err:
        raise NotRunningError(
            f"the rehearsal's cloud does not answer: {err}; its log is {log}"
        ) from err
    if answer.ok:
        found: dict[str, Any] = answer.json()
        return found
    text = _error_text(answer)
    if answer.status_code < 500:
        raise SettingError(text)
    raise NotRunningError(f"the rehearsal's cloud failed: {text}; its log is {log}")


def _error_text(answer: requests.Response) -> str:
    """Return the text of a refusal, the control API's own or an AWS API's behind it."""
    try:
        members = answer.json()
        return str(members["error"] if "error" in members else members["message"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text.strip()}"
