"""Scheduled actions: kept with the time of their next run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rehearsal.cloud.scaling.schedule import BadSchedule, Next, next_run

Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class ScheduledAction:
    """One scheduled action of a target.

    Args:
        members: as PutScheduledAction received them, times as epoch seconds
        next_at: when it runs next, None for never again
    """

    key: Key
    name: str
    arn: str
    members: Mapping[str, Any]
    creation_time: float
    following: Next
    next_at: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the members of ScheduledAction."""
        return {
            "ScheduledActionARN": self.arn,
            **self.members,
            "CreationTime": self.creation_time,
        }


@dataclass(frozen=True, kw_only=True)
class Run:
    """A scheduled action whose time has come."""

    key: Key
    name: str
    bounds: Mapping[str, int]


@dataclass
class Schedules:
    """Every scheduled action by target and name."""

    actions: dict[tuple[str, str, str], ScheduledAction] = field(default_factory=dict)

    def put(self, key: Key, arn: str, members: Mapping[str, Any], *, now: float) -> None:
        """Add or change an action.

        Raises:
            BadSchedule: the schedule or the time zone can't be read
        """
        name = members["ScheduledActionName"]
        known = self.actions.get((*key, name))
        merged = {**(known.members if known is not None else {}), **members}
        start = merged.get("StartTime")
        zone = merged.get("Timezone")
        try:
            tz = ZoneInfo(zone) if zone is not None else UTC
        except (ZoneInfoNotFoundError, ValueError) as err:
            raise BadSchedule(
                f"Timezone {zone} is no time zone this machine knows; use one such as Europe/Berlin"
            ) from err
        following = next_run(merged["Schedule"], tz, now, start)
        # A run at StartTime itself counts.
        after = now if start is None else max(now, start - 1)
        self.actions[(*key, name)] = ScheduledAction(
            key=key,
            name=name,
            arn=known.arn if known is not None else arn,
            members=merged,
            creation_time=known.creation_time if known is not None else now,
            following=following,
            next_at=_until(following(after), merged),
        )

    def due(self, now: float) -> list[Run]:
        """Return the actions to run now; of runs that were missed only the last counts."""
        found = []
        for name, action in list(self.actions.items()):
            if action.next_at is not None and action.next_at <= now:
                bounds = action.members.get("ScalableTargetAction", {})
                found.append((action.next_at, Run(key=action.key, name=action.name, bounds=bounds)))
                next_at = _until(action.following(now), action.members)
                self.actions[name] = replace(action, next_at=next_at)
        return [run for _, run in sorted(found, key=lambda entry: entry[0])]

    def remove_target(self, key: Key) -> None:
        """Remove every action of a target."""
        for name in [known for known in self.actions if known[:2] == key]:
            del self.actions[name]


def _until(moment: float | None, members: Mapping[str, Any]) -> float | None:
    end = members.get("EndTime")
    return None if moment is None or (end is not None and moment > end) else moment
