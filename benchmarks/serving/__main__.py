"""Measures the server beside its peers: `python -m benchmarks.serving [--quick ours floor]`."""

from __future__ import annotations

import argparse
import sys

from benchmarks.serving.quick import CONTESTANTS, ROUNDS, quick


def main() -> int:
    """Take a quick look."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--quick", nargs="+", choices=sorted(CONTESTANTS), required=True)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--model", choices=("iris", "forest"), default="iris")
    options = parser.parse_args()
    quick(options.quick, rounds=options.rounds, model=options.model)
    return 0


if __name__ == "__main__":
    sys.exit(main())
