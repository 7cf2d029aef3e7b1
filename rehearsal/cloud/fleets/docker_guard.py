"""Removes a rehearsal's containers when the rehearsal is gone, however it ended.

The cloud starts this module as a process and holds the other end of its input. The input ends
with the cloud - even one that is killed - and only then is the engine asked for anything.
"""

from __future__ import annotations

import subprocess
import sys

from rehearsal.cloud.fleets.docker_engine import Owner, connect, remove_owned

GUARD_WALL_SECONDS = 60.0


class Guard:
    """The guarding process, as the cloud holds it."""

    def __init__(self, owner: Owner) -> None:
        command = [sys.executable, "-m", __name__, owner.machine, owner.process]
        # A session of its own: what ends the cloud's process group must not end its guard.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def close(self) -> None:
        """Let it remove what is left, and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=GUARD_WALL_SECONDS)


def main(arguments: list[str]) -> int:
    """Wait for the end of the input, then remove the owner's containers."""
    machine, process = arguments
    sys.stdin.buffer.read()
    remove_owned(connect(), Owner(machine=machine, process=process))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
