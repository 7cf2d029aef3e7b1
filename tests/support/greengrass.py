"""A Greengrass core as far as a component's life needs it; no tests here.

Lays a component out as the nucleus does, replaces recipe variables, and runs its lifecycle's
scripts as plain processes, without users of their own.

Source: AWS IoT Greengrass V2 Developer Guide, "AWS IoT Greengrass component recipe reference", read
2026 (folders, variables, steps, platforms); KernelConfigResolver of aws-greengrass-nucleus (how
variables are found: also in environments, and not in lists)
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = re.compile(r"\{([.\w]+):([^:}]+)\}")
WAIT_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Core:
    """A core device.

    Args:
        root: Greengrass's folder
        platform: what the nucleus says of the device, such as os and architecture
    """

    root: Path
    platform: Mapping[str, str]

    def deploy(self, folder: Path, configuration: Mapping[str, str]) -> DeployedComponent:
        """Take the only component of a folder of recipes and artifacts.

        Args:
            configuration: merged into the component's default one
        """
        (recipe_path,) = (folder / "recipes").iterdir()
        recipe = json.loads(recipe_path.read_text())
        name, version = recipe["ComponentName"], recipe["ComponentVersion"]
        manifest = next(each for each in recipe["Manifests"] if self._matches(each))
        store = self.root / "packages"
        artifacts = store / "artifacts" / name / version
        unarchived = store / "artifacts-unarchived" / name / version
        work = self.root / "work" / name
        for path in (artifacts, unarchived, work):
            path.mkdir(parents=True, exist_ok=True)
        for artifact in manifest["Artifacts"]:
            file = artifacts / artifact["URI"].rpartition("/")[2]
            shutil.copy(folder / "artifacts" / name / version / file.name, file)
            file.chmod(0o400)
            if artifact.get("Unarchive") == "ZIP":
                with zipfile.ZipFile(file) as archive:
                    archive.extractall(unarchived / file.stem)
        for path in unarchived.rglob("*"):
            path.chmod(0o500 if path.is_dir() else 0o400)
        default = recipe["ComponentConfiguration"]["DefaultConfiguration"]
        values = {f"configuration:/{key}": v for key, v in {**default, **configuration}.items()}
        values |= {
            "artifacts:path": str(artifacts),
            "artifacts:decompressedPath": str(unarchived),
            "work:path": str(work),
        }
        return DeployedComponent(
            lifecycle=interpolated(manifest["Lifecycle"], values), work=work, program=unarchived
        )

    def _matches(self, manifest: Mapping[str, Any]) -> bool:
        def is_so(key: str, wanted: str) -> bool:
            given = self.platform.get(key, "")
            if wanted == "*":
                return True
            if wanted.startswith("/"):
                return re.fullmatch(wanted.strip("/"), given) is not None
            return wanted == given

        return all(is_so(key, wanted) for key, wanted in manifest.get("Platform", {}).items())


@dataclass(frozen=True, kw_only=True)
class DeployedComponent:
    """A component on a core.

    Args:
        lifecycle: its steps, without variables
        work: its own folder, where its scripts run
        program: the folder of its unpacked archives
    """

    lifecycle: Mapping[str, Any]
    work: Path
    program: Path

    def run_to_the_end(self, step: str) -> subprocess.CompletedProcess[str]:
        """Run a step such as Install and wait for it."""
        return subprocess.run(
            ["sh", "-c", self.lifecycle[step]["Script"]],
            cwd=self.work,
            env=self._environment(step),
            capture_output=True,
            text=True,
            timeout=self.lifecycle[step]["Timeout"],
            check=False,
        )

    def start(self, log_path: Path) -> subprocess.Popen[bytes]:
        """Start the Run step."""
        with log_path.open("wb") as log:
            return subprocess.Popen(
                ["sh", "-c", self.lifecycle["Run"]["Script"]],
                cwd=self.work,
                env=self._environment("Run"),
                stdout=log,
                stderr=log,
            )

    def _environment(self, step: str) -> dict[str, str]:
        own = self.lifecycle[step].get("Setenv", {})
        return {"PATH": os.environ["PATH"], **self.lifecycle.get("Setenv", {}), **own}


def interpolated(value: Any, values: Mapping[str, str]) -> Any:
    """Replace recipe variables in a string, or in all strings of a dictionary."""
    if isinstance(value, dict):
        return {key: interpolated(each, values) for key, each in value.items()}
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: values.get(f"{found[1]}:{found[2]}", found[0]), value)
    return value
