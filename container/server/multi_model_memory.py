"""How much memory there is for models, how much a process holds, and giving back what is free.

Source: Linux kernel documentation, "Control Group v2" (memory.max); proc_pid_statm(5);
malloc_trim(3)
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from pathlib import Path

MODEL_SHARE_PERCENT = 70
"""Of the memory there is; the rest is the server's own, bodies', and a trial's, see ADR 0022."""

CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def default_budget_bytes(limit_files: tuple[Path, ...] = CGROUP_LIMITS) -> int:
    """Give the bytes models may take when nobody set them: a share of this container's memory.

    Args:
        limit_files: where control groups, version 2 and then 1, say what the container may use;
            without a limit there it is the machine's memory
    """
    limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in limit_files:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        # Version 2 says "max" and version 1 a number beyond all memory where there is no limit.
        if text.isdigit():
            limit = min(limit, int(text))
    return limit * MODEL_SHARE_PERCENT // 100


def resident_bytes() -> int:
    """Give this process's memory; where the system does not say, its highest so far."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_memory_back() -> None:
    """Free what nothing refers to, and let the system have the pages malloc keeps for later."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own; musl and macOS lack it
    if trim is not None:
        trim(0)


def directory_bytes(directory: Path) -> int:
    """Give the size of all files below a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def is_want_of_memory(error: BaseException) -> bool:
    """Tell whether an error, or one it was raised from, says that there was no memory."""
    at: BaseException | None = error
    while at is not None:
        # ONNX Runtime has no class of its own for what C++ calls so.
        if isinstance(at, MemoryError) or "std::bad_alloc" in str(at):
            return True
        at = at.__cause__
    return False
