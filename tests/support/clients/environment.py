"""The clients that cannot share our environment get one of their own, made once from its lock."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.lock")
ROOT = Path(__file__).resolve().parents[3]
DIRECTORY = ROOT / "build" / "clients-venv"
INSTALL_SECONDS = 600


class ClientsMissing(Exception):
    """The environment can't be made; the text says what is missing and how to get it."""


def clients_python() -> Path:
    """Return the Python that has the clients; make its environment when the lock is new.

    Raises:
        ClientsMissing: no package registry can be reached, or the lock fits no package
    """
    python = DIRECTORY / "bin" / "python"
    stamp = DIRECTORY / "requirements.sha256"
    digest = f"{hashlib.sha256(LOCK.read_bytes()).hexdigest()} {sys.version}"
    if stamp.is_file() and stamp.read_text() == digest:
        return python
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(DIRECTORY)])
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
          "--require-hashes", "--requirement", str(LOCK)])  # fmt: skip
    stamp.write_text(digest)
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode != 0:
        raise ClientsMissing(
            f"{DIRECTORY.relative_to(ROOT)} with the SageMaker SDK is missing and could not be "
            f"installed from {LOCK.name}: {done.stderr.strip().splitlines()[-1:]}; connect to a "
            "package registry and run the tests again"
        )
