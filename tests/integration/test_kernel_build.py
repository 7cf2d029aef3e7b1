"""Installing the compiled kernel, as `make setup` and the image's build stage do it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.build_context import context_digest

KERNEL = Path(__file__).parents[2] / "container" / "kernel"


def installed(target: Path, **environment: str) -> list[str]:
    """Install the package into a folder and give the names of what is there then."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-index", "--no-build-isolation"),
            *("--target", str(target), str(KERNEL)),
        ],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"} | environment,
        check=True,
        capture_output=True,
    )
    return sorted(path.name for path in target.iterdir())


def test_without_a_compiler_it_installs_without_the_module(tmp_path: Path) -> None:
    names = installed(tmp_path, CC="/nowhere/cc")

    assert names == ["greenlight_kernel-0.1.0.dist-info"]


def test_one_module_serves_every_python_and_nothing_is_left_in_the_build_context(
    tmp_path: Path,
) -> None:
    pytest.importorskip(
        "greenlight_kernel",
        reason="no compiled kernel; install a C compiler, then run `make setup`",
    )
    digest = context_digest(KERNEL)

    names = installed(tmp_path)

    assert "greenlight_kernel.abi3.so" in names
    assert context_digest(KERNEL) == digest
