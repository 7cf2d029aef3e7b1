"""Runs the benchmarks named on the command line, or all of them, one after the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def main(names: Sequence[str]) -> int:
    """Run each benchmark in a process of its own; the first that breaks ends the run."""
    known = sorted(path.parent.name for path in Path(__file__).parent.glob("*/__main__.py"))
    for name in names:
        if name not in known:
            print(f"no benchmark {name!r}; there are: {', '.join(known)}", file=sys.stderr)
            return 2
    for name in names if names else known:
        code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
        if code != 0:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
