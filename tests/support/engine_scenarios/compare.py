"""Compares two recordings and excuses the differences that are by design, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One place where the embedded engine did something else."""

    place: str
    official: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.place}\n  official: {self.official!r}\n  ours:     {self.ours!r}"


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """A difference by design.

    Args:
        scenario: the scenario's name, or `*`.
        place: a pattern of the place.
        reason: why ours is right, or as good.
        official: a pattern the official side must match.
        ours: a pattern our side must match.
    """

    scenario: str
    place: str
    reason: str
    official: str = ".*"
    ours: str = ".*"

    def covers(self, scenario: str, difference: Difference) -> bool:
        """Whether this allowance excuses the difference."""
        return (
            self.scenario in ("*", scenario)
            and re.fullmatch(self.place, difference.place) is not None
            and re.fullmatch(self.official, str(difference.official), re.DOTALL) is not None
            and re.fullmatch(self.ours, str(difference.ours), re.DOTALL) is not None
        )


def differences(official: Any, ours: Any, place: str = "") -> list[Difference]:
    """Every place where the two values differ; a missing member is None."""
    if isinstance(official, dict) and isinstance(ours, dict):
        return [
            found
            for key in sorted(official.keys() | ours.keys())
            for found in differences(official.get(key), ours.get(key), f"{place}/{key}")
        ]
    if isinstance(official, list) and isinstance(ours, list) and len(official) == len(ours):
        return [
            found
            for index, (one, other) in enumerate(zip(official, ours, strict=True))
            for found in differences(one, other, f"{place}[{index}]")
        ]
    return [] if official == ours else [Difference(place=place, official=official, ours=ours)]


def unexcused(
    scenario: str, found: Iterable[Difference], allowances: Iterable[Allowance]
) -> list[Difference]:
    """The differences that no allowance covers."""
    table = list(allowances)
    return [one for one in found if not any(rule.covers(scenario, one) for rule in table)]
