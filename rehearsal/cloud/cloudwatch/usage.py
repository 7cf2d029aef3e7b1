"""How much of the machine each instance's processes use, as the operating system counts it.

The instance is this machine: its cores and its memory. Processes aren't sped up, so a share is
one of the wall's time whatever the rehearsal's speed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import psutil


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Shares in percent; of the processor per core, so up to 100 times the cores."""

    cpu_percent: float
    memory_percent: float


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a tree of processes had used up at a moment of the wall."""

    moment: float
    cpu_seconds: float


@dataclass
class UsageMeter:
    """Remembers what each instance had used at the last look."""

    _counted: dict[str, Counted] = field(default_factory=dict)

    def look(self, pids_by_instance: Mapping[str, Sequence[int]]) -> dict[str, Usage]:
        """Return what each instance uses since the last look; since its start at the first.

        Args:
            pids_by_instance: the containers' first processes, by instance id
        """
        processes = _processes() if pids_by_instance else {}
        children = _children_by_parent(processes)
        memory_bytes = psutil.virtual_memory().total
        found: dict[str, Usage] = {}
        counted: dict[str, Counted] = {}
        for instance_id, roots in pids_by_instance.items():
            tree = _read(_tree(roots, children), processes)
            if tree is None:
                continue
            now = time.time()
            counted[instance_id] = Counted(moment=now, cpu_seconds=tree.cpu_seconds)
            before = self._counted.get(instance_id, Counted(moment=tree.since, cpu_seconds=0.0))
            passed = max(now - before.moment, 1e-3)
            used = max(0.0, tree.cpu_seconds - before.cpu_seconds)
            cores = os.cpu_count() or 1
            found[instance_id] = Usage(
                cpu_percent=min(100.0 * used / passed, 100.0 * cores),
                memory_percent=min(100.0 * tree.memory_bytes / memory_bytes, 100.0),
            )
        self._counted = counted
        return found


def disk_percent(path: str) -> float:
    """Return how full the file system of a path is, 0..100."""
    return float(psutil.disk_usage(path).percent)


@dataclass(frozen=True, kw_only=True)
class _Tree:
    cpu_seconds: float
    memory_bytes: int
    since: float


def _read(pids: Iterable[int], processes: Mapping[int, psutil.Process]) -> _Tree | None:
    """Return the sums over processes, None when all of them are gone."""
    cpu, memory, since = 0.0, 0, float("inf")
    for pid in pids:
        process = processes.get(pid)
        if process is None:
            continue
        try:
            with process.oneshot():
                times = process.cpu_times()
                memory += process.memory_info().rss
                since = min(since, process.create_time())
        except psutil.Error:
            continue
        cpu += times.user + times.system
    return (
        None if since == float("inf") else _Tree(cpu_seconds=cpu, memory_bytes=memory, since=since)
    )


def _processes() -> dict[int, psutil.Process]:
    """Return every process in one pass; psutil keeps its objects, which are costly to make."""
    return {process.pid: process for process in psutil.process_iter(["ppid"])}


def _children_by_parent(processes: Mapping[int, psutil.Process]) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for pid, process in processes.items():
        parent = process.info["ppid"]
        if parent is not None:
            children.setdefault(parent, []).append(pid)
    return children


def _tree(roots: Sequence[int], children: Mapping[int, Sequence[int]]) -> list[int]:
    found, pending = [], list(roots)
    while pending:
        pid = pending.pop()
        found.append(pid)
        pending.extend(children.get(pid, ()))
    return found
