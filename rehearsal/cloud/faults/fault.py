"""What can be made to go wrong: kinds, their settings, whom they meet. Pure, over frozen data.

Each kind is one thing that happens to people on AWS. What must never be added here: a fault that
AWS itself can't show, for a rehearsal of it teaches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from rehearsal.cloud.errors import SetupError

MAXIMUM_TIMES = 1_000_000
# EndpointName and its like, as SageMaker takes them.
NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
OPERATION = re.compile(r"[A-Z][A-Za-z0-9]{1,63}")


class FaultKind(StrEnum):
    """The things that can be made to go wrong."""

    LAUNCH_FAILURE = "launch-failure"
    HEALTH_CHECK_HANG = "health-check-hang"
    CRASH = "crash"
    LATENCY = "latency"
    MODEL_ERROR = "model-error"
    CAPACITY = "capacity"
    QUOTA = "quota"
    THROTTLE = "throttle"
    SILENT_ROLLBACK = "silent-rollback"


@dataclass(frozen=True, kw_only=True)
class Number:
    """A setting that is a whole number within bounds."""

    minimum: int
    maximum: int
    default: int | None = None

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.minimum} to {self.maximum}"

    def accepts(self, value: object) -> bool:
        """Tell whether a value is one of ours; True is no number here."""
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return is_number and self.minimum <= value <= self.maximum  # type: ignore[operator]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A setting that is one of a few words."""

    words: tuple[str, ...]
    default: str | None = None

    @property
    def allowed(self) -> str:
        return f"one of {', '.join(self.words)}"

    def accepts(self, value: object) -> bool:
        """Tell whether a value is one of the words."""
        return value in self.words


@dataclass(frozen=True, kw_only=True)
class Text:
    """A setting that is free text."""

    maximum_characters: int
    default: str | None = None

    @property
    def allowed(self) -> str:
        return f"text of at most {self.maximum_characters} characters"

    def accepts(self, value: object) -> bool:
        """Tell whether a value is text that isn't too long."""
        return isinstance(value, str) and len(value) <= self.maximum_characters


Setting = Number | Choice | Text
SHARE = {"share_percent": Number(minimum=1, maximum=100, default=100)}
PLACE = ("endpoint_name", "variant_name", "endpoint_config_name")


@dataclass(frozen=True, kw_only=True)
class KindRule:
    """What one kind of fault takes.

    Args:
        scope: which subjects it can be narrowed to; a scope left out means all
        settings: its settings; one without a default must be given
        times: how often it happens when nobody says; None for until it is cleared
    """

    summary: str
    scope: tuple[str, ...]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    times: int | None = 1


KINDS: Mapping[FaultKind, KindRule] = {
    FaultKind.LAUNCH_FAILURE: KindRule(
        summary="the next launch fails",
        scope=(*PLACE, "instance_type"),
        settings={
            "reason": Choice(words=("image", "artifact", "cannot-start", "ping"), default="ping")
        },
    ),
    FaultKind.HEALTH_CHECK_HANG: KindRule(
        summary="the next container starts and never answers its health check",
        scope=(*PLACE, "instance_type"),
    ),
    FaultKind.CRASH: KindRule(
        summary="the container is killed when it has answered so many requests",
        scope=PLACE,
        settings={"after_requests": Number(minimum=0, maximum=MAXIMUM_TIMES, default=0)},
    ),
    FaultKind.LATENCY: KindRule(
        summary="the model takes so many milliseconds longer to answer",
        scope=PLACE,
        settings={"milliseconds": Number(minimum=1, maximum=120_000), **SHARE},
        times=None,
    ),
    FaultKind.MODEL_ERROR: KindRule(
        summary="the model answers with an HTTP status of an error",
        scope=PLACE,
        settings={
            "status": Number(minimum=400, maximum=599, default=500),
            "message": Text(maximum_characters=1_024, default="a fault on purpose"),
            **SHARE,
        },
    ),
    FaultKind.CAPACITY: KindRule(
        summary="AWS has no more instances: InsufficientInstanceCapacity",
        scope=("instance_type", "endpoint_name"),
        settings={"available": Number(minimum=0, maximum=10_000, default=0)},
        times=None,
    ),
    FaultKind.QUOTA: KindRule(
        summary="the account may use so many instances of a type: ResourceLimitExceeded",
        scope=("instance_type",),
        settings={"limit": Number(minimum=0, maximum=10_000)},
        required=("instance_type",),
        times=None,
    ),
    FaultKind.THROTTLE: KindRule(
        summary="the API throttles: ThrottlingException, Rate exceeded",
        scope=("operation",),
        settings=SHARE,
    ),
    FaultKind.SILENT_ROLLBACK: KindRule(
        summary="the next update launches its fleet, then comes back to the old config in silence",
        scope=("endpoint_name", "endpoint_config_name"),
        settings={
            "rolling_back_polls": Number(minimum=0, maximum=1_000, default=0),
            "failure_reason": Text(maximum_characters=1_024, default=""),
        },
    ),
}
PATTERNS = {
    "endpoint_name": NAME,
    "variant_name": NAME,
    "endpoint_config_name": NAME,
    "instance_type": INSTANCE_TYPE,
    "operation": OPERATION,
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is to go wrong.

    Args:
        scope: whom it meets; what is left out doesn't matter
        times: how often it happens, or None for until it is cleared
        used: how often it has happened
    """

    fault_id: str
    kind: FaultKind
    scope: Mapping[str, str]
    settings: Mapping[str, Any]
    times: int | None
    used: int = 0

    @property
    def is_spent(self) -> bool:
        """Tell a fault that has happened as often as it should."""
        return self.times is not None and self.used >= self.times

    def meets(self, subject: Mapping[str, str | None]) -> bool:
        """Tell whether a subject is one of those meant."""
        return all(subject.get(name) == value for name, value in self.scope.items())

    def used_once_more(self) -> Fault:
        """Return the fault after it has happened again."""
        return replace(self, used=self.used + 1)

    def as_dict(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return {
            "fault_id": self.fault_id,
            "kind": self.kind.value,
            "summary": KINDS[self.kind].summary,
            **self.scope,
            **self.settings,
            "times": self.times,
            "used": self.used,
            "spent": self.is_spent,
        }


def fault_from_members(fault_id: str, members: Mapping[str, Any]) -> Fault:
    """Return the fault that was asked for.

    Raises:
        SetupError: with every problem at once, and what is allowed
    """
    kind = _kind(members.get("kind"))
    rule = KINDS[kind]
    allowed = ("kind", *rule.scope, *rule.settings, "times")
    problems = [
        f"{name!r} is not a setting of {kind.value}; it takes {', '.join(allowed[1:])}"
        for name in members
        if name not in allowed
    ]
    scope = {name: members[name] for name in rule.scope if members.get(name) is not None}
    problems += [_scope_problem(name, value) for name, value in scope.items()]
    problems += [f"{kind.value} needs {name!r}" for name in rule.required if name not in scope]
    settings = {name: members.get(name, rule.settings[name].default) for name in rule.settings}
    problems += [
        f"{name} is {settings[name]!r}; allowed is {setting.allowed}"
        for name, setting in rule.settings.items()
        if not setting.accepts(settings[name])
    ]
    times = members.get("times", rule.times)
    if times is not None and not Number(minimum=1, maximum=MAXIMUM_TIMES).accepts(times):
        problems.append(
            f"times is {times!r}; allowed is a whole number from 1 to {MAXIMUM_TIMES}, "
            "or null for until it is cleared"
        )
    found = [problem for problem in problems if problem]
    if found:
        raise SetupError("; ".join(found))
    return Fault(fault_id=fault_id, kind=kind, scope=scope, settings=settings, times=times)


def _kind(value: object) -> FaultKind:
    try:
        return FaultKind(value)  # type: ignore[arg-type]
    except ValueError as err:
        known = ", ".join(kind.value for kind in FaultKind)
        raise SetupError(f"kind {value!r} is no kind of fault; there are {known}") from err


def _scope_problem(name: str, value: object) -> str:
    if isinstance(value, str) and PATTERNS[name].fullmatch(value):
        return ""
    return f"{name} is {value!r}; it must match {PATTERNS[name].pattern}"
