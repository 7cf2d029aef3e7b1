"""Runs a whole replay: a cloud of its own, every command, the comparison, the verdict in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.durations import DurationKind
from rehearsal.cloud.history.history import RECORD, read_history
from rehearsal.cloud.history.replay import differences, replay
from rehearsal.cloud.settings import ClockKind, CloudSettings, RuntimeName


def replay_history(source: Path, directory: Path, *, seed: int | None = None) -> int:
    """Replay a history, print what is different, and return an exit code: 0 for nothing.

    Args:
        source: the folder of the history
        directory: where the replay keeps its own images, artifacts, logs and history
        seed: another seed than the first run's, to see that it matters
    """
    if (directory / "history").resolve() == source.resolve():
        raise SetupError(f"{directory} is the run that is to be replayed; choose another directory")
    start, commands, ended = read_history(source)
    settings = settings_from_start(start, directory)
    cloud = Cloud(settings if seed is None else replace(settings, seed=seed))
    cloud.start()
    try:
        found = replay(commands, ended, cloud.timekeeper, cloud.application)
        after = json.loads(json.dumps(cloud.record.as_dict()))
    finally:
        cloud.stop()
    is_paced = start["clock"] != ClockKind.MANUAL
    if is_paced:
        found = []
    recorded = source / RECORD
    if recorded.is_file():
        before = json.loads(recorded.read_text(encoding="utf-8"))
        found += differences(before, after, is_paced=is_paced)
    for line in found:
        print(line)
    compared = "the order of what happened" if is_paced else "every answer, event and sample"
    verdict = f"{len(found)} differences" if found else "the same again"
    print(f"{len(commands)} commands replayed; compared {compared}: {verdict}")
    return 1 if found else 0


def settings_from_start(start: dict[str, Any], directory: Path) -> CloudSettings:
    """Return the settings of the cloud that replays."""
    return CloudSettings(
        directory=directory,
        speed=start["speed"],
        seed=start["seed"],
        region=start["region"],
        account_id=start["account_id"],
        maximum_instances=start["maximum_instances"],
        runtime=RuntimeName(start["runtime"]),
        durations=DurationKind(start["durations"]),
        clock=ClockKind.MANUAL,
        start_time=start["start_time"],
    )
