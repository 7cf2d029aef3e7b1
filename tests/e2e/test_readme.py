"""The commands of the README do what they say, typed as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.timeout(600)

BLOCKS = re.findall(r"^```\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
BY_HAND = next(block for block in BLOCKS if "rehearsal start" in block)
BY_PULUMI = next(block for block in BLOCKS if "pulumi stack init" in block)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "GREENLIGHT_REHEARSAL": str(tmp_path / "rehearsal")}
    yield environment
    subprocess.run(["greenlight", "rehearsal", "stop"], cwd=ROOT, env=environment, check=False)


def lines_of(block: str) -> list[str]:
    return [line.partition("#")[0].strip() for line in block.splitlines() if line.strip()]


def type_in(lines: list[str], environment: dict[str, str]) -> dict[str, str]:
    """Run each line as a person would; the first that fails ends it."""
    said = {}
    for line in lines:
        ran = subprocess.run(
            ["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert ran.returncode == 0, f"{line}\n{ran.stdout}\n{ran.stderr}"
        said[line] = ran.stdout
    return said


def test_a_release_by_hand(environment: dict[str, str]) -> None:
    said = type_in(lines_of(BY_HAND), environment)

    assert sum("promoted" in text for text in said.values()) == 4
    assert "wine-dev-endpoint" in next(v for k, v in said.items() if "list-endpoints" in k)


def test_the_way_by_pulumi_alone(environment: dict[str, str]) -> None:
    settings = (ROOT / "Pulumi.dev.yaml").read_text()
    # A challenger somebody packaged by hand would leave Pulumi.dev.yaml with two to choose from.
    shutil.rmtree(ROOT / "build" / "models" / "iris", ignore_errors=True)

    said = type_in(
        ["greenlight rehearsal start", *lines_of(BY_PULUMI), "greenlight rehearsal stop"],
        environment,
    )

    assert "promoted" in said["greenlight rehearsal run -- pulumi stack output -s dev"]
    assert (ROOT / "Pulumi.dev.yaml").read_text() == settings
