"""An environment for each contestant, made of its committed lock file, kept under build/bench."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.serving.peers import CONTAINERS
from benchmarks.serving.workload import REPOSITORY

CONTAINER = REPOSITORY / "container"
KERNEL = CONTAINER / "kernel"
ENVIRONMENTS = REPOSITORY / "build" / "bench" / "environments"
PYTHON = "3.11"
"""One Python for all; the oldest that ours runs on and the newest that all peers do."""
OURS = "ours"
COMPILER = "kernel-compiler"
MADE_OF = "made-of"
MAKE_SECONDS = 900
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


class NotInstallableError(Exception):
    """An environment could not be made."""


def python_of(name: str) -> Path:
    """Return the interpreter of an environment that was made."""
    return ENVIRONMENTS / name / "bin" / "python"


def make_environment(name: str) -> None:
    """Make an environment, unless it is there and its lock file has not changed.

    Raises:
        NotInstallableError: a package cannot be had or installed on this machine
    """
    lock = lock_of(name)
    sources = [lock]
    if name == OURS:
        sources += [CONTAINER / "requirements-build.lock", *_kernel_sources()]
    digest = _digest(sources)
    folder = ENVIRONMENTS / name
    if _was_made_of(folder, digest):
        return
    _make(folder, lock)
    if name == OURS:
        _install(folder, ["--no-deps", str(_kernel_wheel())])
    (folder / MADE_OF).write_text(digest)


def lock_of(name: str) -> Path:
    """Return the lock file of an environment; ours is the image's own."""
    return (
        CONTAINER / "requirements.lock" if name == OURS else CONTAINERS / name / "requirements.lock"
    )


def locked_versions(name: str) -> dict[str, str]:
    """Return the version of each package in an environment's lock; the first of several."""
    found: dict[str, str] = {}
    for package, version in _PIN.findall(lock_of(name).read_text()):
        found.setdefault(package, version)
    return found


def _kernel_wheel() -> Path:
    """Compile the kernel as the image's first stage does, and return the wheel.

    The compiler is larger than all environments together, so it goes once it has served.
    """
    compiler = ENVIRONMENTS / COMPILER
    wheels = ENVIRONMENTS / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    _make(compiler, CONTAINER / "requirements-build.lock")
    command = f"{python_of(COMPILER)} -m ziglang cc -mcpu=baseline"
    variables = {"CC": command, "LDSHARED": f"{command} -shared -s -nostdlib"}
    arguments = ["--python", str(python_of(COMPILER)), "--out-dir", str(wheels), str(KERNEL)]
    _uv(["build", "--quiet", "--wheel", "--no-build-isolation", *arguments], variables)
    shutil.rmtree(compiler)
    return next(wheels.glob("*.whl"))


def _kernel_sources() -> list[Path]:
    return [KERNEL / "setup.py", KERNEL / "pyproject.toml", *sorted((KERNEL / "src").iterdir())]


def _digest(paths: Sequence[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.read_bytes())
    return whole.hexdigest()


def _was_made_of(folder: Path, digest: str) -> bool:
    mark = folder / MADE_OF
    return mark.exists() and mark.read_text() == digest


def _make(folder: Path, lock: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _uv(["venv", "--quiet", "--python", PYTHON, str(folder)], {})
    _install(folder, ["--require-hashes", "--requirement", str(lock)])


def _install(folder: Path, what: Sequence[str]) -> None:
    python = str(folder / "bin" / "python")
    # Compiled ahead, as in an image: no contestant's first start pays for it.
    _uv(["pip", "install", "--quiet", "--compile-bytecode", "--python", python, *what], {})


def _uv(arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    uv = Path(sys.executable).parent / "uv"
    done = subprocess.run(
        [str(uv), *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=MAKE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise NotInstallableError(f"uv {' '.join(arguments)} failed: {done.stderr.strip()[-1500:]}")
