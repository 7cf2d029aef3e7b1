"""A private place for one scenario: projects, state, provider, and `pulumi` run there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.engine_scenarios.provider import (
    PACKAGE,
    ProviderServer,
    StoredThing,
    start_provider,
)
from tests.support.engine_scenarios.scenario import STACK

PROJECT = "p"
PASSPHRASE = "scenario"
# A salt the official CLI made for the passphrase above, so its key is derived once per process.
SALT = "v1:rBSrvUnarHU=:v1:UiQfonhMyFJ8sUYz:3QbJoK+q4ewcneyREW/yUQyYEq1xsg=="
COMMAND_SECONDS = 100
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR")


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """The folders and the environment of one scenario.

    Args:
        root: an empty folder of its own.
        pulumi: the command under test, as an argument list.
        provider: the running test provider.
        variables: set on top of the environment (e.g. PYTHONPATH for an engine in the repository).
    """

    root: Path
    pulumi: tuple[str, ...]
    provider: ProviderServer
    variables: Mapping[str, str]

    @property
    def state(self) -> Path:
        """The folder of the file back end."""
        return self.root / "state"

    def environment(self, changes: Mapping[str, str | None]) -> dict[str, str]:
        """The variables a command runs with: nothing of the developer's own settings."""
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        values: dict[str, str | None] = {
            **kept,
            "HOME": str(self.root),
            "PULUMI_HOME": str(self.root / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DEBUG_COMMANDS": "true",
            "PULUMI_DEBUG_PROVIDERS": f"{PACKAGE}:{self.provider.port}",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "GIT_CEILING_DIRECTORIES": str(self.root),
            # A program rewritten in the same second at the same size would run as it was.
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.variables,
            **changes,
        }
        return {name: value for name, value in values.items() if value is not None}

    def run(
        self,
        argv: Sequence[str],
        *,
        folder: str = "project",
        stdin: str = "",
        changes: Mapping[str, str | None] | None = None,
    ) -> Finished:
        """Run the command in a project's folder and wait for it."""
        done = subprocess.run(
            [*self.pulumi, *argv],
            cwd=self.root / folder,
            env=self.environment({} if changes is None else changes),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Finished(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def add_project(self, *, folder: str = "project", project: str = PROJECT) -> None:
        """Make a Python project for this interpreter's environment, with the things beside it."""
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        options = {"virtualenv": sys.prefix}
        runtime = {"name": "python", "options": options}
        (place / "Pulumi.yaml").write_text(json.dumps({"name": project, "runtime": runtime}))
        (place / f"Pulumi.{STACK}.yaml").write_text(f"encryptionsalt: {SALT}\n")
        shutil.copy(Path(__file__).with_name("things.py"), place / "things.py")

    def add_stack(self, *, project: str = PROJECT, stack: str = STACK) -> None:
        """Put the checkpoint of an empty stack into the back end, as `stack init` would."""
        place = self.state / ".pulumi"
        (place / "stacks" / project).mkdir(parents=True, exist_ok=True)
        (place / "meta.yaml").write_text("version: 1\n")
        latest: dict[str, Any] = {
            "manifest": {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""},
            "secrets_providers": {"type": "passphrase", "state": {"salt": SALT}},
            "metadata": {},
        }
        checkpoint = {"stack": f"organization/{project}/{stack}", "latest": latest}
        document = json.dumps({"version": 3, "checkpoint": checkpoint})
        (place / "stacks" / project / f"{stack}.json").write_text(document)

    def put(self, identity: str, inputs: Mapping[str, Any]) -> None:
        """Put a thing into the imaginary cloud."""
        outputs = dict(inputs) | {"serial": 1, "shout": f"{inputs.get('value', '')}!"}
        self.provider.world.things[identity] = StoredThing(
            name=identity, inputs=dict(inputs), outputs=outputs
        )


def open_sandbox(root: Path, pulumi: Sequence[str], variables: Mapping[str, str]) -> Sandbox:
    """Start a provider and make the folders; the caller stops the provider."""
    (root / "state").mkdir(parents=True)
    (root / "home").mkdir()
    return Sandbox(
        root=root, pulumi=tuple(pulumi), provider=start_provider(), variables=dict(variables)
    )
