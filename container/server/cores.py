"""How many processors this process may use, which is how many workers serve.

A container sees all the processors of its machine; what it may use of them is in its affinity and
in the quotas of its control groups.
"""

from __future__ import annotations

import math
import os
from pathlib import Path, PurePosixPath

ROOT = Path("/")
CGROUPS = Path("sys/fs/cgroup")


def core_count(root: Path = ROOT) -> int:
    """Give the processors this process may use, at least 1.

    Args:
        root: where /proc and /sys are
    """
    affinity = getattr(os, "sched_getaffinity", None)
    allowed = (os.cpu_count() or 1) if affinity is None else len(affinity(0))
    quota = cgroup_quota(root)
    return max(1, allowed if quota is None else min(allowed, math.ceil(quota)))


def cgroup_quota(root: Path = ROOT) -> float | None:
    """Give the processors that the tightest of our control groups grants; None without a limit."""
    quotas = [
        quota
        for folder in _folders(root)
        for quota in (_quota_of_v2(folder), _quota_of_v1(folder))
        if quota is not None
    ]
    return min(quotas, default=None)


def _folders(root: Path) -> list[Path]:
    """Give the folders of our control groups and of those around them."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    folders = {root / CGROUPS, root / CGROUPS / "cpu", root / CGROUPS / "cpu,cpuacct"}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        own = PurePosixPath(path)
        for group in (own, *own.parents):
            # In a container the path may be the machine's, of which we see nothing: it is skipped.
            folders.add(root / CGROUPS / controllers / str(group).lstrip("/"))
    return sorted(folders)


def _quota_of_v2(folder: Path) -> float | None:
    words = _read(folder / "cpu.max").split()
    return _ratio(words[0], words[1]) if len(words) == 2 else None


def _quota_of_v1(folder: Path) -> float | None:
    return _ratio(
        _read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()
    )


def _ratio(quota: str, period: str) -> float | None:
    """Divide, where both are numbers: no limit is "max" in version 2 and -1 in version 1."""
    if quota.isdecimal() and period.isdecimal() and int(quota) and int(period):
        return int(quota) / int(period)
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
