"""A rehearsal cloud in a process of its own, which a test may kill."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.cloud import wait_for

ROOT = Path(__file__).resolve().parents[2]
STOP_WALL_SECONDS = 60


class CloudProcess:
    """A running cloud; `url` makes it one that a `CloudUser` can use."""

    def __init__(self, directory: Path, *options: str) -> None:
        self._port_file = directory / "port"
        command = [sys.executable, "-m", "rehearsal.cloud", "--directory", str(directory)]
        command += ["--port-file", str(self._port_file), *options]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, env=dict(os.environ)
        )
        wait_for(self._port_file.exists, "the port file")
        self.url = f"http://127.0.0.1:{self._port_file.read_text().strip()}"

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.terminate()
        return self.process.wait(STOP_WALL_SECONDS)

    def kill(self) -> None:
        """Give it no chance to clean up."""
        self.process.kill()
        self.process.wait(STOP_WALL_SECONDS)
